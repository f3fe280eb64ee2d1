"""Checks of an exported file in an engine: content, resource usage, and outputs by batch size and engine."""

from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.inference.causal_decoding import PAST
from fairweight.inference.load_engine import Run
from fairweight.inference.onnx_file import FLOAT_OPERATORS, INTEGER_OPERATORS, operators
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.training.model_inputs import ModelInputs

ROWS = 256
TOLERANCE = 1e-3  # largest difference of a probability between engines, for float32 files
AGREEMENT = 0.98  # smallest share of equal predictions between engines, for narrower files: engines round differently
NARROW = (np.int8, np.uint8, np.float16)
INT8_LEVEL = 4  # accuracy_level of MatMulNBits at which its inputs are also rounded
POSITIONS = {"GroupQueryAttention": slice(7, 9), "RotaryEmbedding": slice(2, 4)}  # inputs that are made of positions
PRODUCTS = ("Conv", "Gemm", "MatMul", "MatMulInteger", "ConvInteger", "MatMulNBits")

Array = NDArray[Any]


class Contents(TypedDict):
    """Weights of a file, counted."""

    parameters: int
    nonzero_weights: int  # of tensors with two or more dimensions
    layer_sparsity: dict[str, float]  # name of such a tensor -> share of zeros


class Checks(Contents):
    """Checks of one file in one engine."""

    macs: int | None  # multiplications for one row
    integer_share: float | None  # share of products that multiply integers
    batch_invariant_share: float | None  # share of predictions that are the same at batch size 1
    batch_difference: float  # largest difference of an output at batch size 1
    checked_rows: int
    engine_difference: NotRequired[float]  # largest difference of a probability from the reference engine
    engine_agreement: NotRequired[float]  # share of predictions that equal those of the reference engine


def check(
    path: str | Path,
    run: Run,
    inputs: ModelInputs,
    output: Array,
    *,
    engine: str,
    batch_size: int,
    rows: int | None = None,
) -> Checks:
    """Check one file in one engine.

    Args:
        path: ONNX file.
        run: the file, loaded in the engine.
        inputs: input tensors of the rows that the file is assessed on.
        output: its output for them (n, ...), computed with `batch_size` rows a call.
        engine: name of the engine.
        batch_size: rows of one call.
        rows: number of the first rows that are used, if fewer than ROWS.

    Raises:
        InputError: the engine disagrees with the reference engine beyond the tolerance.
    """
    content = Path(path).read_bytes()
    proto = onnx.load_model_from_string(content)
    some = ModelInputs(inputs.at(slice(0, min(ROWS, rows or ROWS))))
    whole = output[: len(some)] if _in_the_same_calls(some, inputs, batch_size) else some.outputs(run, batch_size)
    single = some.outputs(run, 1)
    is_decoder = any(value.name.startswith(PAST) for value in proto.graph.input)
    counted = contents(proto)
    checks: Checks = {
        "parameters": counted["parameters"],
        "nonzero_weights": counted["nonzero_weights"],
        "layer_sparsity": counted["layer_sparsity"],
        "macs": macs(proto),
        "integer_share": _integer_share(proto, content),
        # likelihoods have no largest class
        "batch_invariant_share": None if is_decoder else float((whole.argmax(1) == single.argmax(1)).mean()),
        "batch_difference": float(np.abs(whole - single).max()),
        "checked_rows": len(some),
    }
    if engine != REFERENCE_ENGINE:
        difference, same = _agreement(path, proto, whole, some, engine, batch_size)
        checks |= {"engine_difference": difference, "engine_agreement": same}
    return checks


def _integer_share(proto: onnx.ModelProto, content: bytes) -> float | None:
    """Share of the products that multiply integers as onnxruntime runs them; None without any product."""
    counts, rounding = operators(content), rounding_products(proto)
    integer = sum(counts[name] for name in INTEGER_OPERATORS) + rounding
    floating = sum(counts[name] for name in FLOAT_OPERATORS) + counts["MatMulNBits"] - rounding
    return integer / (integer + floating) if integer + floating else None


def _in_the_same_calls(some: ModelInputs, inputs: ModelInputs, batch_size: int) -> bool:
    """Whether the first rows had calls of their own when all rows were run; outputs may depend on the other rows."""
    return len(some) == len(inputs) or (inputs.lengths() is None and len(some) % batch_size == 0)


