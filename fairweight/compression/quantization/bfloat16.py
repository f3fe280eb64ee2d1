"""Weights stored as bfloat16 and widened to float32 when the file is loaded: half the bytes, and the same speed.

onnxruntime has no bfloat16 kernels for convolutions and linear layers on a CPU, so it computes nothing in bfloat16.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fairweight.compression.method_api import Calibration
from fairweight.compression.onnx_graph_edits import load_graph

OPTIONS: dict[str, dict[str, object]] = {}


def quantize(
    source: Path,
    destination: Path,
    calibration: Calibration,  # noqa: ARG001 - nothing to calibrate
) -> str:
    """Write the file with weights rounded to the nearest bfloat16, and return the name of the method."""
    proto = load_graph(source)
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) >= 2:
            name = tensor.name
            bits = np.ascontiguousarray(numpy_helper.to_array(tensor)).view(np.uint32)
            rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")  # to nearest, ties to even
            stored = helper.make_tensor(f"{name}.bf16", TensorProto.BFLOAT16, tensor.dims, rounded.tobytes(), raw=True)
            tensor.CopyFrom(stored)
            casts.append(helper.make_node("Cast", [stored.name], [name], name=f"{name}.widened", to=TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.save(proto, str(destination))
    return "bfloat16 weights"
