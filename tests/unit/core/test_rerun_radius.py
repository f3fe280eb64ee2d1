"""Which rules run again after an edit. An edit that reruns more than is stated here makes the structure worse.

The versions are those that the rules of the real Snakefile compute (see docs/decisions/0002-code-version.md).
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from studies import tiny

from fairweight.core.components import WORKFLOW as ROOT

FINETUNE = {"epochs": 1}
VARIANTS = {
    "dense": {"train": "standard"},
    "pruned": {"from": "dense", "prune": {"method": "global_magnitude", "sparsity": 0.5, "finetune": FINETUNE}},
    "factorized": {"from": "dense", "factorize": {"method": "svd", "energy": 0.9, "finetune": FINETUNE}},
    "distilled": {
        "from": "dense",
        "distill": {"method": "soft_labels", "student": {"architecture": "mlp", "hidden": [8]}},
    },
    "encoded": {"from": "dense", "encode": {"method": "zstd"}},
    "int8": {"from": "dense", "quantize": "dynamic"},
    "adjusted": {"from": "dense", "adjust": {"method": "threshold_optimizer", "attribute": "sex"}},
    "given": {"given": {"column": "age", "above": 50}},
}
# in no cell of the grid
IMPORTED = {
    "imported": {"import_onnx": {}},
    "fewer": {"from": "imported", "prune_onnx": {"method": "fewer_trees"}},
}
WEIGHTS = {"train", "prune", "factorize", "distill", "encode"}
SEES_ROWS = WEIGHTS | {"quantize", "adjust", "export", "predict", "predict_pool", "explain", "profile"}
READS_RESULTS = {"render_notebook", "paper", "cards", "archive"}
# what is edited -> its file, and the rules that run again
EDITS = {
    "a sentence of the report": ("reporting/report/text.py", {"render_notebook"}),
    "a figure of the report": ("reporting/report/figures.py", {"render_notebook", "paper"}),
    "a record of an operation": (
        "core/operations.py",
        {"summarize", "life_cycle"} | READS_RESULTS,  # none that trains or compresses
    ),
    "a word of a data card": ("data/card.py", {"card"}),
    "the tokenizer": ("training/tokenizer.py", SEES_ROWS | {"pretrained", "import_onnx", "import_torch"}),
    "a pruning method": ("compression/pruning/global_magnitude.py", {"prune"}),
    "a metric": ("evaluation/metrics/quality.py", {"assess"}),
    "an engine": (
        "inference/engines/onnxruntime.py",
        {"export", "prune_onnx", "quantize", "adjust", "predict", "predict_pool", "explain", "profile"},
    ),
    "the energy model": (
        "energy/energy_model.py",
        {"summarize", "decide", "life_cycle", "what_if", "later_steps", "render_notebook", "paper"},
    ),
    "how numbers are written": ("core/formatting.py", READS_RESULTS),
}


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    checkout = tmp_path_factory.mktemp("radius")
    for name in ("fairweight", "scripts", "rules", "config", "notebooks", "paper"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", checkout)
    study = tiny(
        variants=VARIANTS | IMPORTED, grid=[{"dataset": "adult", "models": ["mlp"], "variants": list(VARIANTS)}]
    )
    study["augmentations"]["jitter"] = {"method": "jitter"}
    (checkout / "radius.yaml").write_text(yaml.safe_dump(study))
    edits = json.dumps([f"fairweight/{file}" for file, _ in EDITS.values()])
    command = [sys.executable, str(Path(__file__).with_name("rerun_radius.py")), str(checkout), edits]
    done = subprocess.run(command, capture_output=True, text=True, cwd=checkout, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(EDITS, json.loads(done.stdout.splitlines()[-1])["changed"], strict=True))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_reruns_these_rules_and_no_others(changed, edit):
    assert set(changed[edit]) == EDITS[edit][1]
