"""A trained model of a user's own: `fairweight check`, and studies that prune, quantize and distil it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
import yaml
from onnx import TensorProto, helper, numpy_helper
from runs import Run
from safetensors.torch import save_file
from sklearn.datasets import load_breast_cancer
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

pytestmark = pytest.mark.workflow

MODULE = """
from torch import nn

def network(inputs, hidden):
    return nn.Sequential(nn.BatchNorm1d(inputs), nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 1))
"""
COLUMNS = 12


def graph(scaler, layers):
    """Two outputs and one input for each column, as converters of scikit-learn write them."""
    names = [f"mean {number}" for number in range(COLUMNS)]
    inputs = [helper.make_tensor_value_info(n.replace(" ", "_"), TensorProto.FLOAT, [None, 1]) for n in names]
    tensors = {"mean": scaler.mean_, "scale": scaler.scale_}
    nodes = [
        helper.make_node("Concat", [value.name for value in inputs], ["rows"], axis=1),
        helper.make_node("Sub", ["rows", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["h0"]),
    ]
    for number, (weights, bias) in enumerate(layers):
        tensors |= {f"w{number}": weights, f"b{number}": bias}
        nodes += [
            helper.make_node("Gemm", [f"h{number}", f"w{number}", f"b{number}"], [f"g{number}"]),
            helper.make_node("Relu" if number + 1 < len(layers) else "Sigmoid", [f"g{number}"], [f"h{number + 1}"]),
        ]
    last = f"h{len(layers)}"
    nodes += [
        helper.make_node("Sub", ["one", last], ["other"]),
        helper.make_node("Concat", ["other", last], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    tensors["one"] = np.ones(1)
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
    ]
    stored = [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in tensors.items()]
    made = helper.make_graph(nodes, "network", inputs, outputs, stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a trained network as ONNX and as safetensors, and its training and test rows."""
    folder = tmp_path_factory.mktemp("trained")
    inputs, labels = load_breast_cancer(return_X_y=True)
    inputs = inputs[:, :COLUMNS]
    frame = pd.DataFrame(inputs, columns=[f"mean {number}" for number in range(COLUMNS)])
    frame["outcome"] = np.where(labels == 1, "benign", "malignant")
    frame["size"] = np.where(inputs[:, 0] > np.median(inputs[:, 0]), "large", "small")
    train, test = frame[::2], frame[1::2]
    scaler = StandardScaler().fit(train.iloc[:, :COLUMNS])
    network = MLPClassifier((64, 64), max_iter=400, random_state=0).fit(
        scaler.transform(train.iloc[:, :COLUMNS]), train["outcome"]
    )
    onnx.save(graph(scaler, list(zip(network.coefs_, network.intercepts_, strict=True))), folder / "cancer.onnx")
    for name, rows in (("train", train), ("test", test)):
        scores = network.predict_proba(scaler.transform(rows.iloc[:, :COLUMNS]))
        rows.assign(probability=scores[:, 1]).to_csv(folder / f"{name}.csv", index=False)
    (folder / "networks.py").write_text(MODULE)
    return folder


def fairweight(folder, *arguments):
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    command = [str(Path(sys.executable).with_name("fairweight")), *arguments]
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False, timeout=500)


@pytest.fixture(scope="module")
def checked(model):
    """The folder after `fairweight check`, and what it printed."""
    options = ["--data", "test.csv", "--target", "outcome", "--groups", "size", "--calibration", "train.csv"]
    done = fairweight(model, "check", "cancer.onnx", *options, "--reference", "probability")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return model, done.stdout


def test_check_writes_a_study_file_and_prints_the_answer(checked):
    folder, printed = checked
    study = yaml.safe_load((folder / "cancer.yaml").read_text())
    assert study["models"] == {"cancer": {"architecture": "onnx", "file": "cancer.onnx", "reference": "probability"}}
    assert {"original", "int8", "half", "student"} <= set(study["variants"])
    answer = printed[printed.index("test, cancer: ") :]
    for name in study["grid"][0]["variants"]:
        assert f"\n{name}" in answer
    assert "baseline" in answer and "test rows" in answer
    assert (folder / "results/cancer/report/report.html").is_file()
    again = fairweight(folder, "answer", "cancer.yaml")
    assert again.returncode == 0 and "test, cancer: " in again.stdout


def test_an_imported_model_agrees_with_its_original_and_its_versions_can_replace_it(checked):
    folder, _ = checked
    made = folder / "results/cancer/seed-0/rows/none/cancer"
    facts = json.loads((made / "original/import.json").read_text())
    assert facts["verdict"] == "as the original" and facts["largest_difference"] < 1e-4
    original = onnxruntime.InferenceSession(str(folder / "cancer.onnx"))
    test = pd.read_csv(folder / "test.csv")
    feeds = {item.name: test[[item.name.replace("_", " ")]].to_numpy(np.float32) for item in original.get_inputs()}
    expected = {"original": original.run(["probabilities"], feeds)[0]}
    for variant in ("original", "int8", "half"):
        session = onnxruntime.InferenceSession(str(made / variant / "model.onnx"))
        assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
            (i.name, i.type, i.shape) for i in original.get_inputs()
        ]
        assert [o.name for o in session.get_outputs()] == ["label", "probabilities"]
        predictions = pd.read_parquet(made / variant / "onnxruntime/predictions.parquet")
        rows = predictions[predictions["part"] == "test"]
        actual = session.run(["probabilities"], feeds)[0]
        # int8 activations have one scale for all rows of a call
        tolerance = 0.15 if variant == "int8" else 1e-4
        np.testing.assert_allclose(np.stack(rows["probabilities"]), actual, atol=tolerance)
        np.testing.assert_allclose(actual, expected["original"], atol=0.15 if variant == "int8" else 0.01)


