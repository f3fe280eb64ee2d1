"""What is checked of every shipped file in every engine: what is in it, what it computes, and whether it always says the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.inference.causal_decoding import PAST
from fairweight.inference.onnx_file import FLOAT_OPERATORS, INTEGER_OPERATORS, operators
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import Feeds

ROWS = 256
TOLERANCE = 1e-3  # largest difference of a probability between engines, for float32 files
AGREEMENT = 0.98  # smallest share of equal predictions between engines, for narrower files: engines round differently
NARROW = (np.int8, np.uint8, np.float16)
INT8_LEVEL = 4  # MatMulNBits's accuracy_level at which it rounds its inputs, too
POSITIONS = {"GroupQueryAttention": slice(7, 9), "RotaryEmbedding": slice(2, 4)}  # inputs that are made of positions

Array = np.ndarray[Any, Any]
Run = Callable[[Feeds], Array]


def check(
    path: str | Path, run: Run, fed: ModelInputs, output: Array, *, engine: str, batch_size: int, rows: int | None = None
) -> dict[str, Any]:
    """Checks of one file in one engine.

    Args:
        path: ONNX file.
        run: the file, loaded in the engine.
        fed: input tensors of the rows by which the file is assessed.
        output: what it returned for them (n, ...), called with `batch_size` at a time.
        engine: its name.
        batch_size: rows a call when the file is assessed.
        rows: the first so many are used, where that is fewer than ROWS.

    Raises:
        InputError: the engine disagrees with onnxruntime beyond the tolerance.
    """
    content = Path(path).read_bytes()
    proto, counts = onnx.load_model_from_string(content), operators(content)
    some = ModelInputs(fed.at(slice(0, min(ROWS, rows or ROWS))))
    whole = output[: len(some)] if _in_the_same_calls(some, fed, batch_size) else some.outputs(run, batch_size)
    single = some.outputs(run, 1)
    foretells = any(value.name.startswith(PAST) for value in proto.graph.input)
    rounding = rounding_products(proto)
    integer = sum(counts[name] for name in INTEGER_OPERATORS) + rounding
    floating = sum(counts[name] for name in FLOAT_OPERATORS) + counts["MatMulNBits"] - rounding
    return {
        **contents(proto),
        "macs": macs(proto),
        "integer_share": integer / (integer + floating) if integer + floating else None,
        # likelihoods have no largest class
        "batch_invariant_share": None if foretells else float((whole.argmax(1) == single.argmax(1)).mean()),
        "batch_difference": float(np.abs(whole - single).max()),
        "checked_rows": len(some),
        **(_agreement(path, proto, whole, some, engine, batch_size) if engine != REFERENCE_ENGINE else {}),
    }


def _in_the_same_calls(some: ModelInputs, fed: ModelInputs, batch_size: int) -> bool:
    """Whether the first rows were in calls of their own when all rows were run: what a file returns may depend on the others."""
    return len(some) == len(fed) or (fed.lengths() is None and len(some) % batch_size == 0)


def _agreement(
    path: str | Path, proto: onnx.ModelProto, found: Array, fed: ModelInputs, engine: str, batch_size: int
) -> dict[str, Any]:
    expected = fed.outputs(components.load("engines", REFERENCE_ENGINE)(path, threads=1), batch_size)
    difference = float(np.abs(found - expected).max())
    same = float((found.argmax(1) == expected.argmax(1)).mean())
    narrow = any(numpy_helper.to_array(t).dtype in NARROW for t in proto.graph.initializer)
    if (narrow and same < AGREEMENT) or (not narrow and not difference <= TOLERANCE):
        raise InputError(
            f"{path}: {engine} and {REFERENCE_ENGINE} disagree: probabilities by {difference:.2g} (tolerance {TOLERANCE:g} for "
            f"float32), {same:.1%} of predictions equal (at least {AGREEMENT:.0%} for narrower files)."
        )
    return {"engine_difference": difference, "engine_agreement": same}


def contents(proto: onnx.ModelProto) -> dict[str, Any]:
    """Parameters of a file, and the share of zeros of each weight tensor and of all of them together."""
    arrays = stored(proto)
    weights = {name: a for name, a in arrays.items() if a.ndim >= 2}
    total = sum(a.size for a in weights.values())
    zeros = {name: int(np.count_nonzero(a == 0)) for name, a in weights.items()}
    return {
        "parameters": int(sum(a.size for a in arrays.values() if a.ndim >= 1)),
        "nonzero_weights": total - sum(zeros.values()),
        "layer_sparsity": {name: zeros[name] / a.size for name, a in weights.items()},
    }


def rounding_products(proto: onnx.ModelProto) -> int:
    """Products of packed weights that round their inputs to int8, and so multiply integers; the others multiply in float."""
    return sum(
        node.op_type == "MatMulNBits" and _attributes(node).get("accuracy_level") == INT8_LEVEL
        for node in proto.graph.node
    )


def stored(proto: onnx.ModelProto) -> dict[str, Array]:
    """What a file holds of its network, by name: packed weights are unpacked, so that each is one number.

    Scales of packed weights, sines and cosines of positions, and int64, which are shapes, are none of it.
    """
    arrays = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    arrays = {name: array for name, array in arrays.items() if array.dtype != np.int64}
    for node in proto.graph.node:
        if node.op_type == "MatMulNBits" and node.input[1] in arrays:
            packed, *about = [arrays.pop(name, None) for name in node.input[1:4]]
            arrays[node.input[1]] = _unpacked(packed, about[1] if len(about) > 1 else None, _attributes(node))
        for name in node.input[POSITIONS.get(node.op_type, slice(0))]:
            arrays.pop(name, None)
    return arrays


def _unpacked(packed: Array, points: Array | None, stated: dict[str, Any]) -> Array:
    """Weights int8 (N, K) from blocks of their codes, as whole numbers around zero modulo 256; `points` are the codes of zero."""
    bits, rows, width = stated["bits"], stated["N"], stated["K"]
    codes = _codes(packed.reshape(rows, -1), bits)
    if points is None:
        zero = np.full(codes.shape, 2 ** (bits - 1), np.uint8)
    else:
        zero = np.repeat(_codes(points.reshape(rows, -1), bits), stated["block_size"], axis=1)[:, : codes.shape[1]]
    return (codes - zero)[:, :width].view(np.int8)


def _codes(packed: Array, bits: int) -> Array:
    """Codes uint8 (n, many) from bytes (n, few), the lowest bits of each first."""
    parts = [(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
    return np.stack(parts, axis=2).reshape(len(packed), -1)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def macs(proto: onnx.ModelProto) -> int | None:
    """Multiplications of a weight with an input for one row, zeros counted; None where a shape is not known."""
    try:
        shaped = onnx.shape_inference.infer_shapes(proto)
    except onnx.shape_inference.InferenceError:
        return None
    shapes = {
        value.name: [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        for value in [*shaped.graph.value_info, *shaped.graph.output, *shaped.graph.input]
    }
    weights = {t.name: list(t.dims) for t in proto.graph.initializer}
    # a quantized weight is found behind the node that widens it
    for node in proto.graph.node:
        if node.op_type in ("DequantizeLinear", "Cast") and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
    total = 0
    for node in proto.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul", "MatMulInteger", "ConvInteger", "MatMulNBits"):
            continue
        if node.op_type == "MatMulNBits":
            about = _attributes(node)
            total += about["K"] * about["N"]
            continue
        weight, output = weights.get(node.input[1]), shapes.get(node.output[0])
        if weight is None:
            return None
        positions = 1
        if node.op_type.startswith("Conv"):
            if output is None:
                return None
            positions = int(np.prod(output[2:]))
        if node.op_type.startswith("MatMul") and output is not None and len(output) > 2:
            positions = int(np.prod(output[1:-1]))
        total += int(np.prod(weight)) * positions
    return total
