"""int8 weights and activations, calibrated on training rows (onnxruntime, static QDQ): for convolutions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairweight.compression.static_int8 import quantize_file

OPTIONS = {
    "ranges": {"enum": ["minmax", "entropy", "percentile"], "default": "minmax", "description": "How ranges of activations are found."},
    "calibration_rows": {"type": "integer", "minimum": 32, "default": 512, "description": "Training rows to calibrate on, at most; fewer than 32 are refused."},
    "per_channel": {"type": "boolean", "default": True, "description": "One scale for each output channel instead of one for each tensor."},
    "reduce_range": {"type": "boolean", "default": False, "description": "7-bit weights, for processors without VNNI."},
}  # fmt: skip


def quantize(
    source: Path,
    destination: Path,
    calibration: Callable[[int], list[dict[str, Any]]],
    *,
    calibration_rows: int,
    per_channel: bool,
    ranges: str,
    reduce_range: bool,
) -> str:
    """Write the quantized file and return the name of the method.

    Args:
        source, destination: ONNX files.
        calibration: number of rows -> batches of input tensors by name.
        calibration_rows, per_channel, ranges, reduce_range: see OPTIONS.

    Raises:
        InputError: there are too few training rows to find ranges with.
    """
    feeds = calibration(calibration_rows)
    quantize_file(source, destination, feeds, ranges=ranges, per_channel=per_channel, reduce_range=reduce_range)
    return "static"