def test_a_second_check_changes_nothing(checked):
    folder, _ = checked
    done = fairweight(folder, "check", "cancer.onnx", "--data", "test.csv", "--target", "outcome")
    assert done.returncode == 1
    assert done.stderr.strip().startswith("fairweight: check: cancer.yaml exists and was not changed; run it with")


def test_a_wrong_conversion_ends_the_study_with_the_rows(checked, tmp_path):
    """Standardisation that is lost on the way changes no class names and no shapes."""
    folder, _ = checked
    proto = onnx.load(folder / "cancer.onnx")
    mean = next(tensor for tensor in proto.graph.initializer if tensor.name == "mean")
    mean.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(mean) * np.float32(1.1), "mean"))
    onnx.save(proto, tmp_path / "cancer.onnx")
    study = yaml.safe_load((folder / "cancer.yaml").read_text())
    for name, file in study["datasets"]["rows"]["files"].items():
        file["sources"] = [f"file:{folder / name}.csv"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    target = "results/cancer/seed-0/rows/none/cancer/original/model.onnx"
    output = Run(tmp_path).snakemake("study.yaml", "--executor", "local", target, ok=False)
    assert "rows differ from the original by more than 0.001" in output and ", not 0." in output


def test_a_pytorch_module_is_imported_pruned_and_distilled(model, tmp_path):
    torch.manual_seed(0)
    rows = pd.read_csv(model / "train.csv")
    inputs = torch.tensor(rows.iloc[:, :COLUMNS].to_numpy(), dtype=torch.float32)
    layers = [torch.nn.BatchNorm1d(COLUMNS), torch.nn.Linear(COLUMNS, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1)]
    network = torch.nn.Sequential(*layers)
    labels = torch.tensor((rows["outcome"] == "malignant").to_numpy(), dtype=torch.float32)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(network(inputs)[:, 0], labels).backward()
        optimizer.step()
    with torch.no_grad():
        network.eval()
        scores = network(inputs)[:, 0].sigmoid()
    save_file(network.state_dict(), tmp_path / "network.safetensors")
    rows.assign(probability=scores.numpy()).to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "networks.py").write_text(MODULE)
    names = [f"mean {number}" for number in range(COLUMNS)]
    study = {
        "name": "net",
        "seeds": 1,
        "datasets": {
            "rows": {
                "reader": {"method": "delimited"},
                "files": {"all": {"sources": ["file:rows.csv"]}},
                "inputs": {"numeric": names},
                "target": {"column": "outcome", "positive": "malignant"},
                "split": {"test": 0.4, "validation": 0.3},
            }
        },
        "models": {
            "net": {
                "architecture": "torch_module",
                "module": "networks:network",
                "arguments": {"inputs": COLUMNS, "hidden": 64},
                "weights": "network.safetensors",
                "outputs": "margin",
                "reference": "probability",
            }
        },
        "training": {"more": {"epochs": 3, "learning_rate": 0.001}},
        "variants": {
            "original": {"import_torch": {"training": "more"}},
            "pruned": {
                "from": "original",
                "prune": {"method": "global_magnitude", "sparsity": 0.5, "finetune": {"epochs": 3}},
            },
            "student": {
                "from": "original",
                "distill": {
                    "method": "soft_labels",
                    "student": {"architecture": "mlp", "hidden": [8]},
                    "finetune": {"epochs": 60, "learning_rate": 0.01},
                },
            },
            "small": {"from": "pruned", "quantize": {"method": "weight_only"}},
        },
        "grid": [{"dataset": "rows", "models": ["net"], "variants": ["original", "pruned", "student", "small"]}],
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    made = "results/net/seed-0/rows/none/net"
    files = [f"{made}/{name}/onnxruntime/predictions.parquet" for name in study["variants"]]
    Run(tmp_path).snakemake("study.yaml", *files)
    facts = json.loads((tmp_path / made / "original/import.json").read_text())
    assert facts["largest_difference"] < 1e-5 and facts["verdict"] == "as the original"
    about = json.loads((tmp_path / made / "pruned/model.json").read_text())
    assert about["sparsity"]["all"] == pytest.approx(0.5, abs=0.01) and about["imported"]
    accuracy = {}
    for name in study["variants"]:
        rows = pd.read_parquet(tmp_path / made / name / "onnxruntime/predictions.parquet")
        accuracy[name] = (rows["prediction"] == rows["label"]).mean()
    assert accuracy["original"] > 0.9 and accuracy["pruned"] > 0.85 and accuracy["student"] > 0.8, accuracy
