"""Multiply-accumulate operations (MACs) of an ONNX file, counted from the shapes of its tensors.

Counted are products that are summed: of matrices, convolutions, recurrent layers, attention and Einsum, in any type.
Additions of a bias and products element by element are not, as in `torch.utils.flop_counter`, whose numbers are twice
ours. Packages that count ONNX files (onnx-tool 1.0, for example) also count activations and biases, and do not know
the quantized operators of onnxruntime.
"""

import copy
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnxruntime
from onnx import helper

from fairweight.inference.causal_decoding import PAST
from fairweight.inference.operator_kinds import STANDARD, Kind, attributes, kind, nodes, subgraphs

Shape = tuple[int, ...]
Shapes = dict[str, Shape]  # name of a tensor -> its shape


def macs(proto: onnx.ModelProto) -> int | None:
    """Count the multiply-accumulate operations for one row, products with zeros included.

    Returns:
        None if the number is unknown: an operator is unknown, a loop's length depends on the inputs, the number depends
        on the length of the row, or the shapes cannot be computed.
    """
    if any(value.name.startswith(PAST) for value in proto.graph.input):
        return None  # attention of a decoder depends on the length of its cache
    if proto.functions:
        proto = onnx.inliner.inline_local_functions(proto)
    counted = [node for node in proto.graph.node if _multiplies(node)]
    if any(node.op_type not in _COUNTS for node in counted):
        return None
    if not counted:
        return 0
    totals = set()
    for length in (1, 2) if _free_dimensions(proto) else (1,):
        shapes = _shapes(proto, length)
        counts = [_count(node, shapes) for node in counted] if shapes else [None]
        totals.add(None if None in counts else sum(count for count in counts if count is not None))
    total = totals.pop()
    rows = _rows(proto)
    return None if totals or total is None or total % rows else total // rows


def _multiplies(node: onnx.NodeProto) -> bool:
    """Whether a node has products that are summed, or may have."""
    known = kind(node.op_type, node.domain)
    if known is Kind.CONTROL:
        return any(_multiplies(inside) for graph in subgraphs(node) for inside in nodes(graph))
    return known is not Kind.NONE


def _count(node: onnx.NodeProto, shapes: Shapes) -> int | None:
    """Products of one node; None where they are unknown."""
    try:
        return _COUNTS[node.op_type](node, [shapes.get(name) for name in node.input], shapes.get(node.output[0]))
    except (IndexError, KeyError, TypeError, ValueError):  # a shape that is needed is missing or of another form
        return None


# ---- shapes


def _free_dimensions(proto: onnx.ModelProto) -> bool:
    """Whether an input has a dimension besides its rows whose size is not fixed."""
    fixed = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value.type.tensor_type.shape.dim for value in proto.graph.input if value.name not in fixed]
    return any(not d.HasField("dim_value") for dimensions in inputs for d in list(dimensions)[1:])


def _rows(proto: onnx.ModelProto) -> int:
    """Rows of one call: 1 unless the file fixes their number."""
    fixed = {tensor.name for tensor in proto.graph.initializer}
    first = next((value for value in proto.graph.input if value.name not in fixed), None)
    dimensions = first.type.tensor_type.shape.dim if first else []
    return dimensions[0].dim_value or 1 if dimensions else 1


