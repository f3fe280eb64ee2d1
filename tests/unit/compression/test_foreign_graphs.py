"""Methods that take an ONNX file alone, on files of other libraries: each works, or says in one sentence why not."""

import re

import numpy as np
import onnx
import pytest
import torch
from foreign_graphs import ORACLES, ROWS, Study, exported, interface, table
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from fairweight.compression.applicable import applicable
from fairweight.compression.foreign_graphs import operator_set
from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.onnx_graph_edits import load_graph
from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.inference.model_checks import contents
from fairweight.inference.onnx_file import read_signature
from fairweight.training.model_inputs import ModelInputs

NETWORKS = ("skl_mlp", "skl_mlp_double", "skl_mlp_labels_opset9")
METHODS = {
    "dynamic": {"method": "dynamic"},
    "static": {"method": "static", "calibration_rows": 64},
    "auto": {"method": "auto"},
    "mixed": {"method": "mixed", "largest_loss": 0.1, "calibration_rows": 64},
    "weights8": {"method": "weight_only"},
    "weights4": {"method": "weight_only", "bits": 4, "block": 16},
    "half": {"method": "float16"},
    "bfloat16": {"method": "bfloat16"},
}
if not components.missing_extra("quantization", "openvino"):
    METHODS["openvino"] = {"method": "openvino", "calibration_rows": 64}
# largest mean distance of probabilities that rounding alone makes
LARGEST = {"weights4": 0.1, "half": 1e-3, "bfloat16": 5e-3, "weights8": 5e-3}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, tmp_path_factory):
    return Study(tmp_path_factory.mktemp(request.param), ORACLES / f"{request.param}.onnx", table(request.param))


def outputs(study, path):
    run = components.load("engines", "onnxruntime")(path, threads=1)
    return ModelInputs.from_rows(read_signature(path), study.table).outputs(run, 64)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_works_on_networks_of_scikit_learn(network, method):
    path, report = network.quantize(method, **METHODS[method])
    original = network.path("original.onnx")
    assert interface(path) == interface(original), "the file cannot replace the original"
    assert 0 < report["output_change"] < LARGEST.get(method, 0.03)
    assert (outputs(network, path).argmax(1) == outputs(network, original).argmax(1)).mean() > 0.9
    assert report["size_ratio"] > 1.2 and report["narrow_weights_share"] > 0.9
    assert report["float_matrices"] == {}
    if method in ("dynamic", "static", "auto"):
        assert report["integer_operators"] == 3 and not report["float_operators"]


@pytest.mark.parametrize("name", ["xgboost_3", "lightgbm_binary", "skl_forest"])
@pytest.mark.parametrize("method", METHODS)
def test_trees_have_no_weights(name, method, tmp_path):
    study = Study(tmp_path, ORACLES / f"{name}.onnx", table(name))
    with pytest.raises(NotApplicable, match=r"variants: v: quantize: .*(none|fewer_trees)") as caught:
        study.quantize("v", **METHODS[method])
    assert str(caught.value).count(". ") == 0 and not (tmp_path / "v.onnx").exists()
    if method == "auto":
        assert "distill" in str(caught.value)


def test_a_file_that_grows_is_no_variant(tmp_path):
    study = Study(tmp_path, ORACLES / "skl_columns.onnx", table("skl_columns"))
    with pytest.raises(NotApplicable, match=r"'dynamic' made the file larger than the original by"):
        study.quantize("v", method="dynamic")


def test_a_narrow_file_is_left_as_it_is(network, tmp_path):
    path, _ = network.quantize("first", method="dynamic")
    with pytest.raises(NotApplicable, match=r"none|left all weights as they were"):
        Study(tmp_path, path, network.table).quantize("v", method="dynamic")


# ---- linear models, and what stands before the first layer


def test_linear_models_of_scikit_learn_are_products(tmp_path):
    source = ORACLES / "skl_logistic_zipmap.onnx"
    study = Study(tmp_path, source, table("skl_logistic_zipmap"))
    proto = load_graph(tmp_path / "original.onnx")
    assert "LinearClassifier" not in {node.op_type for node in proto.graph.node}
    onnx.save(proto, tmp_path / "product.onnx")
    assert np.abs(outputs(study, tmp_path / "product.onnx") - outputs(study, tmp_path / "original.onnx")).max() < 1e-6
    assert interface(tmp_path / "product.onnx") == interface(tmp_path / "original.onnx")


