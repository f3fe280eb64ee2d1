"""Checks of a file take what it has returned already, where running the first rows again would return the same."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from tables import tabular
from trained_study import Study

from fairweight.inference import load_engine
from fairweight.inference.model_checks import ROWS, check, contents, stored
from fairweight.inference.onnx_file import read_signature
from fairweight.training.model_inputs import ModelInputs


@pytest.mark.parametrize(("size", "again"), [(64, False), (256, False), (100, True), (400, True)])
def test_rows_are_run_again_only_where_the_calls_would_be_other_ones(tmp_path, size, again):
    study = Study(tmp_path, tabular(600))
    study.train(epochs=1)
    study.export()
    # whose results depend on the rows of the same call
    path, _ = study.quantize(method="dynamic", per_channel=True, reduce_range=False)
    run, calls = load_engine.load("onnxruntime", path, threads=1), []

    def counted(feeds):
        calls.append(len(next(iter(feeds.values()))))
        return run(feeds)

    inputs = ModelInputs.from_rows(read_signature(path), study.table)
    about = {"engine": "onnxruntime", "batch_size": size}
    checks = check(path, counted, inputs, inputs.outputs(run, size), **about)
    assert sum(calls) == (2 * ROWS if again else ROWS) and calls.count(1) == ROWS
    some = ModelInputs(inputs.at(slice(0, ROWS)))
    assert checks == check(path, run, some, some.outputs(run, size), **about)


def test_few_rows_may_be_asked_for(tmp_path):
    study = Study(tmp_path, tabular(100))
    study.train(epochs=1)
    path = study.export()
    run = load_engine.load("onnxruntime", path, threads=1)
    inputs = ModelInputs.from_rows(read_signature(path), study.table)
    checks = check(path, run, inputs, inputs.outputs(run, 2), engine="onnxruntime", batch_size=2, rows=4)
    assert checks["checked_rows"] == 4


@pytest.mark.parametrize("bits", [4, 8])
def test_packed_weights_are_counted_one_by_one(tmp_path, bits):
    study = Study(tmp_path, tabular(100))
    study.train(epochs=1)
    path = study.export()
    proto = onnx.load(path)
    weights = {t.name: numpy_helper.to_array(t).copy() for t in proto.graph.initializer if t.name.startswith("body")}
    for name, array in weights.items():
        if array.ndim == 2:
            array[:, ::2] = 0
            next(t for t in proto.graph.initializer if t.name == name).CopyFrom(numpy_helper.from_array(array, name))
    onnx.save(proto, path)
    before = contents(proto)
    packed, report = study.quantize(method="weight_only", bits=bits, block=16)
    after = contents(onnx.load(packed))
    assert after["parameters"] == before["parameters"]
    assert 0.9 * before["nonzero_weights"] < after["nonzero_weights"] <= before["nonzero_weights"]
    matrices = sum(array.size for array in weights.values() if array.ndim == 2)
    assert report["integer_weights_share"] == pytest.approx(matrices / before["parameters"])


def test_the_last_layer_of_a_classifier_has_bits_of_its_own(tmp_path):
    study = Study(tmp_path, tabular(100))
    study.train(epochs=1)
    study.export()
    path, report = study.quantize(method="weight_only", bits=4, head_bits=8, block=16)
    bits = [a.i for node in onnx.load(path).graph.node for a in node.attribute if a.name == "bits"]
    assert bits == [4, 4, 8] and "last layer int8" in report["method"]


def test_packed_weights_with_a_stated_zero():
    weights, points = np.arange(32, dtype=np.uint8) % 16, np.array([3, 5], np.uint8)
    packed = (weights[::2] | weights[1::2] << 4).reshape(1, 2, 8)
    tensors = {"w": packed, "s": np.ones(2, np.float32), "z": points[:1] | points[1:] << 4}
    node = helper.make_node("MatMulNBits", ["x", "w", "s", "z"], ["y"], bits=4, block_size=16, K=20, N=1)
    graph = helper.make_graph([node], "g", [], [], [numpy_helper.from_array(a, n) for n, a in tensors.items()])
    arrays = stored(helper.make_model(graph))
    assert list(arrays) == ["w"] and arrays["w"].tolist() == [[*range(-3, 13), -5, -4, -3, -2]]


@pytest.mark.parametrize(
    ("activations", "share", "verdict"), [("float32", 0, "weights only"), ("int8", 1, "quantized")]
)
def test_products_of_packed_weights_are_of_integers_only_where_their_inputs_are_rounded(
    tmp_path, activations, share, verdict
):
    study = Study(tmp_path, tabular(100), {"architecture": "mlp", "hidden": [512, 512]})
    study.train(epochs=1)
    study.export()
    path, report = study.quantize(method="weight_only", block=32, bits=8, activations=activations)
    assert report["verdict"] == verdict and report["integer_operators"] == 3 * share
    run = load_engine.load("onnxruntime", path, threads=1)
    inputs = ModelInputs.from_rows(read_signature(path), study.table)
    checks = check(path, run, inputs, inputs.outputs(run, 2), engine="onnxruntime", batch_size=2)
    assert checks["integer_share"] == share
