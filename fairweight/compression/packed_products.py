"""Products of weights that are stored in 4 or 8 bits (onnxruntime's MatMulNBits)."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fairweight.compression.weight_grids import Codes, Grid

DOMAIN = "com.microsoft"
INT8_LEVEL = 4  # accuracy_level at which a product also rounds its inputs to int8


FIRST, REST = ".first", ".rest"  # suffixes of the parts of a product


def product(
    graph: onnx.GraphProto, node: onnx.NodeProto, codes: Codes, on: Grid, *, int8_inputs: bool, suffix: str = ""
) -> list[onnx.NodeProto]:
    """Make the nodes that compute a product from packed weights, and add its stored tensors to the graph.

    Args:
        graph: the graph.
        node: MatMul of an input and stored weights.
        codes, on: the weights, outputs x inputs.
        int8_inputs: whether inputs are rounded to int8.
        suffix: of the names, for a part of the outputs.
    """
    name, (outputs, width) = f"{node.input[1]}{suffix}", codes.shape
    blocks = on.scales.shape[1]
    padded = np.zeros((outputs, blocks * on.block), np.uint8)
    padded[:, :width] = codes
    packed = _packed(padded, on.bits).reshape(outputs, blocks, on.block * on.bits // 8)
    _store(graph, packed, f"{name}_Q{on.bits}")
    nodes, inputs = _scale_nodes(graph, name, on), [node.input[0], f"{name}_Q{on.bits}", f"{name}_scales"]
    if not on.symmetric:
        _store(graph, _packed(on.zeros, on.bits), f"{name}_zero_points")
        inputs.append(f"{name}_zero_points")
    level = {"accuracy_level": INT8_LEVEL} if int8_inputs else {}
    about = {"K": width, "N": outputs, "bits": on.bits, "block_size": on.block, **level}
    made = helper.make_node(
        "MatMulNBits",
        inputs,
        [f"{node.output[0]}{suffix}"],
        name=f"{node.name}{suffix}_Q{on.bits}",
        domain=DOMAIN,
        **about,
    )
    return [*nodes, made]


def joined(node: onnx.NodeProto) -> onnx.NodeProto:
    """The node that joins the two parts of the outputs of a product."""
    parts = [f"{node.output[0]}{suffix}" for suffix in (FIRST, REST)]
    return helper.make_node("Concat", parts, list(node.output), name=f"{node.name}.joined", axis=-1)


def _scale_nodes(graph: onnx.GraphProto, name: str, on: Grid) -> list[onnx.NodeProto]:
    """Store the scales; the nodes widen those in 8 bits, which engines do once, when they load the file."""
    if on.scale_codes is None or on.scale_rows is None:
        _store(graph, on.scales, f"{name}_scales")
        return []
    nodes = []
    for part, array in (("scale_codes", on.scale_codes), ("scale_rows", on.scale_rows)):
        _store(graph, array, f"{name}_{part}")
        wide = f"{name}_{part}.wide"
        nodes.append(helper.make_node("Cast", [f"{name}_{part}"], [wide], name=wide, to=TensorProto.FLOAT))
    inputs = [f"{name}_scale_codes.wide", f"{name}_scale_rows.wide"]
    return [*nodes, helper.make_node("Mul", inputs, [f"{name}_scales"], name=f"{name}_scales")]


def _packed(codes: Codes, bits: int) -> NDArray[np.uint8]:
    """Bytes (n, few) of codes (n, many), the first code in the lowest bits."""
    together = 8 // bits
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % together))).reshape(len(codes), -1, together)
    shifts = np.arange(together, dtype=np.uint8) * np.uint8(bits)
    packed: NDArray[np.uint8] = np.bitwise_or.reduce(padded << shifts, axis=2).astype(np.uint8)
    return packed


def _store(graph: onnx.GraphProto, array: NDArray[np.generic], name: str) -> None:
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