def _agreement(
    path: str | Path, proto: onnx.ModelProto, output: Array, inputs: ModelInputs, engine: str, batch_size: int
) -> tuple[float, float]:
    """Largest difference of a probability from the reference engine, and share of equal predictions."""
    expected = inputs.outputs(components.load("engines", REFERENCE_ENGINE)(path, threads=1), batch_size)
    difference = float(np.abs(output - expected).max())
    same = float((output.argmax(1) == expected.argmax(1)).mean())
    narrow = any(numpy_helper.to_array(t).dtype in NARROW for t in proto.graph.initializer)
    if (narrow and same < AGREEMENT) or (not narrow and not difference <= TOLERANCE):
        raise InputError(
            f"{path}: {engine} and {REFERENCE_ENGINE} disagree: probabilities by {difference:.2g} (tolerance "
            f"{TOLERANCE:g} for float32), {same:.1%} of predictions equal (at least {AGREEMENT:.0%} for narrower "
            "files)."
        )
    return difference, same


def contents(proto: onnx.ModelProto) -> Contents:
    """Count the parameters of a file and the zeros of its weight tensors."""
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
    """Count the products of packed weights that multiply integers, because they round their inputs to int8."""
    return sum(
        node.op_type == "MatMulNBits" and _attributes(node).get("accuracy_level") == INT8_LEVEL
        for node in proto.graph.node
    )


def stored(proto: onnx.ModelProto) -> dict[str, Array]:
    """Return the network's tensors in a file, by name; packed weights are unpacked, so that each is one number.

    Scales of packed weights, sines and cosines of positions, and int64 tensors, which are shapes, are left out.
    """
    arrays = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    arrays = {name: array for name, array in arrays.items() if array.dtype != np.int64}
    for node in proto.graph.node:
        if node.op_type == "MatMulNBits" and node.input[1] in arrays:
            packed, *scaling = [arrays.pop(name, None) for name in node.input[1:4]]
            arrays[node.input[1]] = _unpacked(packed, scaling[1] if len(scaling) > 1 else None, _attributes(node))
        for name in node.input[POSITIONS.get(node.op_type, slice(0))]:
            arrays.pop(name, None)
    return arrays


def _unpacked(packed: Array, points: Array | None, attributes: dict[str, Any]) -> Array:
    """Unpack the weights of a MatMulNBits node.

    Args:
        packed: blocks of codes, as bytes.
        points: codes of zero of each block, as bytes; None for the middle of the range.
        attributes: attributes of the node.

    Returns:
        int8 (N, K): whole numbers around zero, modulo 256.
    """
    bits, rows, width = attributes["bits"], attributes["N"], attributes["K"]
    codes = _codes(packed.reshape(rows, -1), bits)
    if points is None:
        zero = np.full(codes.shape, 2 ** (bits - 1), np.uint8)
    else:
        zero = np.repeat(_codes(points.reshape(rows, -1), bits), attributes["block_size"], axis=1)[:, : codes.shape[1]]
    return (codes - zero)[:, :width].view(np.int8)


def _codes(packed: Array, bits: int) -> Array:
    """Codes uint8 (n, many) from bytes (n, few), the lowest bits of each byte first."""
    parts = [(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
    return np.stack(parts, axis=2).reshape(len(packed), -1)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def macs(proto: onnx.ModelProto) -> int | None:
    """Count the multiplications of a weight with an input for one row, zeros included; None if a shape is unknown."""
    try:
        shaped = onnx.shape_inference.infer_shapes(proto)
    except onnx.shape_inference.InferenceError:
        return None
    shapes = {
        value.name: [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        for value in [*shaped.graph.value_info, *shaped.graph.output, *shaped.graph.input]
    }
    weights = {t.name: list(t.dims) for t in proto.graph.initializer}
    # the product reads a quantized weight from the node that widens it
    for node in proto.graph.node:
        if node.op_type in ("DequantizeLinear", "Cast") and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
    total = 0
    for node in proto.graph.node:
        if node.op_type in PRODUCTS:
            count = _node_macs(node, weights, shapes)
            if count is None:
                return None
            total += count
    return total


def _node_macs(node: onnx.NodeProto, weights: dict[str, list[int]], shapes: dict[str, list[int]]) -> int | None:
    """Multiplications of one product for one row; None if a shape is unknown."""
    if node.op_type == "MatMulNBits":
        attributes = _attributes(node)
        return int(attributes["K"] * attributes["N"])
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
    return int(np.prod(weight)) * positions
