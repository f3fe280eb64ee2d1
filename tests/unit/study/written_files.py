"""Print, as JSON, the files of all steps behind the report, and what `all` asks for (arguments: STUDY, FOLDER).

What `all` asks for is printed as long as there are no files, when all are there, and when all but a few are.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

from fairweight.core.components import WORKFLOW as ROOT

study, folder = map(Path, sys.argv[1:])
with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api, contextlib.redirect_stdout(io.StringIO()) as printed:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=1),
        config_settings=ConfigSettings(configfiles=[study]),
        snakefile=ROOT / "Snakefile",
        workdir=folder,
    )
    named = workflow._workflow.globals
    written = {"all": named["written_files"](), "nothing made": named["missing_files"]()}
    workflow.dag(dag_settings=DAGSettings(targets={"report"})).summary()
    rows = [line.split("\t") for line in printed.getvalue().splitlines()[1:]]
    files = [folder / row[0] for row in rows]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    written["all made"] = named["missing_files"]()
    lost = [file for file in files if file.name in ("predictions.parquet", "split.usage.json", "card.json")]
    for file in lost:
        file.unlink()
    written["lost"] = [str(file.relative_to(folder)) for file in lost]
    written["some lost"] = named["missing_files"]()
written |= {"written": [row[0] for row in rows], "rules": sorted({row[2] for row in rows})}
print(json.dumps(written))
