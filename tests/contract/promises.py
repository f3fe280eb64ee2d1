"""What compression methods promise, as checks that take any method: test_components.py holds every one of the project's
to them, and test_cheats.py shows that methods which break a promise do not pass."""

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

# what a quantization method makes, where that is not a file whose layers onnxruntime multiplies as integers; NNCF's is of pairs
# of quantizing and widening nodes around every layer, of which onnxruntime fuses some and OpenVINO all
KINDS = {"float16": "half", "bfloat16": "half", "weight_only": "weights only", "openvino": "pairs"}
# sparsity of pruning methods that take none as an option
SPARSITIES = {"none": 0.0, "reinitialised": 0.0, "n_m": 0.5}


@functools.cache
def _trained(architecture):
    study = Study(Path(tempfile.mkdtemp(prefix="fairweight-contract-")), pictures(400), {"architecture": architecture})
    study.train(epochs=2)
    study.export()
    return study.folder


def trained(architecture, folder):
    """A study of pictures with a trained dense model, which is trained once for all tests."""
    study = Study(folder, pictures(400), {"architecture": architecture})
    for path in _trained(architecture).glob("dense*"):
        shutil.copy(path, folder)
    return study


def model(study, name):
    return Model.load(study.path(f"{name}.st"), study.path(f"{name}.json"))


# ---- pruning


