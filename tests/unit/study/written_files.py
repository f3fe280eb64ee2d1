"""Print, as JSON, the files of all steps behind the report, and what `all` asks for (arguments: STUDY, FOLDER)."""

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
    wanted = workflow._workflow.globals["written_files"]()
    workflow.dag(dag_settings=DAGSettings(targets={"report"})).summary()
rows = [line.split("\t") for line in printed.getvalue().splitlines()[1:]]
written = {"all": wanted, "written": [row[0] for row in rows], "rules": sorted({row[2] for row in rows})}
print(json.dumps(written))
