"""A new architecture, pruning method and dataset are one file each (and config); edits rerun what they change."""

import json
import textwrap

import numpy as np
import pandas as pd
import pytest
from runs import LOCAL, Run

pytestmark = pytest.mark.workflow

ARCHITECTURE = '''
"""A linear layer behind a bottleneck."""

import math

from torch import nn

OPTIONS = {"width": {"type": "integer", "minimum": 1, "default": 8, "description": "Width of the bottleneck."}}


def build(features, classes, *, width):
    """Two linear layers."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(features), width), nn.Linear(width, classes))
'''

PRUNING = '''
"""Every other weight goes."""

import torch

OPTIONS = {"start": {"type": "integer", "enum": [0, 1], "default": 0, "description": "The first one that goes."}}


def prune(weights, *, start):
    """Masks that alternate."""
    masks = {}
    for name, weight in weights.items():
        mask = torch.ones(weight.numel(), dtype=torch.bool)
        mask[start::2] = False
        masks[name] = mask.view(weight.shape)
    return masks
'''

QUANTIZATION = """
from fairweight.api import quantize_file


def mine(source, destination, calibration, network, export, *, epochs):
    network.train({}, epochs)
    trained = destination.with_name("trained.onnx")
    export(trained)
    quantize_file(trained, destination, calibration(64))
    trained.unlink()
    return {"method": "mine", "epochs": len(network.history)}
"""

CHANGES = {
    "name": "own",
    "seeds": 1,
    "augmentations": {},
    "models": {"narrow": {"architecture": "bottleneck", "width": 6}},
    "training": {"standard": {"epochs": 2}},
    "variants": {
        "dense": {"train": "standard"},
        "alternating": {"from": "dense", "prune": {"method": "every_other"}},
    },
    "grid": [{"dataset": "loans & <b>", "models": ["narrow"], "variants": ["alternating"]}],
}


def own_study(run, **changes):
    rng = np.random.default_rng(0)
    income = rng.normal(size=600)
    frame = pd.DataFrame({"income": income, "job": rng.choice(["a", "b"], 600), "sex": rng.choice(["f", "m"], 600)})
    frame["repaid"] = np.where(income + 0.3 * rng.normal(size=600) > 0, "yes", "no")
    frame.to_csv(run.folder / "loans.csv", index=False)
    dataset = {
        "title": "Loans <script>alert(1)</script> & more",
        "reader": "delimited",
        "files": {"all": {"sources": ["file:loans.csv"]}},
        "inputs": {"numeric": ["income"], "categorical": ["job"]},
        "target": {"column": "repaid", "positive": "yes"},
        "groups": {"sex": {"column": "sex"}},
        "split": {"test": 0.3},
    }
    grid = [CHANGES["grid"][0] | {"dataset": "loans"}]
    return run.study(datasets={"loans": dataset}, **(CHANGES | {"grid": grid} | changes))


def test_one_file_each_and_they_are_in_the_report(checkout, tmp_path):
    (checkout / "fairweight/training/architectures/bottleneck.py").write_text(ARCHITECTURE)
    (checkout / "fairweight/compression/pruning/every_other.py").write_text(PRUNING)
    folder = tmp_path / "run"
    folder.mkdir()
    run = Run(folder, checkout)
    study = own_study(run)
    run.snakemake(study)
    page = (folder / "results/own/report/report.html").read_text()
    assert "alternating" in page and "Loans &lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    assert "<script>alert" not in page
    checks = pd.read_parquet(folder / "results/own/summary/checks.parquet")
    assert checks["sparsity"].dropna().item() == 0.5
    _edits_rerun_what_they_change(run, study, checkout)
    _a_touched_file_of_the_user_is_read_again(run, study)


def _edits_rerun_what_they_change(run, study, checkout):
    assert run.jobs(study) == {}
    method = checkout / "fairweight/compression/pruning/every_other.py"
    method.write_text("# a comment\n" + PRUNING.replace("Masks that alternate.", "Alternating masks."))
    (checkout / "scripts/training/train.py").touch()
    assert run.jobs(study) == {}
    method.write_text(PRUNING.replace("start::2", "1 - start :: 2"))
    jobs = run.jobs(study)
    assert jobs["prune"] == 1 and not set(jobs) & {"fetch", "read", "split", "augment", "train"}
    method.write_text(PRUNING)
    assert run.jobs(study) == {}


def _a_touched_file_of_the_user_is_read_again(run, study):
    with (run.folder / "loans.csv").open("a") as file:
        file.write("0.1,a,f,yes\n")
    assert run.jobs(study)["fetch"] == 1


def test_a_function_of_the_users_own_module(tmp_path):
    run = Run(tmp_path)
    (tmp_path / "mine.py").write_text(
        textwrap.dedent("""
        from helper import half

        def prune(weights, *, share=half()):
            import torch
            return {n: torch.arange(w.numel()).view(w.shape) >= share * w.numel() for n, w in weights.items()}
        """)
    )
    (tmp_path / "helper.py").write_text("def half():\n    return 0.5\n")
    (tmp_path / "my_q.py").write_text(QUANTIZATION)
    variants = {
        "dense": {"train": "standard"},
        "alternating": {"from": "dense", "prune": {"method": "mine:prune"}},
        "rounded": {"from": "dense", "quantize": {"method": "my_q:mine", "epochs": 1}},
    }
    study = own_study(run, models={"narrow": {"architecture": "logistic_regression"}}, variants=variants)
    cell = "results/own/seed-0/loans/none/narrow"
    pruned, quantized = f"{cell}/alternating/model.safetensors", f"{cell}/rounded/model.onnx"
    run.snakemake(study, *LOCAL, "--", pruned, quantized)
    assert json.loads((tmp_path / pruned).with_suffix(".json").read_text())["sparsity"]["all"] == 0.5
    report = json.loads((tmp_path / quantized).with_name("quantize.json").read_text())
    assert (report["method"], report["epochs"], report["integer_operators"]) == ("mine", 1, 1)
    assert run.jobs(study, "--", pruned, quantized) == {}
    (tmp_path / "helper.py").write_text("def half():\n    return 0.25 * 2\n")
    assert run.jobs(study, "--", pruned, quantized) == {"prune": 1}
    (tmp_path / "my_q.py").write_text(QUANTIZATION.replace("calibration(64)", "calibration(96)"))
    assert run.jobs(study, "--", quantized) == {"quantize": 1}