def linear(classes, transform, **changes):
    """A model with random coefficients, of 600 inputs so that its file can become smaller."""
    random = np.random.default_rng(0)
    attributes = {
        "coefficients": random.normal(size=600 * len(classes)).astype(np.float32).tolist(),
        "intercepts": random.normal(size=len(classes)).astype(np.float32).tolist(),
        "post_transform": transform,
        "classlabels_strings" if isinstance(classes[0], str) else "classlabels_ints": classes,
    } | changes
    node = helper.make_node("LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **attributes)
    label = TensorProto.STRING if isinstance(classes[0], str) else TensorProto.INT64
    make = helper.make_tensor_value_info
    returned = [make("label", label, ["n"]), make("scores", TensorProto.FLOAT, ["n", len(classes)])]
    graph = helper.make_graph([node], "g", [make("x", TensorProto.FLOAT, ["n", 600])], returned)
    sets = [helper.make_opsetid("", 9), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=sets, ir_version=4)


def run(path, feeds):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, feeds)


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"])
@pytest.mark.parametrize("classes", [[0, 1], [3, 5, 4], ["a", "b", "c"]])
def test_every_form_of_a_linear_classifier(classes, transform, tmp_path):
    proto, source, edited = linear(classes, transform), tmp_path / "source.onnx", tmp_path / "edited.onnx"
    onnx.save(proto, source)
    onnx.save(load_graph(source), edited)
    feeds = {"x": np.random.default_rng(1).normal(size=(50, 600)).astype(np.float32) / 100}
    for before, after in zip(run(source, feeds), run(edited, feeds), strict=True):
        if before.dtype.kind == "f":
            np.testing.assert_allclose(after, before, atol=2e-6)
        else:
            assert (before == after).all()
    kept = any(node.op_type == "LinearClassifier" for node in onnx.load(edited).graph.node)
    assert kept == (transform in ("SOFTMAX_ZERO", "PROBIT"))
    if not kept:
        components.load("quantization", "weight_only")(source, tmp_path / "q.onnx", None, bits=8, block=32)
        assert (tmp_path / "q.onnx").stat().st_size < 0.5 * source.stat().st_size


def test_one_score_for_two_classes_stays(tmp_path):
    score = {"coefficients": [1.0] * 600, "intercepts": [0.5]}
    onnx.save(linear([0, 1], "LOGISTIC", **score), tmp_path / "source.onnx")
    assert any(node.op_type == "LinearClassifier" for node in load_graph(tmp_path / "source.onnx").graph.node)


class Standardised(nn.Module):
    """Numbers that float16 does not hold, standardised, and two layers."""

    def __init__(self):
        super().__init__()
        self.mean, self.std = nn.Buffer(torch.full((6,), 2e6)), nn.Buffer(torch.full((6,), 1e5))
        self.layers = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))

    def forward(self, x):
        return torch.softmax(self.layers((x - self.mean) / self.std), dim=1)


@pytest.mark.parametrize("dynamo", [False, True])
def test_large_numbers_before_the_first_layer_stay_in_float32(dynamo, tmp_path):
    torch.manual_seed(0)
    x = (2e6 + 1e5 * np.random.default_rng(0).normal(size=(64, 6))).astype(np.float32)
    proto = exported(Standardised(), torch.from_numpy(x[:2]), dynamo=dynamo)
    source, destination = tmp_path / "source.onnx", tmp_path / "half.onnx"
    onnx.save(proto, source)
    assert components.load("quantization", "float16")(source, destination, None) == "float16"
    (name,) = (value.name for value in proto.graph.input)
    before, after = run(source, {name: x})[0], run(destination, {name: x})[0]
    assert np.abs(before - after).max() < 2e-3 and np.ptp(before, axis=0).min() > 0.02
    assert destination.stat().st_size < 0.8 * source.stat().st_size


def test_weights_that_float16_does_not_hold_are_refused(tmp_path):
    proto = exported(nn.Linear(6, 6), torch.zeros(2, 6), dynamo=False)
    for tensor in proto.graph.initializer:
        if len(tensor.dims) == 2:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 1e6, tensor.name))
    onnx.save(proto, tmp_path / "source.onnx")
    with pytest.raises(InputError, match=r"float16 holds numbers up to 65,504, and a weight of .* use 'bfloat16'"):
        components.load("quantization", "float16")(tmp_path / "source.onnx", tmp_path / "half.onnx", None)


