"""Products of files are counted as torch counts them, for every type of the weights; what is unknown stays unknown."""

import io
from pathlib import Path

import numpy as np
import onnx
import onnxruntime.capi.onnxruntime_pybind11_state as bindings
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import GRAPHS, value
from tables import tabular
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from trained_study import Study

from fairweight.core import components
from fairweight.core.formatting import number
from fairweight.inference import load_engine
from fairweight.inference.macs import _COUNTS, macs
from fairweight.inference.model_checks import check, contents
from fairweight.inference.onnx_file import UNKNOWN, operators, read_signature
from fairweight.inference.operator_kinds import (
    CONTRIB,
    CONTROL_FLOW,
    ELEMENTWISE,
    FLOAT_OPERATORS,
    INTEGER_OPERATORS,
    UNCOUNTED,
    UNCOUNTED_ML,
    Kind,
    kind,
)
from fairweight.training.model_inputs import ModelInputs


class Last(nn.Module):
    """A recurrent layer over the features of a row, and a linear layer of its last output."""

    def __init__(self, layer, width, classes):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.layer(x.unsqueeze(-1))[0][:, -1])


class Channels(nn.Sequential):
    def forward(self, x):
        return super().forward(x.unsqueeze(1))


class Attention(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.embed, self.head = nn.Linear(1, 16), nn.Linear(16, classes)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x):
        x = self.embed(x.unsqueeze(-1))
        return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))


