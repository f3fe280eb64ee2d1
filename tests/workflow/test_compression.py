"""Every operation through the real Snakefile: files, tables, engines that are left out, and messages about mistakes."""

import importlib.util

import pandas as pd
import pytest
import yaml
from runs import Run

from fairweight.core.artifacts import read_frame, read_json
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.errors import InputError
from fairweight.study.schema import resolve
from fairweight.study.study import Study

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
    assert "Not measured in the engine torch_eager: qat, student_int8. Reason: PyTorch runs the float weights" in page
    assert run.jobs(study) == {}


# ---- bad input: mistake -> (changes of the tiny study, the message)

HALF = {"method": "global_magnitude", "sparsity": 0.5}
EXTRA = ("openvino", "nncf")  # packages that are taken to be absent, whether they are or not
SIZE = "is out of range; it is at least 0 and below 1."
WHILE_PARSING = {
    "a sparsity of one": (
        {"variants__pruned50__prune": HALF | {"sparsity": 1.0}},
        f"variants: pruned50: prune: sparsity: 1.0 {SIZE}",
    ),
    "a negative sparsity": (
        {"variants__pruned50__prune": HALF | {"sparsity": -0.1}},
        f"variants: pruned50: prune: sparsity: -0.1 {SIZE}",
    ),
    "the whole of a layer": (
        {"variants__pruned50__prune": {"method": "layer_magnitude", "sparsity": {"1.weight": 1.0}}},
        f"variants: pruned50: prune: sparsity: 1.weight: 1.0 {SIZE}",
    ),
    "all channels": (
        {"variants__pruned50__prune": {"method": "structured", "channels": 1.0}},
        f"variants: pruned50: prune: channels: 1.0 {SIZE}",
    ),
    "few rows to calibrate on": (
        {"variants__int8__quantize": {"method": "static", "calibration_rows": 8}},
        "variants: int8: quantize: calibration_rows: 8 is out of range; it is at least 32.",
    ),
    "operators that no engine knows": (
        {"engines": ["torch_eager"]},
        "grid: entry 1: variants: no engine of the study runs 'int8' (torch_eager: PyTorch runs the float weights "
        "that a file was "
        "exported from, and a quantized file has none); name another one in 'engines', or take the variant out.",
    ),
    "a quantized parent of a quantized file": (
        {"variants__twice": {"from": "int8", "quantize": "auto"}},
        "variants: twice: from: 'int8' is made by 'quantize', and 'quantize' takes only variants made by train or "
        "import_torch or prune or factorize "
        "or distill or encode or pretrained or import_onnx or prune_onnx; there are: dense, pruned50.",
    ),
    "a quantized parent of a pruned model": (
        {"variants__pruned50__from": "int8"},
        "variants: pruned50: from: 'int8' is made by 'quantize', and 'prune' takes only variants made by train or "
        "import_torch or prune or factorize "
        "or distill or encode; there are: dense, pruned50.",
    ),
    "an engine of an absent extra": (
        {"engines": ["openvino"]},
        "engines: 'openvino' needs the optional extra 'openvino', which is not installed; install it with 'make "
        "setup-openvino'.",
    ),
    "a method of an absent extra": (
        {"variants__int8__quantize": "openvino"},
        "variants: int8: quantize: 'openvino' needs the optional extra 'openvino', which is not installed; install it "
        "with "
        "'make setup-openvino'.",
    ),
}
# variant -> (how it is made, its file, the message): what only weights and rows tell
FINETUNED = {"finetune": {"epochs": 1}}
WHEN_RUN = {
    "emptied": (
        {"prune": {"method": "global_magnitude", "sparsity": 0.999, **FINETUNED}},
        "model.safetensors",
        "variants: emptied: prune: nothing of layer '1.weight' is left; lower the sparsity.",
    ),
    "starved": (
        {"quantize": "static"},
        "model.onnx",
        "variants: starved: quantize: calibration takes 32 training rows or more, and there are 27; give the dataset "
        "more rows, or "
        "use 'dynamic' or 'weight_only', which need none.",
    ),
    "foreign": (
        {"quantize": {"method": "mine:wavelets"}},
        "model.onnx",
        "variants: foreign: quantize: engine 'onnxruntime' cannot run the file: operator my.own.Wavelet (its message: ",
    ),
}
# a method of the user's own that writes an operator which no engine knows
WAVELETS = f"""
import sys

sys.path.insert(0, {str(ROOT / "tests/unit")!r})
from trained_study import foreign


def wavelets(source, destination, calibration):
    foreign(str(source), str(destination))
    return "wavelets"
"""


@pytest.fixture(scope="module")
def failed(in_folder, tmp_path_factory):
    """What a run tells in which each variant fails, of 60 rows."""
    run = in_folder(tmp_path_factory.mktemp("failed"))
    (run.folder / "mine.py").write_text(WAVELETS)
    rows = ["age,paid,sex", *(f"{20 + i % 40},{'yes' if i % 3 else 'no'},{'f' if i % 2 else 'm'}" for i in range(60))]
    (run.folder / "data.csv").write_text("\n".join(rows) + "\n")
    people = {
        "reader": "delimited",
        "files": {"all": {"sources": ["file:data.csv"]}},
        "inputs": {"numeric": ["age"]},
        "target": {"column": "paid"},
        "groups": {"sex": {"column": "sex"}},
        "split": {"test": 0.5},
    }
    made = {name: {"from": "dense", **how} for name, (how, _, _) in WHEN_RUN.items()}
    study = run.study(
        datasets={"people": people},
        variants={"dense": {"train": "standard"}, **made},
        seeds=1,
        grid=[{"dataset": "people", "models": ["mlp"], "variants": list(WHEN_RUN)}],
    )
    folder = "results/tiny/seed-0/people/none/mlp"
    files = [f"{folder}/{name}/{file}" for name, (_, file, _) in WHEN_RUN.items()]
    output = run.snakemake(study, "--keep-going", "--", *files, ok=False)
    assert not any((run.folder / file).exists() for file in files)
    return output


@pytest.mark.parametrize("mistake", [*WHILE_PARSING, *WHEN_RUN])
def test_a_mistake_is_told_in_one_sentence_with_place_and_remedy(mistake, in_folder, tmp_path, monkeypatch, request):
    if (
        mistake in WHILE_PARSING
    ):  # by what rules/common.smk does; test_bad_input.py shows that the Snakefile adds nothing
        find_spec = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in EXTRA else find_spec(n, *a))
        changes, message = WHILE_PARSING[mistake]
        with pytest.raises(InputError) as caught:
            Study(resolve(yaml.safe_load(in_folder(tmp_path).study(**changes).read_text())))
        assert str(caught.value) == message
    else:
        output, (_, _, message) = request.getfixturevalue("failed"), WHEN_RUN[mistake]
        own = [line for line in output.splitlines() if f"variants: {mistake}: " in line]
        assert len(set(own)) == 1 and own[0].startswith(f"fairweight: {message}") and own[0].endswith("."), output[
            -3000:
        ]
        assert "Traceback" not in output
