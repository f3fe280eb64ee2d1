"""Half precision: weights stored as float16, and operators computed in it where the engine has kernels for them.

What stands before the first layer, such as the standardisation of large numbers, stays in float32.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

from fairweight.compression.calibration import Calibration
from fairweight.compression.foreign_graphs import add_types, reads_weight
from fairweight.compression.narrow_storage import store_in_16_bits
from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.onnx_graph_edits import load_graph
from fairweight.core.errors import InputError
from fairweight.inference.onnxruntime_session import check_loads, session
from fairweight.inference.operator_kinds import STANDARD, Kind, kind, nodes
from fairweight.inference.quantized_weights import constants, is_float

OPTIONS: dict[str, dict[str, object]] = {}
LARGEST = float(np.finfo(np.float16).max)
MASK = 1e8  # a constant beyond it stands for infinity, such as that of a masked position, and becomes LARGEST


def quantize(
    source: Path,
    destination: Path,
    calibration: Calibration,  # noqa: ARG001 - nothing to calibrate
) -> str:
    """Write the file with float16 inside and unchanged types of inputs and outputs, and return the name of the method.

    A graph of which onnxruntime does not load that form is stored with float16 weights and computes in float32.

    Raises:
        InputError: a weight is larger than float16 can hold.
        NotApplicable: the graph stores no matrix or kernel.
    """
    proto = load_graph(source)
    weights = _weights(proto)
    if not weights:
        raise NotApplicable("float16 takes stored matrices and kernels, and this model has none")
    _check_range(proto, weights)
    onnx.save(_converted(proto, weights), str(destination))
    if _loads(destination):
        return "float16"
    proto = load_graph(source)
    store_in_16_bits(proto, TensorProto.FLOAT16)
    onnx.save(proto, str(destination))
    return "float16 weights"


def _weights(proto: onnx.ModelProto) -> set[str]:
    """Names of stored matrices, and of tensors that products read; not of rows of numbers for a standardisation."""
    read = {name for node in nodes(proto.graph) for i, name in enumerate(node.input) if reads_weight(node, i)}
    floats = [tensor for tensor in proto.graph.initializer if tensor.data_type == TensorProto.FLOAT]
    matrices = {tensor.name for tensor in floats if sum(size > 1 for size in tensor.dims) > 1}
    return matrices | {tensor.name for tensor in floats if tensor.name in read and len(tensor.dims) > 1}


def _check_range(proto: onnx.ModelProto, weights: set[str]) -> None:
    """Refuse weights that float16 cannot hold."""
    for tensor in proto.graph.initializer:
        if tensor.name in weights:
            values = numpy_helper.to_array(tensor)
            largest = float(np.abs(values[np.isfinite(values)]).max(initial=0))
            if LARGEST < largest < MASK:
                raise InputError(
                    f"float16 holds numbers up to {LARGEST:,.0f}, and a weight of {tensor.name!r} is {largest:,.0f}; "
                    "use 'bfloat16'"
                )


def _converted(proto: onnx.ModelProto, weights: set[str]) -> onnx.ModelProto:
    """The graph in float16 behind its first layer."""
    add_types(proto)
    before = {node.name for node in proto.graph.node}
    converted: onnx.ModelProto = convert_float_to_float16(
        proto,
        keep_io_types=True,
        op_block_list=DEFAULT_OP_BLOCK_LIST,
        node_block_list=sorted(_in_float(proto, weights)),
    )
    _remove_round_trips(converted.graph, before)
    del converted.graph.value_info[:]  # as in the file that ships: onnxruntime may crash without them, or with them
    return converted


def _in_float(proto: onnx.ModelProto, weights: set[str]) -> set[str]:
    """Names of nodes before the first layer, and of those with a constant that float16 cannot hold."""
    behind, names = set(weights), set()
    arrays = {name: array for name, array in constants(proto).items() if is_float(array)}
    large = {name for name, array in arrays.items() if ((np.abs(array) > LARGEST) & (np.abs(array) < MASK)).any()}
    for node in proto.graph.node:
        known = kind(node.op_type, node.domain)
        multiplies = known not in (Kind.NONE, Kind.UNKNOWN) and node.domain in (*STANDARD, "com.microsoft")
        if multiplies or behind & set(node.input):
            behind.update(node.output)
        elif node.op_type != "Constant":
            names.add(node.name)
        if large & {*node.input, *node.output}:
            names.add(node.name)
    read = {name for node in proto.graph.node if node.name in names for name in node.input}
    return names | {n.name for n in proto.graph.node if n.op_type == "Constant" and n.output[0] in read}


def _remove_round_trips(graph: onnx.GraphProto, before: set[str]) -> None:
    """Let nodes that stay in float32 read what others in float32 computed, and not its float16 form."""
    casts = {node.output[0]: node for node in graph.node if node.op_type == "Cast" and node.name not in before}
    wide = {}
    for name, node in casts.items():
        inner = casts.get(node.input[0])
        if inner is not None and node.attribute[0].i == TensorProto.FLOAT:
            wide[name] = inner.input[0]
    for node in graph.node:
        if node.output and node.output[0] in casts:
            continue
        node.input[:] = [wide.get(name, name) for name in node.input]
    returned = {value.name for value in graph.output}
    for node in [n for n in graph.node if n.output and n.output[0] in returned and n.output[0] in wide]:
        node.op_type, node.input[0] = "Identity", wide[node.output[0]]
        del node.attribute[:]
    while True:
        read = {name for node in graph.node for name in node.input} | returned
        unread = [node for node in graph.node if node.name not in before and not set(node.output) & read]
        if not unread:
            return
        for node in unread:
            graph.node.remove(node)


def _loads(path: Path) -> bool:
    """Whether onnxruntime loads a file."""
    try:
        check_loads(path)
        session(path, threads=1, quiet=True)
    except Exception:  # a crash in the child process, or a type for which it has no kernel
        return False
    return True
