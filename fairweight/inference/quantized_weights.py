"""Weights of an ONNX file as numbers: unpacked, dequantized, and apart from the scales that belong to them."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from fairweight.inference.operator_kinds import attributes, graphs, nodes

Array = NDArray[Any]

COPY = "@"  # `name@...` is a copy of the tensor `name`, which a quantizer needed: the same parameters

# inputs of an operator that are scales and zero points of other inputs
SCALES = {
    "ConvInteger": (2, 3),
    "DequantizeLinear": (1, 2),
    "DynamicQuantizeLSTM": (8, 9, 10, 11),
    "DynamicQuantizeMatMul": (2, 3),
    "GatherBlockQuantized": (2, 3),
    "GroupQueryAttention": (12, 13),  # of a cache in fewer bits
    "MatMulInteger": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "MatMulNBits": (2, 3, 4),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QuantizeLinear": (1, 2),
}
# operator -> inputs that hold its quantized weights, their scale and their zero point
QUANTIZED = {
    "DynamicQuantizeLSTM": ((1, 8, 9), (2, 10, 11)),
    "DynamicQuantizeMatMul": ((1, 2, 3),),
    "MatMulIntegerToFloat": ((1, 3, 5),),
    "QGemm": ((3, 4, 5),),
    "QLinearConv": ((3, 4, 5),),
    "QLinearMatMul": ((3, 4, 5),),
}
# operators whose output is a constant if their inputs are, and by which a file may widen or rearrange its weights
FOLDED = frozenset(
    {
        "Add",
        "BitwiseAnd",
        "Cast",
        "CastLike",
        "Concat",
        "DequantizeLinear",
        "Div",
        "Flatten",
        "Gather",
        "Identity",
        "Mul",
        "Neg",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Sub",
        "Transpose",
        "Unsqueeze",
        "Where",
    }
)


def constants(proto: onnx.ModelProto) -> dict[str, Array]:
    """Stored tensors of a file by name: initializers of all its graphs, sparse ones included, and large constants."""
    arrays: dict[str, Array] = {}
    for graph in graphs(proto.graph):
        arrays |= {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        arrays |= {sparse.values.name: dense(sparse) for sparse in graph.sparse_initializer}
        for node in graph.node:
            value = attributes(node).get("value") if node.op_type == "Constant" else None
            if isinstance(value, TensorProto):
                arrays[node.output[0]] = numpy_helper.to_array(value)
    return arrays


def parameter(name: str) -> str:
    """Name of the parameter that a tensor holds: without the marks of copies, and the suffixes of narrower forms."""
    unmarked = re.sub(rf"{COPY}[0-9T.]+", "", name)
    unmarked = re.sub(r"^q_output_(.*)_[0-9]+$", r"\1", unmarked)  # NNCF
    forms = r"_Q[0-9]+|_quantized|_[Tt]ransposed|\.(bf16|float16|float32|int8|folded|stored)"
    return re.sub(rf"({forms})+$", "", unmarked)


def dense(sparse: onnx.SparseTensorProto) -> Array:
    """A sparse tensor as an array with its zeros."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    array = np.zeros(list(sparse.dims), values.dtype)
    if indices.ndim == 1:
        array.reshape(-1)[indices] = values
    else:
        array[tuple(indices.T)] = values
    return array


def scales(proto: onnx.ModelProto) -> set[str]:
    """Names of the tensors that are scales or zero points of quantized tensors."""
    names = {node.input[i] for node in nodes(proto.graph) for i in SCALES.get(node.op_type, ()) if i < len(node.input)}
    every = list(nodes(proto.graph))
    names |= _widening(proto) | {name for _, factors in _factors(every) for name in factors}
    producers = {name: node for node in every for name in node.output}
    waiting = [name for name in names if name in producers]
    while waiting:  # scales that are stored in fewer bits, and widened
        node = producers[waiting.pop()]
        behind = set(node.input) - names if node.op_type in ("Cast", "Mul", "Reshape") else set()
        names |= behind
        waiting += [name for name in behind if name in producers]
    return names - {""}


def _widening(proto: onnx.ModelProto) -> set[str]:
    """Tensors by which stored 8-bit codes are multiplied after their conversion to floats."""
    narrow = (TensorProto.INT8, TensorProto.UINT8)
    codes = {tensor.name for graph in graphs(proto.graph) for tensor in graph.initializer if tensor.data_type in narrow}
    every = list(nodes(proto.graph))
    wide = {node.output[0] for node in every if node.op_type == "Cast" and node.input[0] in codes}
    products = [set(node.input) for node in every if node.op_type == "Mul" and wide & set(node.input)]
    return {name for inputs in products for name in inputs - wide}


def unpacked(packed: Array, points: Array | None, *, bits: int, rows: int, width: int, block: int) -> Array:
    """Unpack the weights of a MatMulNBits node.

    Args:
        packed: blocks of codes, as bytes.
        points: codes of zero of each block, as bytes; None for the middle of the range.
        bits, rows, width, block: attributes of the node: `bits`, `N`, `K`, `block_size`.

    Returns:
        int8 (N, K): whole numbers around zero, modulo 256.
    """
    codes = _codes(packed.reshape(rows, -1), bits)
    if points is None:
        zero = np.full(codes.shape, 2 ** (bits - 1), np.uint8)
    else:
        zero = np.repeat(_codes(points.reshape(rows, -1), bits), block, axis=1)[:, : codes.shape[1]]
    return (codes - zero)[:, :width].view(np.int8)