# ---- layers that onnxruntime's quantizers skip


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 32, 3)
        self.back, self.last = nn.ConvTranspose2d(32, 8, 2), nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.back(torch.relu(self.second(torch.relu(self.first(x))))))
        return torch.softmax(self.last(x.mean((2, 3))), dim=1)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.gru, self.last = nn.LSTM(4, 48, batch_first=True), nn.GRU(48, 24), nn.Linear(24, 3)

    def forward(self, x):
        return torch.softmax(self.last(self.gru(self.lstm(x)[0])[0][:, -1]), dim=1)


class Multiplying(nn.Module):
    """Einsum, and an addmm with factors."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(24, 32)), nn.Parameter(torch.randn(32, 48))
        self.c, self.last = nn.Parameter(torch.randn(48)), nn.Linear(48, 3)

    def forward(self, x):
        x = torch.relu(torch.einsum("nj,jk->nk", x, self.a))
        return torch.softmax(self.last(torch.addmm(self.c, x, self.b, alpha=0.3, beta=0.5)), dim=1)


BODIES = {Convolutional: (1, 12, 12), Recurrent: (5, 4), Multiplying: (24,)}


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("body", BODIES)
def test_weights_of_all_layers_are_stored_in_8_bits(body, dynamo, tmp_path):
    torch.manual_seed(0)
    x = torch.randn(2, *BODIES[body])  # the number of rows of an example: torch fixes it for recurrent layers
    proto = exported(body(), x, dynamo=dynamo)
    source, destination = tmp_path / "source.onnx", tmp_path / "narrow.onnx"
    onnx.save(proto, source)
    components.load("quantization", "weight_only")(source, destination, None, bits=8, block=32)
    (name,) = (value.name for value in proto.graph.input)
    before, after = run(source, {name: x.numpy()})[0], run(destination, {name: x.numpy()})[0]
    assert 0 < np.abs(before - after).max() < 0.02
    narrow = onnx.load(destination)
    floats = [t for t in narrow.graph.initializer if t.data_type == 1]
    wide = [t.name for t in floats if sorted([1, 1, *t.dims])[-2] > 4 and np.prod(t.dims) > 120]
    assert not wide, "a matrix or kernel stays in float"
    assert destination.stat().st_size < 0.6 * source.stat().st_size
    counted = contents(narrow)["parameters"]
    assert counted == pytest.approx(contents(proto)["parameters"], abs=2), "scales are counted as parameters"


def test_constants_of_every_form_are_weights(tmp_path):
    """A Constant node with a tensor, a sparse one, and doubles."""
    torch.manual_seed(0)
    proto = exported(nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64)), torch.zeros(2, 6), dynamo=False)
    x = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    onnx.save(proto, tmp_path / "source.onnx")
    expected = run(tmp_path / "source.onnx", {"input": x})[0]
    first, *others = [t for t in proto.graph.initializer if len(t.dims) == 2]
    made = [helper.make_node("Constant", [], [first.name], value=first)]
    values = numpy_helper.to_array(others[0])
    indices = numpy_helper.from_array(np.arange(values.size), "indices")
    sparse = helper.make_sparse_tensor(numpy_helper.from_array(values.reshape(-1), "values"), indices, values.shape)
    made.append(helper.make_node("Constant", [], [others[0].name], sparse_value=sparse))
    kept = [t for t in proto.graph.initializer if len(t.dims) != 2]
    every = [*made, *proto.graph.node]
    del proto.graph.initializer[:], proto.graph.node[:]
    proto.graph.initializer.extend(kept)
    proto.graph.node.extend(every)
    onnx.save(proto, tmp_path / "constants.onnx")
    for method, options in (("dynamic", {"per_channel": True, "reduce_range": False}), ("bfloat16", {})):
        components.load("quantization", method)(tmp_path / "constants.onnx", tmp_path / "q.onnx", None, **options)
        assert np.abs(run(tmp_path / "q.onnx", {"input": x})[0] - expected).max() < 0.05
        assert not [t for t in onnx.load(tmp_path / "q.onnx").graph.initializer if t.data_type == 1 and len(t.dims) > 1]


# ---- old operators, fixed numbers of rows


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 21])
def test_old_operators_are_converted(opset, tmp_path):
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.Flatten())
    body.append(nn.Sequential(nn.Linear(32 * 9, 32), nn.ReLU(), nn.Linear(32, 3), nn.Softmax(dim=1)))
    x = np.random.default_rng(0).normal(size=(64, 1, 12, 12)).astype(np.float32)
    proto = exported(body, torch.from_numpy(x[:2]), dynamo=False, opset=opset)
    source, destination = tmp_path / "source.onnx", tmp_path / "int8.onnx"
    onnx.save(proto, source)
    assert operator_set(proto) == opset and operator_set(load_graph(source)) == max(opset, 13)
    static = components.load("quantization", "static")
    options = {"calibration_rows": 64, "per_channel": True, "ranges": "minmax", "reduce_range": False}
    static(source, destination, lambda rows: [{"input": x}], **options)
    assert np.abs(run(source, {"input": x})[0] - run(destination, {"input": x})[0]).max() < 0.05
    assert destination.stat().st_size < 0.4 * source.stat().st_size


def test_one_row_a_call(tmp_path):
    torch.manual_seed(0)
    proto = exported(nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64)), torch.zeros(2, 6), dynamo=False)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    source, destination = tmp_path / "source.onnx", tmp_path / "int8.onnx"
    onnx.save(proto, source)
    x = np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)
    options = {"calibration_rows": 64, "per_channel": True, "ranges": "minmax", "reduce_range": False}
    components.load("quantization", "static")(source, destination, lambda rows: [{"input": x}], **options)
    assert np.abs(run(source, {"input": x[:1]})[0] - run(destination, {"input": x[:1]})[0]).max() < 0.05


def test_static_int8_takes_a_scaler_and_a_network(tmp_path):
    """As skl2onnx writes the pipeline StandardScaler, MLPClassifier; onnxruntime's own pre-processing fails on it."""
    proto = onnx.load(ORACLES / "skl_mlp.onnx")
    (value,) = proto.graph.input
    width = value.type.tensor_type.shape.dim[1].dim_value
    for node in proto.graph.node:
        node.input[:] = ["scaled" if name == value.name else name for name in node.input]
    scaler = helper.make_node(
        "Scaler", [value.name], ["scaled"], domain="ai.onnx.ml", offset=[0.5] * width, scale=[2.0] * width
    )
    proto.graph.node.insert(0, scaler)
    onnx.save(proto, tmp_path / "scaled.onnx")
    study = Study(tmp_path, tmp_path / "scaled.onnx", table("skl_mlp"))
    path, report = study.quantize("static", method="static", calibration_rows=64)
    assert report["integer_operators"] == 3 and not report["float_operators"]
    assert 0 < report["output_change"] < 0.03 and interface(path) == interface(study.path("original.onnx"))


