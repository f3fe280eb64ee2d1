"""Quantizers keep the function of a graph whose stored tensors have several users, or are stored in unusual ways."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx_graphs import GRAPHS, feeds
from tables import tabular
from torch import nn
from trained_study import Study, run

from fairweight.compression.onnx_graph_edits import gemm_to_matmul, load_graph, merge_copies, separate_uses
from fairweight.compression.rounding_check import check_function
from fairweight.core import components
from fairweight.inference.model_checks import contents
from fairweight.training.model_inputs import ModelInputs

STATIC = {"calibration_rows": 64, "ranges": "minmax", "reduce_range": False}
METHODS = {
    "weight_only_int4": ("weight_only", {"bits": 4, "block": 16}),
    "weight_only_int8": ("weight_only", {"bits": 8, "block": 32}),
    "weight_only_head": ("weight_only", {"bits": 4, "block": 16, "head_bits": 8, "activations": "int8"}),
    "static": ("static", {**STATIC, "per_channel": True}),
    "static_per_tensor": ("static", {**STATIC, "per_channel": False}),
    "dynamic": ("dynamic", {"per_channel": True, "reduce_range": False}),
    "auto": ("auto", {}),
    "mixed": ("mixed", {"largest_loss": 0.2, "calibration_rows": 64}),
    "float16": ("float16", {}),
    "bfloat16": ("bfloat16", {}),
}
if not components.missing_extra("quantization", "openvino"):
    METHODS["openvino"] = ("openvino", {"calibration_rows": 64, "preset": "performance"})
# what rounding alone changes: the mean distance between probabilities
LARGEST = {"weight_only_int4": 0.1, "weight_only_head": 0.1, "float16": 0.001, "bfloat16": 0.006}


def engine(path):
    return components.load("engines", "onnxruntime")(path, threads=1)


def quantized(proto, folder, method):
    """The file of a graph, its quantized file, and inputs."""
    source, destination = folder / "source.onnx", folder / "quantized.onnx"
    onnx.save(proto, str(source))
    name, options = METHODS[method]
    inputs = feeds(proto, 256)
    if name == "mixed":
        labels = engine(source)(inputs).argmax(1)
        options = options | {"accuracy": lambda path: float((engine(path)(inputs).argmax(1) == labels).mean())}
    components.load("quantization", name)(
        source, destination, lambda rows: [feeds(proto, 32, seed) for seed in range(rows // 32)], **options
    )
    return source, destination, inputs


# methods that share their code with others take the graphs on which those failed
SOME = {"weight_only_int8", "weight_only_head", "static_per_tensor", "auto", "mixed"}
HARD = ("both_ways_square", "tied_embedding", "in_branches")
CASES = [(graph, method) for graph in GRAPHS for method in METHODS if method not in SOME or graph in HARD]


@pytest.mark.parametrize(("graph", "method"), CASES)
def test_the_function_and_its_parameters_stay(graph, method, tmp_path):
    proto = GRAPHS[graph]()
    source, destination, inputs = quantized(proto, tmp_path, method)
    expected, actual = engine(source)(inputs), engine(destination)(inputs)
    assert np.abs(actual - expected).sum(axis=1).mean() / 2 < LARGEST.get(method, 0.03)
    check_function(source, destination, engine(destination), ModelInputs(inputs), likelihoods=False)
    after = contents(onnx.load(str(destination)))
    assert after["parameters"] == contents(proto)["parameters"], "a shared tensor is counted twice"


@pytest.mark.parametrize("graph", GRAPHS)
def test_edits_of_a_graph_keep_its_function_to_the_bit(graph, tmp_path):
    proto = GRAPHS[graph]()
    onnx.save(proto, str(tmp_path / "source.onnx"))
    inputs = feeds(proto, 100)
    expected = engine(tmp_path / "source.onnx")(inputs)
    edited = load_graph(tmp_path / "source.onnx")
    assert len({node.name for node in edited.graph.node}) == len(edited.graph.node)
    for edit in (None, gemm_to_matmul, separate_uses, merge_copies):
        if edit is not None:
            edit(edited)
        onnx.checker.check_model(edited, full_check=True)
        onnx.save(edited, str(tmp_path / "edited.onnx"))
        assert np.allclose(engine(tmp_path / "edited.onnx")(inputs), expected, atol=1e-6), edit
    assert contents(edited)["parameters"] == contents(proto)["parameters"]


def test_a_tensor_that_layers_share_is_stored_once(tmp_path):
    for method, suffix in (("weight_only_int4", "_Q4"), ("static", "_quantized"), ("dynamic", "_quantized")):
        _, destination, _ = quantized(GRAPHS["layer_twice"](), tmp_path, method)
        names = [
            tensor.name for tensor in onnx.load(str(destination)).graph.initializer if tensor.name.endswith(suffix)
        ]
        assert len([name for name in names if name.startswith("W")]) == 1, (method, names)


def test_embeddings_that_are_also_a_layer_stay_tied(tmp_path):
    for graph in ("tied_embedding", "embedding_looked_up_twice"):
        _, destination, _ = quantized(GRAPHS[graph](), tmp_path, "weight_only_int8")
        proto = onnx.load(str(destination))
        assert not any(tensor.name == "E" for tensor in proto.graph.initializer)
        assert any(node.op_type == "GatherBlockQuantized" for node in proto.graph.node)


def test_a_lookup_along_another_axis_is_no_embedding(tmp_path):
    proto = GRAPHS["tied_embedding"]()
    lookup = next(node for node in proto.graph.node if node.op_type == "Gather")
    transposed = onnx.helper.make_node("Transpose", ["E"], ["columns"], name="columns", perm=[1, 0])
    proto.graph.node.insert(0, transposed)
    lookup.input[0] = "columns"
    lookup.attribute.append(onnx.helper.make_attribute("axis", 1))
    lookup.output[0] = "wide"
    back = onnx.helper.make_node("Transpose", ["wide"], ["embedded"], name="back", perm=[1, 0])
    proto.graph.node.insert(2, back)
    source, destination, inputs = quantized(proto, tmp_path, "weight_only_int8")
    assert np.abs(engine(destination)(inputs) - engine(source)(inputs)).max() < 0.05


@pytest.mark.parametrize("method", ["weight_only_int8", "static", "dynamic", "float16", "bfloat16"])
def test_tensors_beside_the_file_are_read(method, tmp_path):
    proto = GRAPHS["both_ways_square"]()
    _, destination, inputs = quantized(proto, tmp_path, method)
    expected = engine(destination)(inputs)
    beside = onnx.ModelProto.FromString(proto.SerializeToString())  # saving changes it
    external = tmp_path / "external.onnx"
    onnx.save(beside, str(external), save_as_external_data=True, location="external.data", size_threshold=0)
    assert (tmp_path / "external.data").exists()
    name, options = METHODS[method]
    calibration = lambda rows: [feeds(proto, 32, seed) for seed in range(rows // 32)]  # noqa: E731
    components.load("quantization", name)(external, destination, calibration, **options)
    (tmp_path / "external.data").unlink()
    assert np.array_equal(engine(destination)(inputs), expected)


def test_sparse_tensors_are_read(tmp_path):
    proto = GRAPHS["layer_twice"]()
    tensor = next(t for t in proto.graph.initializer if t.name == "W")
    array = onnx.numpy_helper.to_array(tensor).copy()
    array[np.abs(array) < 0.3] = 0
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, "W"))
    positions = np.flatnonzero(array)
    values = onnx.numpy_helper.from_array(array.reshape(-1)[positions], "W")
    sparse = onnx.helper.make_sparse_tensor(
        values, onnx.numpy_helper.from_array(positions.astype(np.int64), "W.indices"), array.shape
    )
    changed = onnx.ModelProto.FromString(proto.SerializeToString())
    changed.graph.initializer.remove(next(t for t in changed.graph.initializer if t.name == "W"))
    changed.graph.sparse_initializer.append(sparse)
    assert contents(changed) == contents(proto) | {"layer_sparsity": contents(changed)["layer_sparsity"]}
    source, destination, inputs = quantized(changed, tmp_path, "weight_only_int8")
    onnx.save(proto, str(source))
    assert np.abs(engine(destination)(inputs) - engine(source)(inputs)).max() < 0.03


# ---- layers of torch that share weights


class LayerTwice(nn.Module):
    """One layer that runs twice."""

    def __init__(self, features, classes):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(features, 16), nn.Linear(16, 16), nn.Linear(16, classes)

    def forward(self, x):
        return self.out(torch.relu(self.b(torch.relu(self.b(torch.relu(self.a(x)))))))


class TiedLayers(LayerTwice):
    """Two layers with the same weights, and biases of their own."""

    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.d = nn.Linear(16, 16)
        self.d.weight = self.b.weight

    def forward(self, x):
        return self.out(torch.relu(self.d(torch.relu(self.b(torch.relu(self.a(x)))))))


class ThereAndBack(nn.Module):
    """A matrix that is used transposed, and as it is."""

    def __init__(self, features, classes):
        super().__init__()
        self.a, self.out = nn.Linear(features, 24), nn.Linear(features, classes)

    def forward(self, x):
        return self.out(torch.relu(torch.relu(self.a(x)) @ self.a.weight))


BODIES = {body.__name__: body for body in (LayerTwice, TiedLayers, ThereAndBack)}


def build(features, classes, *, body):
    return BODIES[body](features[0], classes)


@pytest.fixture(scope="module", params=BODIES)
def study(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        architecture = {"architecture": f"{Path(__file__).stem}:build", "body": request.param}
        made = Study(tmp_path_factory.mktemp("study"), tabular(1000), architecture)
        made.trained = made.train(epochs=15)
        made.export()
        yield made


@pytest.mark.parametrize("method", METHODS)
def test_layers_that_share_weights(study, method):
    name, options = METHODS[method]
    path, report = study.quantize(method, method=name, **options)
    expected, actual = (run(file, study.table) for file in (study.path("dense.onnx"), path))
    accuracies = [float((outputs.argmax(1) == study.table.label).mean()) for outputs in (expected, actual)]
    assert accuracies[0] > 0.8 and accuracies[1] > accuracies[0] - 0.03
    assert report["output_change"] < 0.06
    encoder = 2 * len(study.table.numeric_names)  # mean and scale
    parameters = sum(parameter.numel() for parameter in study.trained.body.parameters())
    for file in (study.path("dense.onnx"), path):
        assert contents(onnx.load(file))["parameters"] == parameters + encoder
