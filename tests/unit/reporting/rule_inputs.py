"""Print, as JSON, the inputs of the rules that make reports: `python rule_inputs.py STUDY FOLDER`."""

import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

from fairweight.core.components import WORKFLOW as ROOT

study, folder = map(Path, sys.argv[1:])
with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=1),
        config_settings=ConfigSettings(configfiles=[study]),
        snakefile=ROOT / "Snakefile",
        workdir=folder,
    )._workflow
    rules = {rule.name: rule for rule in workflow.rules}
    names = ("render_notebook", "paper", "cards", "article", "archive")
    inputs = {name: [str(file) for file in rules[name].input if not callable(file)] for name in names}
    outputs = {name: [str(file) for file in rules[name].output] for name in names}
print(json.dumps({"inputs": inputs, "outputs": outputs}))