# ---- which methods apply


def applies(name):
    return {c.name: c.reason is None for c in applicable(ORACLES / f"{name}.onnx")}


def test_which_methods_apply():
    trees = {"trees50": True, "trees25": True, "int8": False}
    assert applies("xgboost_3") == applies("skl_forest") == trees
    every = dict.fromkeys(("int8", "weights8", "weights4", "half", "zeros50"), True)
    for name in NETWORKS:
        assert applies(name) == every
    assert applies("skl_columns") == dict.fromkeys(every, False) | {"zeros50": True}
    (reason,) = (c.reason for c in applicable(ORACLES / "skl_columns.onnx") if c.name == "int8")
    grown = re.search(
        r"larger than the original by ([\d.]+) kB \(([\d.]+) kB from ([\d.]+) kB\), because weights take ([\d.]+) kB "
        r"less, and operators, scales and names take ([\d.]+) kB more",
        reason,
    )
    by, after, before, saved, added = map(float, grown.groups())
    assert before == pytest.approx((ORACLES / "skl_columns.onnx").stat().st_size / 1000, abs=0.1)
    assert by == pytest.approx(after - before, abs=0.11) == pytest.approx(added - saved, abs=0.11) and saved > 0


@pytest.mark.parametrize("name", ["skl_mlp", "xgboost_3"])
def test_what_applies_can_be_made(name, tmp_path):
    study = Study(tmp_path, ORACLES / f"{name}.onnx", table(name))
    for candidate in applicable(ORACLES / f"{name}.onnx"):
        if candidate.reason is None:
            options = {"trees": None} if candidate.recipe["method"] == "fewer_trees" else {}
            make = study.quantize if candidate.operation == "quantize" else study.prune
            path, report = make(candidate.name, **options, **candidate.recipe)
            assert report["method"] and np.isfinite(outputs(study, path)).all()


