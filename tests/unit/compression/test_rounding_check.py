"""A quantized file whose predictions change more than rounding explains is refused, and any healthy one passes."""

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from onnx_graphs import GRAPHS, feeds
from tables import tabular
from torch import nn
from trained_study import Study

from fairweight.compression import rounding_check
from fairweight.compression.rounding_check import check_function
from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.training.model_inputs import ModelInputs

STATIC = {"calibration_rows": 256, "per_channel": True, "reduce_range": False}
METHODS = {
    "int4": ("weight_only", {"bits": 4, "block": 128}),
    "int8_activations": ("weight_only", {"bits": 4, "block": 32, "activations": "int8"}),
    "static": ("static", STATIC | {"ranges": "minmax"}),
    "percentile": ("static", STATIC | {"ranges": "percentile"}),
    "dynamic": ("dynamic", {"per_channel": False, "reduce_range": True}),
    "float16": ("float16", {}),
    "bfloat16": ("bfloat16", {}),
}
if not components.missing_extra("quantization", "openvino"):
    METHODS["openvino"] = ("openvino", {"calibration_rows": 256, "preset": "mixed"})


class Transformer(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.embed, self.head = nn.Linear(1, 16), nn.Linear(16, classes)
        self.place = nn.Parameter(0.3 * torch.randn(features, 16))
        layers = [nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True) for _ in range(2)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.head(self.layers(self.embed(x.unsqueeze(-1)) + self.place).mean(1))


class Residual(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.first = nn.Conv1d(1, 8, 3, padding=1)
        self.blocks = nn.ModuleList([nn.Conv1d(8, 8, 3, padding=1) for _ in range(4)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(8) for _ in range(4)])
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        x = torch.relu(self.first(x.unsqueeze(1)))
        for block, norm in zip(self.blocks, self.norms, strict=True):
            x = torch.relu(x + norm(block(x)))
        return self.head(x.mean(-1))


class Recurrent(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.lstm, self.gru = nn.LSTM(1, 12, batch_first=True, bidirectional=True), nn.GRU(24, 12, batch_first=True)
        self.head = nn.Linear(12, classes)

    def forward(self, x):
        return self.head(self.gru(self.lstm(x.unsqueeze(-1))[0])[0][:, -1])


BODIES = {body.__name__: body for body in (Transformer, Residual, Recurrent)}


def build(features, classes, *, body):
    return BODIES[body](features[0], classes)


@pytest.fixture(scope="module", params=BODIES)
def study(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(__file__.rsplit("/", 1)[0])
        made = Study(
            tmp_path_factory.mktemp("study"),
            tabular(800, classes=3),
            {"architecture": "test_rounding_check:build", "body": request.param},
        )
        made.train(epochs=6)
        made.export()
        yield made


@pytest.mark.parametrize("method", METHODS)
def test_healthy_files_pass_even_if_every_change_has_to_be_explained(study, method, monkeypatch):
    monkeypatch.setattr(rounding_check, "UNNOTICED", 0.003)
    name, options = METHODS[method]
    _, report = study.quantize(method, method=name, **options)
    if report["output_change"] > 0.003:
        assert report["unexplained_change"] <= report["explained_limit"]
    if method == "int4":  # whose own error is large, and known to the last digit
        assert report["output_change"] > 0.003 > 3 * report["unexplained_change"]


# ---- faults

MODULE = """
import numpy as np
import onnx
from onnx import numpy_helper
from fairweight.api import quantize_file
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer


def transposed_for_each_node(source, destination, calibration):
    # the weights of a layer that runs twice are transposed twice
    proto = onnx.load(str(source))
    tensors, made = {{t.name: t for t in proto.graph.initializer}}, []
    for node in proto.graph.node:
        if node.op_type != "Gemm":
            made.append(node)
            continue
        weight = tensors[node.input[1]]
        weight.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(weight).T), weight.name))
        made.append(onnx.helper.make_node("MatMul", node.input[:2], [node.output[0] + ".product"], name=node.name))
        made.append(onnx.helper.make_node("Add", [node.output[0] + ".product", node.input[2]], [node.output[0]]))
    del proto.graph.node[:]
    proto.graph.node.extend(made)
    config = DefaultWeightOnlyQuantConfig(block_size=16, is_symmetric=True, bits={bits})
    quantizer = MatMulNBitsQuantizer(proto, algo_config=config)
    quantizer.process()
    onnx.save(quantizer.model.model, str(destination))
    return "faulty"


def swaps_two_classes(source, destination, calibration):
    return _changed(source, destination, calibration, lambda w: w[[1, 0, *range(2, len(w))]] if len(w) == 3 else w)


def reverses_one_layer(source, destination, calibration):
    return _changed(source, destination, calibration, lambda w: w[::-1] if w.shape == (16, 16) else w)


def _changed(source, destination, calibration, change):
    proto = onnx.load(str(source))
    for tensor in proto.graph.initializer:
        if len(tensor.dims) == 2:
            array = np.ascontiguousarray(change(numpy_helper.to_array(tensor)))
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    changed = destination.with_name("changed.onnx")
    onnx.save(proto, str(changed))
    quantize_file(changed, destination, calibration(64))
    return "faulty"
"""


class Twice(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(features, 16), nn.Linear(16, 16), nn.Linear(16, classes)

    def forward(self, x):
        return self.out(torch.relu(self.b(torch.relu(self.b(torch.relu(self.a(x)))))))


BODIES["Twice"] = Twice


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("fault", ["transposed_for_each_node", "swaps_two_classes", "reverses_one_layer"])
def test_files_that_compute_another_function_are_refused(fault, bits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, __file__.rsplit("/", 1)[0]):
        monkeypatch.syspath_prepend(str(folder))
    (tmp_path / f"faults{bits}.py").write_text(MODULE.format(bits=bits))
    architecture = {"architecture": "test_rounding_check:build", "body": "Twice"}
    study = Study(tmp_path, tabular(600, classes=3), architecture)
    study.train(epochs=6)
    study.export()
    with pytest.raises(InputError, match=r"^variants: int8: quantize: predictions are lost: they change") as error:
        study.quantize(method=f"faults{bits}:{fault}")
    assert "\n" not in str(error.value) and str(error.value).endswith("choose another one.")
    assert not (tmp_path / "int8.onnx").exists() and not (tmp_path / "int8.quantize.json").exists()


def engine(path):
    return components.load("engines", "onnxruntime")(path, threads=1)


def checked(parent, quantized, folder):
    for name, proto in (("parent", parent), ("quantized", quantized)):
        onnx.save(proto, str(folder / f"{name}.onnx"))
    path, inputs = folder / "quantized.onnx", ModelInputs(feeds(parent, 256))
    return check_function(folder / "parent.onnx", path, engine(path), inputs, likelihoods=False)


def changed(proto, name, change):
    """A copy of a graph with another initializer."""
    copied = onnx.ModelProto.FromString(proto.SerializeToString())
    tensor = next(t for t in copied.graph.initializer if t.name == name)
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)).astype(np.float32), name))
    return copied


def test_a_change_of_one_tensor_is_explained_only_by_rounding(tmp_path):
    parent = GRAPHS["layer_twice"]()
    coarse = changed(parent, "W", lambda w: np.round(w / 0.4) * 0.4)
    report = checked(parent, coarse, tmp_path)
    assert report["output_change"] > 0.05 and report["unexplained_change"] < 1e-6
    for change in (lambda w: w.T, lambda w: -w, lambda w: w[:, ::-1], lambda w: 1.5 * w, np.zeros_like):
        with pytest.raises(InputError, match="predictions are lost"):
            checked(parent, changed(parent, "W", change), tmp_path)
    with pytest.raises(InputError, match="predictions are lost"):  # a bias is part of the function
        checked(parent, changed(parent, "b", lambda b: b + 1), tmp_path)


def test_weights_in_a_form_that_cannot_be_read_may_be_rounded_to_few_bits(tmp_path):
    parent = GRAPHS["layer_twice"]()

    def hidden(proto):
        tensor = next(t for t in proto.graph.initializer if t.name == "W")
        tensor.CopyFrom(numpy_helper.from_array(np.exp(numpy_helper.to_array(tensor)), "W.exp"))
        proto.graph.node.insert(0, helper.make_node("Log", ["W.exp"], ["W"], name="hidden"))
        return proto

    def rounded(w):
        return np.round(w / 0.1) * 0.1

    report = checked(parent, hidden(changed(parent, "W", rounded)), tmp_path)
    assert 0.01 < report["unexplained_change"] == report["output_change"] < report["explained_limit"]
    with pytest.raises(InputError, match="predictions are lost"):
        checked(parent, hidden(changed(parent, "W", lambda w: w.T)), tmp_path)


def test_outputs_that_are_not_numbers(tmp_path):
    parent = GRAPHS["layer_twice"]()
    with pytest.raises(InputError, match="outputs are not numbers for some validation rows"):
        checked(parent, changed(parent, "b", lambda b: b * np.nan), tmp_path)


TRAINS = """
from fairweight.api import quantize_file


def mine(source, destination, calibration, *, network, export):
    network.train({}, 6, learning_rate=0.05)
    trained = destination.with_name("trained.onnx")
    export(trained)
    quantize_file(trained, destination, calibration(64))
    return "mine"
"""


def test_a_method_that_trains_is_compared_with_what_it_has_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "trains_more.py").write_text(TRAINS)
    study = Study(tmp_path, tabular(400))
    study.train(epochs=1, learning_rate=1e-4)
    study.export()
    path, report = study.quantize(method="trains_more:mine")
    outputs = [study_run(file, study) for file in (study.path("dense.onnx"), path)]
    assert np.abs(outputs[0] - outputs[1]).mean() > 0.1 > report["output_change"]


def study_run(path, study):
    inputs = {"numeric": study.table.numeric, "categorical": study.table.categorical}
    return engine(path)(inputs)
