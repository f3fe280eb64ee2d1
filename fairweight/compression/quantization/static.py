"""int8 weights and activations, calibrated on training rows (onnxruntime, static QDQ): for convolutions."""

from pathlib import Path

from fairweight.compression.calibration import Calibration
from fairweight.compression.static_int8 import quantize_file

OPTIONS = {
    "ranges": {
        "enum": ["minmax", "entropy", "percentile"],
        "default": "minmax",
        "description": "Method that calibrates the ranges of activations.",
    },
    "calibration_rows": {
        "type": "integer",
        "minimum": 32,
        "default": 512,
        "description": "Largest number of training rows to calibrate on; fewer than 32 are refused.",
    },
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
    calibration: Calibration,
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
        InputError: there are too few training rows to calibrate on.
    """
    feeds = calibration(calibration_rows)
    quantize_file(source, destination, feeds, ranges=ranges, per_channel=per_channel, reduce_range=reduce_range)
    return "static"