def _codes(packed: Array, bits: int) -> Array:
    """Codes uint8 (n, many) from bytes (n, few), the lowest bits of each byte first."""
    parts = [(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
    return np.stack(parts, axis=2).reshape(len(packed), -1)


def packing(node: onnx.NodeProto) -> dict[str, int]:
    """Arguments of `unpacked` from the attributes of a MatMulNBits node."""
    about = attributes(node)
    return {"bits": about.get("bits", 4), "rows": about["N"], "width": about["K"], "block": about["block_size"]}


def dequantized(proto: onnx.ModelProto) -> Iterator[tuple[str, Array]]:
    """Yield all weights of a file as floats, in the values that the file computes with.

    Yields:
        Name of the stored tensor or of the node's output, and its values: tensors that are stored as floats, what the
        graph computes from constants alone, and the dequantized weights of products of integers. A tensor may come
        several times, such as before and after it is transposed.
    """
    known = constants(proto)
    yield from ((name, array) for name, array in known.items() if is_float(array))
    every = list(nodes(proto.graph))
    for node in every:
        if node.op_type in FOLDED and all(name in known or not name for name in node.input):
            for name, array in _folded(node, known):
                known[name] = array
                if is_float(array):
                    yield name, array
    behind = _scales_behind(every, known)
    for node in every:
        yield from _weights(node, known, behind)


def is_float(array: Array) -> bool:
    """Whether a tensor holds floats of any width."""
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def _folded(node: onnx.NodeProto, known: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """Outputs of a node whose inputs are constants; none where they cannot be computed here."""
    if node.op_type == "DequantizeLinear":
        values, scale, *points = [known[name] for name in node.input if name]
        about = attributes(node)
        axis, block = about.get("axis", 1), about.get("block_size", 0)
        yield node.output[0], _rescaled(values, scale, points[0] if points else None, axis, block)
        return
    try:
        outputs = ReferenceEvaluator(node).run(None, {name: known[name] for name in node.input if name})
    except Exception:  # an attribute or a type that the evaluator does not know
        return
    yield from zip(node.output, outputs, strict=True)


def _rescaled(values: Array, scale: Array, point: Array | None, axis: int, block: int = 0) -> Array:
    """(values - point) x scale; both are those of the tensor, of each entry of an axis, or of blocks along it."""
    parts: list[Any] = []
    for part in (scale, point):
        if part is None or part.size == 1:
            parts.append(0.0 if part is None else part.reshape(()).astype(np.float32))
        elif block:
            repeated = np.repeat(part, block, axis=axis)
            parts.append(repeated.take(range(values.shape[axis]), axis=axis).astype(np.float32))
        elif part.ndim > 1:  # for each direction of a recurrent layer, and each of its outputs
            parts.append(part.reshape(part.shape[0], 1, -1).astype(np.float32))
        else:
            parts.append(part.reshape([-1 if i == axis % values.ndim else 1 for i in range(values.ndim)]))
    rescaled: Array = (values.astype(np.float32) - parts[1]) * parts[0]
    return rescaled


def _weights(node: onnx.NodeProto, known: dict[str, Array], behind: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """Dequantized weights of one node that multiplies integers or packed weights."""
    stored = [known.get(name) for name in node.input] + [None] * 4  # the last inputs may be left out
    if node.op_type == "MatMulNBits":
        packed, factors, points = stored[1:4]
        if packed is not None and factors is not None and (points is None or points.dtype == np.uint8):
            about = packing(node)
            codes = unpacked(packed, points, **about).astype(np.float32)
            spread = np.repeat(factors.reshape(about["rows"], -1), about["block"], axis=1)[:, : about["width"]]
            yield node.input[1], codes * spread.astype(np.float32)
    for weights, scale, point in QUANTIZED.get(node.op_type, ()):
        array, factors = stored[weights], stored[scale]
        if array is not None and factors is not None:
            axis = _channels(node.op_type, array, factors)
            yield node.input[weights], _rescaled(array, factors, stored[point], axis)
    if node.op_type in ("MatMulInteger", "ConvInteger") and stored[1] is not None and node.output[0] in behind:
        factors = behind[node.output[0]]
        yield node.input[1], _rescaled(stored[1], factors, stored[3], _channels(node.op_type, stored[1], factors))


def _channels(operator: str, weights: Array, factors: Array) -> int:
    """Axis of the weights that their scales belong to: output channels."""
    if operator == "QGemm" and factors.size not in (1, weights.shape[-1]):
        return 0  # transposed
    return 0 if operator in ("QLinearConv", "ConvInteger", "DynamicQuantizeLSTM") else weights.ndim - 1


def _scales_behind(every: list[onnx.NodeProto], known: dict[str, Array]) -> dict[str, Array]:
    """Output of a product of integers -> scale of its weights, the last constant that it is multiplied by."""
    return {
        output: [known[name] for name in factors if name in known][-1]
        for output, factors in _factors(every)
        if any(name in known for name in factors)
    }


def _factors(every: list[onnx.NodeProto]) -> Iterator[tuple[str, list[str]]]:
    """Yield the output of each product of integers, and the scales of activations and weights that rescale it.

    After a Cast, it is multiplied by the product of both scales.
    """
    producers = {name: node for node in every for name in node.output}
    for node in every:
        for value, factor in (tuple(node.input), tuple(reversed(node.input))) if node.op_type == "Mul" else ():
            cast, inner = producers.get(value), producers.get(factor)
            product = producers.get(cast.input[0]) if cast is not None and cast.op_type == "Cast" else cast
            if product is not None and product.op_type in ("MatMulInteger", "ConvInteger"):
                is_product = inner is not None and inner.op_type == "Mul"
                yield product.output[0], list(inner.input) if inner is not None and is_product else [factor]
