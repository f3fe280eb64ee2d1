"""Weights stored in 8 or 16 bits and widened when the file is loaded, for operators that compute in float32."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fairweight.compression.foreign_graphs import reads_weight
from fairweight.inference.operator_kinds import nodes

# bytes that the nodes and the names of a tensor add to a file
OVERHEAD = 160
LARGEST_CODE = 127
CONVOLUTIONS = {"Conv": 0, "ConvTranspose": 1}  # operator -> axis of the output channels of its kernels


def store_in_8_bits(proto: onnx.ModelProto) -> list[str]:
    """Store the weights of products of floats as int8 with one scale for each channel, in place.

    They are widened by Cast and Mul, which engines compute once, when they load the file: the products are as fast as
    before. (onnxruntime repeats a DequantizeLinear in every call.)

    Args:
        proto: a graph as `onnx_graph_edits.load_graph` returns it.

    Returns:
        Names of the tensors.
    """
    graph = proto.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    axes = _axes(graph, tensors)
    made, names = [], []
    for name, axis in axes.items():
        values = numpy_helper.to_array(tensors[name])
        codes, scales = _rounded(values, axis)
        if values.nbytes <= codes.nbytes + scales.nbytes + OVERHEAD or not np.isfinite(scales).all():
            continue
        tensors[name].CopyFrom(numpy_helper.from_array(codes, f"{name}.int8"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}.int8_scales"))
        wide = f"{name}.int8_wide"
        made.append(helper.make_node("Cast", [f"{name}.int8"], [wide], name=wide, to=TensorProto.FLOAT))
        made.append(helper.make_node("Mul", [wide, f"{name}.int8_scales"], [name], name=f"{name}.int8_scaled"))
        names.append(name)
    _put_first(graph, made)
    return names


def store_in_16_bits(proto: onnx.ModelProto, element: int) -> list[str]:
    """Store all matrices and kernels as float16 or bfloat16, rounded to the nearest number, in place.

    Args:
        proto: a graph as `onnx_graph_edits.load_graph` returns it.
        element: the type, of `onnx.TensorProto`.

    Returns:
        Names of the tensors.
    """
    made, suffix = [], {TensorProto.BFLOAT16: "bf16", TensorProto.FLOAT16: "float16"}[element]
    for tensor in proto.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) >= 2:
            name, values = tensor.name, np.ascontiguousarray(numpy_helper.to_array(tensor))
            half = _bfloat16(values) if element == TensorProto.BFLOAT16 else values.astype("<f2")
            tensor.CopyFrom(helper.make_tensor(f"{name}.{suffix}", element, tensor.dims, half.tobytes(), raw=True))
            made.append(helper.make_node("Cast", [tensor.name], [name], name=f"{name}.widened", to=TensorProto.FLOAT))
    _put_first(proto.graph, made)
    return [node.output[0] for node in made]


def _bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16, ties to even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def _put_first(graph: onnx.GraphProto, made: list[onnx.NodeProto]) -> None:
    """Put nodes before those of a graph."""
    every = [*made, *(onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node)]
    del graph.node[:]
    graph.node.extend(every)


def _axes(graph: onnx.GraphProto, tensors: dict[str, onnx.TensorProto]) -> dict[str, int | None]:
    """Stored matrices and kernels that products of floats read -> axis of their channels; None for several."""
    axes: dict[str, int | None] = {}
    for node in nodes(graph):
        for position, name in enumerate(node.input):
            tensor = tensors.get(name) if reads_weight(node, position) else None
            if tensor is None or tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
                continue
            axis = _axis(node, position, len(tensor.dims))
            axes[name] = axis if axes.get(name, axis) == axis else None
    return axes


def _axis(node: onnx.NodeProto, position: int, rank: int) -> int | None:
    """Axis of the output channels of a weight tensor; None where the operator says nothing."""
    if node.op_type in ("LSTM", "GRU", "RNN") and rank == 3:
        return 1  # (directions, outputs, inputs)
    if node.op_type == "Gemm":
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        return (0 if transposed else 1) if position == 1 else None
    if node.op_type == "MatMul":
        return rank - 1 if position == 1 else rank - 2
    return CONVOLUTIONS.get(node.op_type) if position == 1 else None


def _rounded(values: NDArray[np.float32], axis: int | None) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Codes, and scales that broadcast to them."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    scales = np.abs(values).max(axis=others, keepdims=True) / LARGEST_CODE
    scales[scales == 0] = 1.0
    codes = np.clip(np.round(values / scales), -LARGEST_CODE, LARGEST_CODE)
    return codes.astype(np.int8), scales.astype(np.float32)
