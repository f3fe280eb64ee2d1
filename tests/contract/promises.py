"""Checks of what compression methods promise, which take any method.

test_components.py applies them to every method of the project; test_cheats.py shows that methods which break a promise
do not pass.
"""

import functools
import shutil
import tempfile
from pathlib import Path

import elsewhere
import numpy as np
import onnx
import pytest
import torch
from tables import pictures
from trained_study import RECIPE, Study, run

from fairweight.compression.encode import encode
from fairweight.compression.onnx_graph_edits import weighted_nodes
from fairweight.core.artifacts import read_json
from fairweight.core.errors import InputError
from fairweight.inference.model_checks import contents
from fairweight.training.model import Model

# kind of file that a quantization method makes, if onnxruntime does not compute all of its layers in integers; NNCF
# puts pairs of quantizing and dequantizing nodes around every layer, of which onnxruntime fuses some and OpenVINO all
KINDS = {"float16": "half", "bfloat16": "half", "weight_only": "weights only", "openvino": "pairs"}
# sparsity of pruning methods that have no such option
SPARSITIES = {"none": 0.0, "reinitialised": 0.0, "n_m": 0.5}


@functools.cache
def _trained(architecture):
    study = Study(Path(tempfile.mkdtemp(prefix="fairweight-contract-")), pictures(400), {"architecture": architecture})
    study.train(epochs=2)
    study.export()
    return study.folder


def trained(architecture, folder):
    """A study of images with a trained dense model, which is trained once for all tests."""
    study = Study(folder, pictures(400), {"architecture": architecture})
    for path in _trained(architecture).glob("dense*"):
        shutil.copy(path, folder)
    return study


def model(study, name):
    return Model.load(study.path(f"{name}.st"), study.path(f"{name}.json"))


# ---- pruning


def pruning(study, name, options):
    """Check that pruning reaches the sparsity of its options in the file that ships, and keeps what was learned.

    Returns:
        The pruned model.
    """
    pruned = study.prune(epochs=2, recipe={"method": name, **options, "finetune": {}})
    study.export("pruned")
    about, path = pruned.about, study.path("pruned.onnx")
    assert about["pruning"]["method"] == name and set(about["sparsity"]) == {"all", *pruned.prunable()}
    before, after = (sum(p.numel() for p in m.body.parameters()) for m in (model(study, "dense"), pruned))
    inside = contents(onnx.load(path))
    zeros = 1 - inside["nonzero_weights"] / sum(p.numel() for p in pruned.prunable().values())
    if "channels" in options:
        assert after < (1 - 0.8 * options["channels"]) * before and zeros < 0.01, "the network is not smaller"
        # bytes of the files as they are, without compression
        sizes = [Path(study.path(f"{variant}.onnx")).stat().st_size for variant in ("pruned", "dense")]
        assert sizes[0] < 0.5 * sizes[1], "the file that ships is not smaller"
    else:
        expected = SPARSITIES.get(name, options.get("sparsity"))
        assert after == before
        message = "the file that ships does not have the sparsity of the options"
        assert zeros == pytest.approx(expected, abs=0.01), message
        assert about["sparsity"]["all"] == pytest.approx(zeros, abs=1e-4)  # the file also holds the input encoder
    assert (run(path, study.table).argmax(1) == study.table.label).mean() > 0.5, "nothing is left of what was learned"
    return pruned


def repeatable(study, pruned, name, options):
    """Check that a second pruning gives the same model, to the bit."""
    again = study.prune("again", epochs=2, recipe={"method": name, **options, "finetune": {}})
    for key, tensor in pruned.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), f"{key} differs the second time"


# ---- quantization


def quantization(study, name, options, kind="int8"):
    """Check that every layer is narrow except those that the report names, and that nearly all predictions stay."""
    path = study.path("dense.onnx")
    quantized, report = study.quantize(method=name, **options)
    proto = onnx.load(path)
    layers, convolutions = weighted_nodes(proto), [n for n in proto.graph.node if n.op_type == "Conv"]
    kept = report.get("in_float", [])  # layers that the method reports to leave in float
    if kind == "half":
        assert report["narrow_weights_share"] > 0.99, "weights are left in float32"
        assert report["size_ratio"] > 1.9 and report["verdict"] == "half precision" and not report["integer_operators"]
    elif kind == "weights only":  # kernels of convolutions are widened when the file is loaded
        message = "layers that could be narrow are left in float"
        assert report["weight_only_operators"] == len(layers) - len(convolutions) > 0, message
        assert report["float_operators"] == len(convolutions) and report["integer_weights_share"] > 0.95, message
        assert report["float_matrices"] == {} and report["verdict"] == "weights only", message
    elif kind == "pairs":
        assert _in_pairs(onnx.load(quantized).graph, layers), "layers are left in float"
        assert report["integer_operators"] + report["float_operators"] == len(layers)
        whole = report["size_ratio"] >= 3 and not report["float_operators"]
        assert report["verdict"] == ("quantized" if whole else "partly quantized")
    else:
        message = "the report does not name all layers that are left in float"
        assert report["integer_operators"] == len(layers) - len(kept) > 0, message
        assert report["float_operators"] == len(kept) and report["integer_weights_share"] > 0.95, message
        assert report["verdict"] == ("quantized" if report["size_ratio"] >= 3 and not kept else "partly quantized")
    same = (run(path, study.table).argmax(1) == run(quantized, study.table).argmax(1)).mean()
    assert same > 0.95, "predictions are lost"
    return quantized, report


