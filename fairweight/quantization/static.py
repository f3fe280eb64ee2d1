"""int8 weights and activations, calibrated on training rows (onnxruntime, static QDQ): for convolutions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from fairweight.errors import InputError

OPTIONS = {
    "ranges": {"enum": ["minmax", "entropy", "percentile"], "default": "minmax", "description": "How ranges of activations are found."},
    "calibration_rows": {"type": "integer", "minimum": 32, "default": 512, "description": "Training rows to calibrate on, at most; fewer than 32 are refused."},
    "per_channel": {"type": "boolean", "default": True, "description": "One scale for each output channel instead of one for each tensor."},
    "reduce_range": {"type": "boolean", "default": False, "description": "7-bit weights, for processors without VNNI."},
}  # fmt: skip

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
FEWEST_ROWS = 32
# the encoding in front of the network (standardisation, one-hot) stays in float
QUANTIZED = ["Conv", "Gemm", "MatMul", "MaxPool"]


class _Rows(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: list[dict[str, Any]]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        return next(self.feeds, None)


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
    found = sum(len(next(iter(batch.values()))) for batch in feeds)
    if found < FEWEST_ROWS:
        raise InputError(f"static calibration takes {FEWEST_ROWS} training rows or more, and there are {found}")
    quantize_static(
        source,
        destination,
        _Rows(feeds),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=QUANTIZED,
        per_channel=per_channel,
        reduce_range=reduce_range,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=METHODS[ranges],
    )
    return "static"
