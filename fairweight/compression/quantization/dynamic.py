"""int8 weights, activations quantized while running (onnxruntime, dynamic): for networks of linear layers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from onnxruntime.quantization import QuantType, quantize_dynamic

OPTIONS = {
    "per_channel": {"type": "boolean", "default": True, "description": "One scale for each output channel instead of one for each tensor."},
    "reduce_range": {"type": "boolean", "default": False, "description": "7-bit weights, for processors without VNNI."},
}  # fmt: skip


def quantize(
    source: Path,
    destination: Path,
    calibration: Callable[[int], list[dict[str, Any]]],  # noqa: ARG001 - nothing to calibrate
    *,
    per_channel: bool,
    reduce_range: bool,
) -> str:
    """Write the quantized file and return the name of the method."""
    quantize_dynamic(
        source, destination, per_channel=per_channel, reduce_range=reduce_range, weight_type=QuantType.QInt8
    )
    return "dynamic"