def _in_pairs(graph, layers):
    """Whether the inputs and weights of every layer are dequantized 8-bit integers."""
    producers = {output: node for node in graph.node for output in node.output}
    narrow = {t.name for t in graph.initializer if t.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)}

    def widened(tensor):
        while (node := producers.get(tensor)) is not None and node.op_type in ("Flatten", "MaxPool", "Reshape"):
            tensor = node.input[0]
        before = producers.get(node.input[0]) if node is not None else None
        stored = before is None and node is not None and node.input[0] in narrow
        quantized = before is not None and before.op_type == "QuantizeLinear"
        return node is not None and node.op_type == "DequantizeLinear" and (stored or quantized)

    inputs = {node.name: [widened(tensor) for tensor in node.input[:2]] for node in graph.node}
    return all(all(inputs[layer]) for layer in layers)


# ---- storage coding


def decoded_elsewhere(path):
    """Tensors of a coded file by name, decoded in another process."""
    try:
        return elsewhere.decoded(str(path))
    except Exception as error:
        raise AssertionError(f"the coded file alone cannot be decoded: {error}") from error


def encoding(study, name, options, parent, epochs=0):
    """Check that the coded file holds everything (codebooks and indices), keeps zeros, and is smaller than the weights.

    Returns:
        The decoded model, and the report.
    """
    paths = {k: study.path(k) for k in ("coded", "model", "about", "curve", "report")}
    encode(
        parent=study.path(f"{parent}.st"),
        parent_about=study.path(f"{parent}.json"),
        **study.data,
        **paths,
        recipe={"method": name, **options, "finetune": {}},
        finetune=RECIPE | {"epochs": epochs, "learning_rate": 1e-4},
        seed=0,
        variant="coded",
    )
    before, written = model(study, parent), Model.load(paths["model"], paths["about"])
    report, size = read_json(paths["report"]), Path(paths["coded"]).stat().st_size
    assert report["coded_bytes"] == size
    # every encoding must beat plain zstd, which is itself an encoding
    assert size < report["weights_bytes"] and (name == "zstd" or size < report["zstd_bytes"]), "the file is not smaller"
    (study.folder / "elsewhere").mkdir()
    moved = shutil.copy(paths["coded"], study.folder / "elsewhere" / "moved")
    decoded = decoded_elsewhere(moved)
    assert set(decoded) == set(written.state_dict())
    for key, tensor in written.state_dict().items():
        assert np.array_equal(tensor.numpy(), decoded[key]), f"{key} differs when only the coded file is read"
        assert torch.allclose(tensor, before.state_dict()[key], atol=0.05), f"{key} is far from what was encoded"
    for key, weight in before.prunable().items():
        assert not written.prunable()[key][weight == 0].any(), f"zeros of {key} are not zero after decoding"
    return written, report


# ---- low rank and distillation


def factorization(factorize):
    """Check that factors have fewer numbers than the weights, and that their product is near them."""
    torch.manual_seed(0)
    low = torch.randn(40, 3) @ torch.randn(3, 30)
    weights = {"low": low, "full": torch.eye(20), "kernel": (torch.randn(20, 2) @ torch.randn(2, 54)).view(20, 6, 3, 3)}
    factors = factorize(weights, energy=1.0)
    assert set(factors) == {"low", "kernel"}  # the identity has no smaller factors
    for key, (second, first) in factors.items():
        assert second.numel() + first.numel() < weights[key].numel(), "factors have more numbers than the weights"
        assert torch.allclose(second @ first, weights[key].flatten(1), atol=1e-3), "factors are far from the weights"
    with pytest.raises(InputError, match="no layer gets smaller"):
        factorize({"full": torch.eye(20)}, energy=1.0)


def distillation(loss):
    """Check that the loss of a student falls towards the predictions of its teacher."""
    teacher = torch.tensor([[3.0, -1.0], [0.0, 1.0]])
    student = torch.zeros(2, 2, requires_grad=True)
    at_first = loss(student, teacher, torch.tensor(0.0))
    at_first.backward()
    assert at_first > loss(teacher, teacher, torch.tensor(0.0)), (
        "the loss is not lower for a student that equals its teacher"
    )
    assert student.grad[0, 0] < 0 < student.grad[0, 1], "the gradient does not point to the teacher"
