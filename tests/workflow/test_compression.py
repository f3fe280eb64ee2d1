"""Every operation through the real Snakefile: what is made, coded, quantized and left out, and what the tables say of it."""

import pandas as pd
import pytest
from runs import Run

from fairweight.artifacts import read_frame, read_json

pytestmark = pytest.mark.workflow

FINETUNE = {"finetune": {"epochs": 1}}
VARIANTS = {
    "dense": {"train": "standard"},
    "small": {"train": "standard", "parameters": 0.3},
    "pruned": {"from": "dense", "prune": {"method": "global_magnitude", "sparsity": [0.5, 0.9], **FINETUNE}},
    "structured": {"from": "dense", "prune": {"method": "structured", "channels": 0.5, **FINETUNE}},
    "low_rank": {"from": "dense", "factorize": {"method": "svd", "energy": 0.6, **FINETUNE}},
    "student": {
        "from": "dense",
        "distill": {"method": "soft_labels", "student": {"architecture": "mlp", "hidden": [4]}, **FINETUNE},
    },
    "coded": {"from": "pruned_0.9", "encode": {"method": "deep_compression", **FINETUNE}},
    "qat": {"from": "pruned_0.9", "quantize": "qat"},
    "student_int8": {"from": "student", "quantize": "static"},
}


def test_every_operation_ships_and_is_checked(tmp_path):
    run = Run(tmp_path)
    grid = [{"dataset": "adult", "models": ["mlp"], "variants": list(VARIANTS)}]
    study = run.study(variants=VARIANTS, grid=grid, seeds=1, engines=["onnxruntime", "torch_eager"])
    run.snakemake(study)
    results = run.folder / "results/tiny"
    made = results / "seed-0/adult/none/mlp"
    files = read_frame(results / "summary/files.parquet").set_index(["variant", "engine"])
    parameters = files["parameters"].xs("onnxruntime", level="engine")
    assert parameters["small"] == pytest.approx(0.3 * parameters["dense"], rel=0.15)
    assert parameters["structured"] < 0.6 * parameters["dense"] and parameters["student"] < 0.4 * parameters["dense"]
    assert parameters["low_rank"] < parameters["dense"] == parameters["pruned_0.9"]
    assert files.loc[("pruned_0.9", "onnxruntime"), "nonzero_weights"] < 0.25 * parameters["dense"]
    assert ("qat", "torch_eager") not in files.index and ("coded", "torch_eager") in files.index
    agreement = files["engine_difference"].xs("torch_eager", level="engine")
    assert (agreement < 1e-3).all() and (files["batch_invariant_share"] > 0.95).all()
    shares = files["integer_share"].xs("onnxruntime", level="engine")
    assert shares["qat"] == shares["student_int8"] == 1 and shares["dense"] == 0
    profiles = pd.read_parquet(results / "profile/adult/mlp/onnxruntime.parquet")
    coded = profiles.loc[profiles["variant"] == "coded", "size_bytes"].iloc[0]
    assert coded == (made / "coded/model.coded").stat().st_size == read_json(made / "coded/encode.json")["coded_bytes"]
    layers = read_frame(results / "summary/layers.parquet")
    assert layers.loc[layers["variant"] == "pruned_0.9", "sparsity"].max() > 0.8
    page = (results / "report/report.html").read_text()
    assert "Methods of compression" in page and "prune: global_magnitude" in page
    assert run.jobs(study) == {}