class Contraction(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.weights, self.head = nn.Parameter(torch.randn(features, 5, 4)), nn.Linear(20, classes)

    def forward(self, x):
        return self.head(torch.einsum("nf,fab->nab", x, self.weights).flatten(1))


class Twice(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.first, self.middle, self.head = nn.Linear(features, 16), nn.Linear(16, 16), nn.Linear(16, classes)

    def forward(self, x):
        return self.head(torch.relu(self.middle(torch.relu(self.middle(torch.relu(self.first(x)))))))


BODIES = {
    "gru": lambda f, c: Last(nn.GRU(1, 16, batch_first=True), 16, c),
    "lstm": lambda f, c: Last(nn.LSTM(1, 16, batch_first=True, bidirectional=True), 32, c),
    "rnn": lambda f, c: Last(nn.RNN(1, 16, num_layers=2, batch_first=True), 16, c),
    "convolution": lambda f, c: Channels(
        nn.Conv1d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv1d(8, 8, 3, padding=1, groups=2),
        nn.Flatten(),
        nn.Linear(8 * f, c),
    ),
    "transposed": lambda f, c: Channels(
        nn.Conv1d(1, 8, 3, padding=1),
        nn.ConvTranspose1d(8, 4, 3, stride=2),
        nn.Flatten(),
        nn.Linear(4 * (2 * f + 1), c),
    ),
    "attention": Attention,
    "contraction": Contraction,
    "twice": Twice,
}
F = 9  # features of a row: two numbers, and levels of the categories


def build(features, classes, *, body):
    return BODIES[body](features[0], classes)


@pytest.fixture(scope="module", params=BODIES)
def study(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        architecture = {"architecture": "test_macs:build", "body": request.param}
        made = Study(tmp_path_factory.mktemp("study"), tabular(200), architecture)
        made.trained = made.train(epochs=1)
        made.export()
        yield made


def by_torch(body):
    """Multiply-accumulate operations of one row, by torch's own counter: two of its operations each."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        body(torch.zeros(1, F))
    return counter.get_total_flops() // 2


BY_HAND = {  # layers that torch runs in one native operator, which it does not count
    "attention": F * 16 + F * 16 * 3 * 16 + 2 * F * F * 16 + F * 16 * 16 + 16 * 2,
    "gru": F * 3 * 16 * (1 + 16) + 16 * 2,
    "lstm": F * 2 * 4 * 16 * (1 + 16) + 32 * 2,
    "rnn": F * 16 * (1 + 16) + F * 16 * (16 + 16) + 16 * 2,
}


def test_the_products_of_a_file(study):
    body = study.architecture["body"]
    expected = BY_HAND.get(body) or by_torch(study.trained.body)
    assert macs(onnx.load(study.path("dense.onnx"))) == expected > 0


METHODS = {
    "float16": {},
    "bfloat16": {},
    "auto": {},
    "weight_only": {"bits": 4, "block": 16},
    "static": {"calibration_rows": 64, "per_channel": True, "ranges": "minmax", "reduce_range": False},
}


@pytest.mark.parametrize("method", METHODS)
def test_narrower_files_are_counted_like_their_parents(study, method):
    if method == "float16" and study.architecture["body"] == "attention":
        pytest.skip("onnxruntime crashes on it")
    path, _ = study.quantize(method, method=method, **METHODS[method])
    before, after = onnx.load(study.path("dense.onnx")), onnx.load(path)
    assert macs(after) == macs(before)
    assert contents(after)["parameters"] == contents(before)["parameters"]


def test_the_recurrent_network_of_seven_features():
    body = Last(nn.GRU(1, 16, batch_first=True), 16, 2)
    assert macs(exported(body, 7)) == 5744


def exported(body, features):
    """ONNX graph of a body with a free number of rows."""

    content = io.BytesIO()
    example = torch.zeros(2, features)
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "rows"}, "y": {0: "rows"}}}
    torch.onnx.export(body.eval(), (example,), content, dynamo=False, opset_version=20, **names)
    return onnx.load_model_from_string(content.getvalue())


@pytest.mark.parametrize(("body", "operators_in_float"), [("gru", 1), ("lstm", 0)])
def test_recurrent_layers_in_float_are_no_integer_products(body, operators_in_float, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    study = Study(tmp_path, tabular(200), {"architecture": "test_macs:build", "body": body})
    study.train(epochs=1)
    study.export()
    path, report = study.quantize("auto", method="auto")
    assert report["float_operators"] == operators_in_float and report["verdict"] == "partly quantized"
    assert any("layer" in name or "GRU" in name for name in report["float_matrices"]) == bool(operators_in_float)
    run = load_engine.load("onnxruntime", path, threads=1)
    inputs = ModelInputs.from_rows(read_signature(path), study.table)
    checks = check(path, run, inputs, inputs.outputs(run, 64), engine="onnxruntime", batch_size=64)
    assert checks["integer_share"] == (0.5 if operators_in_float else 1)


# ---- graphs by hand


def model(nodes, tensors, inputs, output=(1,), **changes):
    graph = helper.make_graph(
        nodes,
        "g",
        inputs,
        [onnx.ValueInfoProto(name="y") if output is None else value("y", *output)],
        [numpy_helper.from_array(a, n) for n, a in tensors.items()],
    )
    opsets = [helper.make_opsetid("", changes.get("opset", 21)), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(graph, opset_imports=[*opsets, helper.make_opsetid("ai.onnx.ml", 3)], ir_version=10)


def single(operator, shapes, out, *, domain="", tensors=None, elements=None, **attributes):
    """A graph of one node, whose first inputs have these shapes."""
    names = [*shapes, *(tensors or {})]
    node = helper.make_node(operator, names, ["y"], domain=domain, **attributes)
    inputs = [value(n, *s, element=(elements or {}).get(n, TensorProto.FLOAT)) for n, s in shapes.items()]
    return model([node], tensors or {}, inputs, out)


def A(shape, element=np.float32):  # noqa: N802 - an array of ones
    return np.ones(shape, element)


def product(shape, weights, **about):
    return single("MatMul", {"x": shape}, None, tensors={"w": A(weights)}, **about)


SUMS = {"einsum": b"nsa,nsb->nab", "ellipsis": b"...ik,...kj->...ij", "three": b"ij,jk,kl->il", "sum": b"ij->i"}
UINT8 = {"x": TensorProto.UINT8}
BY_NODE = {
    "matrix": (single("MatMul", {"x": ("rows", 5, 4)}, ("rows", 5, 3), tensors={"w": A((4, 3))}), 60),
    "activations": (single("MatMul", {"x": ("rows", 5, 4), "w": ("rows", 4, 3)}, ("rows", 5, 3)), 60),
    "left": (single("MatMul", {"w": (2, 4), "x": (4, 3)}, (2, 3)), 12),  # the file fixes its two rows
    "two_rows": (single("Gemm", {"x": (2, 4)}, (2, 3), tensors={"w": A((4, 3))}), 12),
    "einsum": (single("Einsum", {"x": ("rows", 6, 4), "z": ("rows", 6, 5)}, None, equation=SUMS["einsum"]), 120),
    "ellipsis": (
        single("Einsum", {"x": ("rows", 2, 3, 4), "z": ("rows", 2, 4, 5)}, None, equation=SUMS["ellipsis"]),
        120,
    ),
    "three": (single("Einsum", {"a": (1, 4), "b": (4, 5), "c": (5, 6)}, None, equation=SUMS["three"]), None),
    "sum": (single("Einsum", {"a": (1, 4)}, None, equation=SUMS["sum"]), 0),
    "image": (
        single("Conv", {"x": ("rows", 4, 6, 6)}, None, tensors={"w": A((8, 2, 3, 3))}, group=2),
        8 * 16 * 18,
    ),
    "integers": (
        single(
            "MatMulInteger",
            {"x": ("rows", 4)},
            None,
            tensors={"w": A((4, 3), np.int8)},
            elements=UINT8,
        ),
        12,
    ),
    "packed": (
        single(
            "MatMulNBits",
            {"x": ("rows", 5, 20)},
            None,
            domain=CONTRIB,
            tensors={"w": A((3, 2, 8), np.uint8), "s": A((3, 2))},
            **{"K": 20, "N": 3, "bits": 4, "block_size": 16},
        ),
        300,
    ),
    "heads": (
        single("MultiHeadAttention", dict.fromkeys("qkv", ("rows", 6, 8)), None, domain=CONTRIB, num_heads=2),
        2 * 6 * 6 * 8,
    ),
    "fused": (
        single(
            "Attention",
            {"x": ("rows", 6, 8)},
            None,
            domain=CONTRIB,
            tensors={"w": A((8, 24)), "b": A(24)},
            num_heads=2,
        ),
        6 * 8 * 24 + 2 * 6 * 6 * 8,
    ),
    "linear": (
        single("LinearRegressor", {"x": ("rows", 4)}, None, domain="ai.onnx.ml", coefficients=[1.0, 2.0, 3.0, 4.0]),
        4,
    ),
    "elementwise": (single("Relu", {"x": ("rows", 4)}, None), 0),
    "uncounted": (single("Det", {"x": ("rows", 4, 4)}, None), None),
    "foreign": (single("Wavelet", {"x": ("rows", 4)}, None, domain="my.own"), None),
    "length": (single("MatMul", {"x": ("rows", "length", 4)}, None, tensors={"w": A((4, 3))}), None),
    "branches": (GRAPHS["in_branches"](), None),
    "loop": (GRAPHS["in_loop"](), None),
}


@pytest.mark.parametrize("case", BY_NODE)
def test_products_of_one_node(case):
    proto, expected = BY_NODE[case]
    assert macs(proto) == expected


def test_a_length_that_the_products_do_not_depend_on():
    nodes = [
        helper.make_node("ReduceMean", ["x", "axis"], ["m"], keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["y"]),
    ]
    proto = model(nodes, {"axis": np.array([1]), "w": A((4, 3))}, [value("x", "rows", "length", 4)], ("rows", 3))
    assert macs(proto) == 12


def test_branches_without_products_count_nothing():
    def branch(operator):
        node = helper.make_node(operator, ["x"], [operator])
        return helper.make_graph([node], operator, [], [value(operator, "rows", 4)])

    nodes = [
        helper.make_node("If", ["c"], ["z"], then_branch=branch("Relu"), else_branch=branch("Neg")),
        helper.make_node("MatMul", ["z", "w"], ["y"]),
    ]
    tensors = {"c": np.array(True), "w": A((4, 3))}
    assert macs(model(nodes, tensors, [value("x", "rows", 4)], ("rows", 3))) == 12


def test_functions_of_a_file_are_looked_into():
    node = helper.make_node("Layer", ["x", "w"], ["y"], domain="my.own")
    product = helper.make_node("MatMul", ["a", "b"], ["c"])
    opset = helper.make_opsetid("", 21)
    function = helper.make_function("my.own", "Layer", ["a", "b"], ["c"], [product], [opset])
    proto = model([node], {"w": A((4, 3))}, [value("x", "rows", 4)], ("rows", 3))
    proto.opset_import.append(helper.make_opsetid("my.own", 1))
    proto.functions.append(function)
    assert macs(proto) == 12


def test_products_inside_branches_and_loops_are_in_the_share_of_integers():
    counts = operators(GRAPHS["in_loop"]().SerializeToString())
    assert sum(counts[name] for name in FLOAT_OPERATORS) == 4 and not counts[UNKNOWN]


def test_every_operator_of_the_installed_packages_is_known_to_multiply_or_not():
    """An operator that a new version adds has to be put into a list, or stays unknown."""
    standard = {s.name: s for s in onnx.defs.get_all_schemas() if s.domain in ("", "ai.onnx.ml")}
    lists = FLOAT_OPERATORS | INTEGER_OPERATORS | UNCOUNTED | UNCOUNTED_ML | CONTROL_FLOW
    suspicious = ("matmul", "conv", "attention", "gemm", "rnn", "gru", "lstm", "einsum", "linear", "svm")
    for name in standard:
        if any(word in name.lower() for word in suspicious) and not name.startswith(
            ("DequantizeLinear", "QuantizeLinear")
        ):
            assert name in lists or name in ("DynamicQuantizeLinear",), name
    contrib = {s.name for s in bindings.get_all_operator_schema() if s.domain == CONTRIB}
    assert contrib >= ELEMENTWISE
    for name in contrib & ELEMENTWISE:
        assert not any(word in name.lower() for word in ("matmul", "conv", "gemm", "attention")), name
    assert set(_COUNTS) <= {*standard, *contrib} and all(kind(name, "") is not Kind.NONE for name in _COUNTS)
    assert kind("Wavelet", "my.own") is kind("MoE", CONTRIB) is kind("NotYetInvented", "") is Kind.UNKNOWN


def test_what_is_unknown_is_not_estimable_in_tables():
    assert number(None, 0) == number(float("nan"), 0) == "not estimable"


@pytest.mark.skipif(components.missing_extra("engines", "openvino") is not None, reason="needs the extra 'openvino'")
def test_files_of_nncf_are_counted_like_their_parents(study):
    path, _ = study.quantize("nncf", method="openvino", calibration_rows=64, preset="performance")
    before, after = onnx.load(study.path("dense.onnx")), onnx.load(path)
    assert macs(after) == macs(before) and contents(after)["parameters"] == contents(before)["parameters"]