def pruning(study, name, options):
    """A pruning method reaches the share that its options state, in the file that ships, and keeps what was learned.

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
        # without any coding
        sizes = [Path(study.path(f"{of}.onnx")).stat().st_size for of in ("pruned", "dense")]
        assert sizes[0] < 0.5 * sizes[1], "the file that ships is not smaller"
    else:
        stated = SPARSITIES.get(name, options.get("sparsity"))
        assert after == before
        assert zeros == pytest.approx(stated, abs=0.01), "the sparsity stated is not that of the file that ships"
        assert about["sparsity"]["all"] == pytest.approx(zeros, abs=1e-4)  # what encodes rows is in the file, too
    assert (run(path, study.table).argmax(1) == study.table.label).mean() > 0.5, "nothing is left of what was learned"
    return pruned


def repeatable(study, pruned, name, options):
    """Pruning once more gives the same model, to the bit."""
    again = study.prune("again", epochs=2, recipe={"method": name, **options, "finetune": {}})
    for key, tensor in pruned.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), f"{key} is another one the second time"


# ---- quantization


def quantization(study, name, options, kind="int8"):
    """A quantization method narrows every layer but those that its report names, and keeps nearly all predictions."""
    path = study.path("dense.onnx")
    quantized, report = study.quantize(method=name, **options)
    proto = onnx.load(path)
    layers, convolutions = weighted_nodes(proto), [n for n in proto.graph.node if n.op_type == "Conv"]
    kept = report.get("in_float", [])  # what the method says that it leaves in float
    if kind == "half":
        assert report["narrow_weights_share"] > 0.99, "weights are left in float32"
        assert report["size_ratio"] > 1.9 and report["verdict"] == "half precision" and not report["integer_operators"]
    elif kind == "weights only":  # which takes no convolutions
        said = "layers are left in float that could be narrow"
        assert report["weight_only_operators"] == len(layers) - len(convolutions) > 0, said
        assert report["float_operators"] == len(convolutions) and report["integer_weights_share"] > 0.8, said
        assert report["verdict"] == ("partly quantized" if convolutions else "weights only")
    elif kind == "pairs":
        assert _in_pairs(onnx.load(quantized).graph, layers), "layers are left in float"
        assert report["integer_operators"] + report["float_operators"] == len(layers)
        whole = report["size_ratio"] >= 3 and not report["float_operators"]
        assert report["verdict"] == ("quantized" if whole else "partly quantized")
    else:
        said = "layers are left in float that the report does not name"
        assert report["integer_operators"] == len(layers) - len(kept) > 0, said
        assert report["float_operators"] == len(kept) and report["integer_weights_share"] > 0.95, said
        assert report["verdict"] == ("quantized" if report["size_ratio"] >= 3 and not kept else "partly quantized")
    same = (run(path, study.table).argmax(1) == run(quantized, study.table).argmax(1)).mean()
    assert same > 0.95, "predictions are lost"
    return quantized, report


def _in_pairs(graph, layers):
    """Whether inputs and weights of every layer are 8-bit integers that are widened."""
    made = {output: node for node in graph.node for output in node.output}
    narrow = {t.name for t in graph.initializer if t.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)}

    def widened(tensor):
        while (node := made.get(tensor)) is not None and node.op_type in ("Flatten", "MaxPool", "Reshape"):
            tensor = node.input[0]
        before = made.get(node.input[0]) if node is not None else None
        stored = before is None and node is not None and node.input[0] in narrow
        quantized = before is not None and before.op_type == "QuantizeLinear"
        return node is not None and node.op_type == "DequantizeLinear" and (stored or quantized)

    found = {node.name: [widened(tensor) for tensor in node.input[:2]] for node in graph.node}
    return all(all(found[layer]) for layer in layers)


# ---- storage coding


def decoded_elsewhere(path):
    """Tensors that a coded file holds, by name, as another process finds them."""
    try:
        return elsewhere.decoded(str(path))
    except Exception as error:
        raise AssertionError(f"the file alone is not decoded: {error}") from error


def encoding(study, name, options, parent, epochs=0):
    """A coding is in its file as a whole, codebooks and indices too, keeps zeros, and is smaller than the weights.

    Returns:
        The model as decoded, and the report.
    """
    paths = {k: study.path(k) for k in ("coded", "model", "about", "curve", "report")}
    encode(
        parent=study.path(f"{parent}.st"), parent_about=study.path(f"{parent}.json"), **study.data, **paths,
        recipe={"method": name, **options, "finetune": {}},
        finetune=RECIPE | {"epochs": epochs, "learning_rate": 1e-4}, seed=0, variant="coded",
    )  # fmt: skip
    before, written = model(study, parent), Model.load(paths["model"], paths["about"])
    report, size = read_json(paths["report"]), Path(paths["coded"]).stat().st_size
    assert report["coded_bytes"] == size
    # every coding must beat plain zstd, which is one itself
    assert size < report["weights_bytes"] and (name == "zstd" or size < report["zstd_bytes"]), "the file is not smaller"
    (study.folder / "elsewhere").mkdir()
    moved = shutil.copy(paths["coded"], study.folder / "elsewhere" / "moved")
    found = decoded_elsewhere(moved)
    assert set(found) == set(written.state_dict())
    for key, tensor in written.state_dict().items():
        assert np.array_equal(tensor.numpy(), found[key]), f"{key} is another one where the file alone is decoded"
        assert torch.allclose(tensor, before.state_dict()[key], atol=0.05), f"{key} is far from what was coded"
    for key, weight in before.prunable().items():
        assert not written.prunable()[key][weight == 0].any(), f"zeros of {key} are zeros no more"
    return written, report


# ---- low rank and distillation


def factorization(factorize):
    """Factors are fewer numbers than the weights, and their product is near to them."""
    torch.manual_seed(0)
    low = torch.randn(40, 3) @ torch.randn(3, 30)
    weights = {"low": low, "full": torch.eye(20), "kernel": (torch.randn(20, 2) @ torch.randn(2, 54)).view(20, 6, 3, 3)}
    found = factorize(weights, energy=1.0)
    assert set(found) == {"low", "kernel"}  # the identity has no smaller factors
    for key, (second, first) in found.items():
        assert second.numel() + first.numel() < weights[key].numel(), "factors are more numbers than the weights"
        assert torch.allclose(second @ first, weights[key].flatten(1), atol=1e-3), "factors are far from the weights"
    with pytest.raises(InputError, match="no layer gets smaller"):
        factorize({"full": torch.eye(20)}, energy=1.0)


def distillation(loss):
    """The loss of a student falls towards what its teacher says."""
    teacher = torch.tensor([[3.0, -1.0], [0.0, 1.0]])
    student = torch.zeros(2, 2, requires_grad=True)
    at_first = loss(student, teacher, torch.tensor(0.0))
    at_first.backward()
    assert at_first > loss(teacher, teacher, torch.tensor(0.0)), "a student like its teacher does not lose less"
    assert student.grad[0, 0] < 0 < student.grad[0, 1], "the gradient does not lead to the teacher"