def _shapes(proto: onnx.ModelProto, length: int) -> Shapes | None:
    """Shapes of all tensors of a file for one row, from running it on zeros; None if it cannot be run.

    Args:
        proto: the file.
        length: size of dimensions that are not fixed, besides the number of rows.
    """
    shown = copy.deepcopy(proto)
    fixed = {tensor.name: tuple(tensor.dims) for tensor in shown.graph.initializer}
    names = [name for node in shown.graph.node for name in node.output if name]
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    feeds = {}
    for value in shown.graph.input:
        if value.name not in fixed:
            tensor = value.type.tensor_type
            sizes = [d.dim_value or (length if i else 1) for i, d in enumerate(tensor.shape.dim)]
            feeds[value.name] = np.zeros(sizes, helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = onnxruntime.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
        values = dict(zip(names, session.run(names, feeds), strict=True))
    except Exception:  # whatever the reason, the shapes are unknown
        return None
    arrays = {name: array.shape for name, array in {**feeds, **values}.items() if isinstance(array, np.ndarray)}
    return fixed | arrays


# ---- products of one node: its attributes, and shapes of its inputs and of its first output

Counter = Callable[[onnx.NodeProto, list[Any], Any], int | None]


def _matrix_product(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> int:
    first = inputs[0]
    transposed = attributes(node).get("transA", 0)
    return prod(output) * first[-2 if transposed and len(first) > 1 else -1]


def _convolution(weights: int) -> Counter:
    return lambda _node, inputs, output: prod(output) * prod(inputs[weights][1:])


def _transposed_convolution(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> int:  # noqa: ARG001
    return prod(inputs[0]) * prod(inputs[1][1:])


def _recurrent(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> int:  # noqa: ARG001
    steps, rows = inputs[0][:2]  # in either order
    return steps * rows * (prod(inputs[1]) + prod(inputs[2]))


def _packed(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> int:  # noqa: ARG001
    return prod(inputs[0]) * int(attributes(node)["N"])


def _einsum(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> int | None:
    """Products of two operands; the order in which more are contracted is the engine's choice."""
    terms, _, result = attributes(node)["equation"].decode().replace(" ", "").partition("->")
    operands = terms.split(",")
    if len(operands) != 2 or not result:
        return None if len(operands) > 1 else 0
    sizes: dict[str, int] = {}
    for term, shape in zip(operands, inputs, strict=True):
        before, _, after = term.partition("...")
        sizes |= dict(zip(before, shape, strict=False)) | dict(zip(reversed(after), reversed(shape), strict=False))
    return prod(output) * prod(size for label, size in sizes.items() if label not in result)


def _attention(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> int | None:
    """Attention of either domain: products with weights, of queries with keys, and of their scores with values."""
    if node.domain not in STANDARD:
        return _fused_attention(node, inputs, output)
    queries, keys, values = inputs[:3]
    past = inputs[4][2] if len(inputs) > 4 and inputs[4] else 0
    if len(queries) == 4:
        rows, heads, length, width = queries
        return rows * heads * length * (keys[2] + past) * (width + values[3])
    heads, groups = attributes(node)["q_num_heads"], attributes(node)["kv_num_heads"]
    rows, length, width = queries
    return rows * length * (keys[1] + past) * (width + heads * values[2] // groups)


def _fused_attention(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> int | None:
    if any(len(name) for name in node.input[4:5]):  # a cache
        return None
    rows, length, width = inputs[0]
    merged = inputs[1][1]
    values = output[2]
    return rows * length * (width * merged + length * ((merged - values) // 2 + values))


def _multi_head_attention(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> int | None:  # noqa: ARG001
    if any(node.input[6:8]) or len(inputs) < 3 or not (inputs[1] and inputs[2]):  # a cache, or packed inputs
        return None
    rows, length, width = inputs[0]
    keys, values = inputs[1], inputs[2]
    return rows * length * (keys[-2] * (width + (values[-1] if len(values) == 3 else values[1] * values[3])))


def _linear_model(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> int:  # noqa: ARG001
    return (inputs[0][0] if len(inputs[0]) > 1 else 1) * len(attributes(node)["coefficients"])


_COUNTS: dict[str, Counter] = {
    **dict.fromkeys(
        (
            "DynamicQuantizeMatMul",
            "FusedGemm",
            "FusedMatMul",
            "FusedMatMulActivation",
            "Gemm",
            "GemmFastGelu",
            "MatMul",
            "MatMulInteger",
            "MatMulInteger16",
            "MatMulIntegerToFloat",
            "QGemm",
            "QLinearMatMul",
        ),
        _matrix_product,
    ),
    **dict.fromkeys(("Conv", "ConvInteger", "FusedConv"), _convolution(1)),
    **dict.fromkeys(("GRU", "LSTM", "RNN", "DynamicQuantizeLSTM"), _recurrent),
    **dict.fromkeys(("LinearClassifier", "LinearRegressor"), _linear_model),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed_convolution,
    "MatMulNBits": _packed,
    "Einsum": _einsum,
    "Attention": _attention,
    "MultiHeadAttention": _multi_head_attention,
}
