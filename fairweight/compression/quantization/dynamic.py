"""int8 weights, with activations quantized at run time (onnxruntime, dynamic): for networks of linear layers."""

from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from fairweight.compression.method_api import Calibration
from fairweight.compression.onnx_graph_edits import load_graph, merge_copies, separate_uses

OPTIONS = {
    "per_channel": {
        "type": "boolean",
        "default": True,
        "description": "One scale for each output channel instead of one for each tensor.",
    },
    "reduce_range": {
        "type": "boolean",
        "default": False,
        "description": "7-bit weights, for processors without VNNI.",
    },
}


def quantize(
    source: Path,
    destination: Path,
    calibration: Calibration,  # noqa: ARG001 - nothing to calibrate
    *,
    per_channel: bool,
    reduce_range: bool,
) -> str:
    """Write the quantized file and return the name of the method.

    Args:
        source, destination: ONNX files.
        calibration: not used.
        per_channel, reduce_range: see OPTIONS.
    """
    proto = load_graph(source)
    separate_uses(proto)
    quantize_dynamic(
        proto, destination, per_channel=per_channel, reduce_range=reduce_range, weight_type=QuantType.QInt8
    )
    quantized = onnx.load(str(destination))
    merge_copies(quantized)
    onnx.save(quantized, str(destination))
    return "dynamic"
