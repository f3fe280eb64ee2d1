"""Why the file of a method is no smaller than the file that it was made from: bytes of weights, and of the rest."""

import onnx
from onnx import TensorProto

from fairweight.inference.operator_kinds import attributes, graphs, nodes

MATRIX = 2  # dimensions from which a stored tensor is counted as weights; scales and biases have fewer
FEWEST_NUMBERS = 8  # numbers of an attribute from which it holds weights, such as those of a linear model


def growth(before: bytes, after: bytes) -> str:
    """State how much larger a file became, and what takes the bytes.

    Args:
        before, after: contents of two ONNX files, of which the second is not smaller.
    """
    old, new = (_weights(onnx.load_model_from_string(content)) for content in (before, after))
    added = (len(after) - new) - (len(before) - old)
    saved = old - new
    weights = f"weights take {_kb(saved)} less" if saved > 0 else "weights take no fewer bytes"
    return (
        f"larger than the original by {_kb(len(after) - len(before))} ({_kb(len(after))} from {_kb(len(before))}), "
        f"because {weights}, and operators, scales and names take {_kb(added)} more"
    )


def _weights(proto: onnx.ModelProto) -> int:
    """Bytes of the matrices and kernels of a file, and of weights that are attributes of an operator."""
    values = [value for node in nodes(proto.graph) for value in attributes(node).values()]
    tensors = [value for value in values if isinstance(value, TensorProto)]
    tensors += [tensor for graph in graphs(proto.graph) for tensor in graph.initializer]
    numbers = [value for value in values if isinstance(value, list) and len(value) >= FEWEST_NUMBERS]
    size = sum(len(tensor.SerializeToString()) for tensor in tensors if len(tensor.dims) >= MATRIX)
    return size + sum(4 * len(value) for value in numbers if isinstance(value[0], float))


def _kb(size: int) -> str:
    return f"{size / 1000:,.1f} kB"