def test_pruned_files_are_quantized(network):
    study = network
    path, report = study.prune("zeros", method="magnitude", sparsity=0.5)
    assert report["sparsity"]["all"] == pytest.approx(0.5, abs=0.01) and "no smaller" in report["verdict"]
    assert report["size_ratio"] == pytest.approx(1, abs=0.001) and interface(path) == interface(
        study.path("original.onnx")
    )
    quantized, _ = study.quantize("both", parent="zeros", method="weight_only")
    sparse = contents(onnx.load(quantized))["layer_sparsity"].values()
    assert sum(share > 0.45 for share in sparse) >= 2
    with pytest.raises(NotApplicable, match="variants: again: prune_onnx: method 'magnitude' left the model as it was"):
        study.prune("again", parent="zeros", method="magnitude", sparsity=0.5)


def test_fewer_trees_of_an_imported_file(tmp_path):
    study = Study(tmp_path, ORACLES / "lightgbm_binary.onnx", table("lightgbm_binary"))
    path, report = study.prune(method="fewer_trees", share=0.5, trees=5)
    np.testing.assert_allclose(outputs(study, path), ROWS["lightgbm_binary"], atol=2e-6)
    assert report["size_ratio"] > 2 and interface(path) == interface(tmp_path / "original.onnx")


# ---- convolutions


def convolutions(shared):
    """Three convolutions with the kernels of Keras, (height, width, in, out), that the graph transposes."""
    random = np.random.default_rng(0)
    sizes = [(3, 3, 1, 32), (3, 3, 32, 32), (3, 3, 32, 32)]
    kernels = {f"k{i}": (random.normal(size=size) / 12).astype(np.float32) for i, size in enumerate(sizes)}
    nodes, last = [], "x"
    for i in range(3):
        kernel = f"k{min(i, 1) if shared else i}"
        perm = [2, 3, 0, 1] if shared and i == 2 else [3, 2, 0, 1]
        nodes += [
            helper.make_node("Transpose", [kernel], [f"t{i}"], perm=perm),
            helper.make_node("Conv", [last, f"t{i}"], [f"c{i}"]),
            helper.make_node("Relu", [f"c{i}"], [f"r{i}"]),
        ]
        last = f"r{i}"
    nodes += [helper.make_node("Flatten", [last], ["flat"]), helper.make_node("Gemm", ["flat", "d"], ["y"])]
    kernels["d"] = (random.normal(size=(32 * 4 * 4, 10)) / 20).astype(np.float32)
    tensors = [
        numpy_helper.from_array(values, name) for name, values in kernels.items() if not (shared and name == "k2")
    ]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 1, 10, 10])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 10])
    graph = helper.make_graph(nodes, "graph", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("method", ["dynamic", "static", "weight_only", "float16"])
def test_kernels_that_the_graph_transposes_are_quantized(method, tmp_path):
    """onnxruntime quantized them in every call, and the file kept them in float."""
    source, destination = tmp_path / "source.onnx", tmp_path / "narrow.onnx"
    onnx.save(convolutions(shared=False), source)
    x = np.random.default_rng(1).normal(size=(64, 1, 10, 10)).astype(np.float32)
    options = {n: o["default"] for n, o in components.options("quantization", method).items() if "default" in o}
    supplied = () if method == "float16" else (lambda rows: [{"x": x[:rows]}],)
    components.load("quantization", method)(source, destination, *(supplied or (None,)), **options)
    assert np.abs(run(source, {"x": x})[0] - run(destination, {"x": x})[0]).max() < 0.1
    assert destination.stat().st_size < (0.6 if method == "float16" else 0.4) * source.stat().st_size


def test_a_kernel_that_two_layers_read_in_two_forms_stays_in_float(tmp_path):
    source, destination = tmp_path / "source.onnx", tmp_path / "narrow.onnx"
    onnx.save(convolutions(shared=True), source)
    components.load("quantization", "dynamic")(source, destination, None, per_channel=True, reduce_range=False)
    x = np.random.default_rng(1).normal(size=(64, 1, 10, 10)).astype(np.float32)
    assert np.abs(run(source, {"x": x})[0] - run(destination, {"x": x})[0]).max() < 0.1
    proto = onnx.load(destination)
    stored = {tensor.name for tensor in proto.graph.initializer}
    quantized = [node for node in proto.graph.node if node.op_type in ("ConvInteger", "MatMulInteger")]
    assert len(quantized) == 2 and all(node.input[1] in stored for node in quantized), "quantized in every call"
    assert destination.stat().st_size < source.stat().st_size
