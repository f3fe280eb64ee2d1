"""Print, as JSON, which rules run again after each of some edits: `python rerun_radius.py CHECKOUT EDITS`.

CHECKOUT is a copy of the repository. EDITS is JSON: a list of files. Each of them gets one more statement, in turn.
"""

import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.iocontainers import Wildcards
from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

checkout, edits = Path(sys.argv[1]), json.loads(sys.argv[2])
study = checkout / "radius.yaml"


class Remembered:
    """A function of a file whose results can be forgotten one by one."""

    def __init__(self, function):
        self.function, self.results = function, {}

    def __call__(self, path):
        if path not in self.results:
            self.results[path] = self.function(path)
        return self.results[path]


def versions(workflow, variants, edited=None):
    """Rule -> the version of its code for one job; only an edited file is parsed again."""
    from fairweight.core import code_version

    code_version._hash_of.cache_clear()
    workflow.globals["version"].cache_clear()
    for name in ("content_hash", "imported_files"):
        function = getattr(code_version, name)
        if not isinstance(function, Remembered):
            setattr(code_version, name, Remembered(function.__wrapped__))
        else:
            function.results.pop(edited, None)
    wildcards = {"dataset": "adult", "augmentation": "jitter", "model": "mlp", "engine": "onnxruntime", "seed": "0"}
    wildcards |= {"file": "train", "concern": "answer"}
    codes = {}
    for rule in workflow.rules:
        if code := rule.params.get("code"):
            codes[rule.name] = code(Wildcards(fromdict=wildcards | {"variant": variants.get(rule.name, "dense")}))
    return codes


with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=1),
        config_settings=ConfigSettings(configfiles=[study]),
        snakefile=checkout / "Snakefile",
        workdir=checkout,
    )._workflow
    variants = {"prune": "pruned", "factorize": "factorized", "distill": "distilled", "encode": "encoded"}
    variants |= {"prune_onnx": "fewer", "quantize": "int8", "adjust": "adjusted", "predict_given": "given"}
    before = versions(workflow, variants)
    changed = []
    for file in edits:
        path = checkout / file
        text = path.read_text()
        path.write_text(f"{text}\nPROBE = 1\n")
        after = versions(workflow, variants, path.resolve())
        path.write_text(text)
        versions(workflow, variants, path.resolve())
        changed.append(sorted(rule for rule in before if before[rule] != after[rule]))
print(json.dumps({"rules": sorted(before), "changed": changed}))
