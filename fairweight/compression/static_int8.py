"""Static int8 quantization with onnxruntime (QDQ), which several methods share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from fairweight.core.errors import InputError

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
FEWEST_ROWS = 32
# the encoding in front of the network (standardisation, one-hot) stays in float
QUANTIZED = ["Conv", "Gemm", "MatMul", "MaxPool"]


class Rows(CalibrationDataReader):  # type: ignore[misc]
    """Batches of input tensors, as onnxruntime wants to be handed them."""

    def __init__(self, feeds: list[dict[str, Any]]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        """The next batch, or None."""
        return next(self.feeds, None)


def check_rows(feeds: list[dict[str, Any]]) -> None:
    """Refuse to find ranges of activations with so few rows that they tell nothing.

    Raises:
        InputError: there are fewer than FEWEST_ROWS.
    """
    found = sum(len(next(iter(batch.values()))) for batch in feeds)
    if found < FEWEST_ROWS:
        raise InputError(
            f"calibration takes {FEWEST_ROWS} training rows or more, and there are {found}; give the dataset more rows, or use "
            "'dynamic' or 'weight_only', which need none"
        )


def quantize_file(
    source: Path, destination: Path, feeds: list[dict[str, Any]], *,
    ranges: str = "minmax", per_channel: bool = True, reduce_range: bool = False,
    in_float: Sequence[str] = (), overrides: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write a file with int8 weights and uint8 activations.

    Args:
        source, destination: ONNX files.
        feeds: batches of input tensors by name, to find ranges of activations with.
        ranges: how they are found, a key of METHODS.
        per_channel: one scale for each output channel.
        reduce_range: 7-bit weights.
        in_float: names of nodes that stay in float.
        overrides: tensor -> its scale and zero point, instead of those that calibration finds.

    Raises:
        InputError: there are too few rows to find ranges with.
    """
    check_rows(feeds)
    quantize_static(
        source,
        destination,
        Rows(feeds),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=QUANTIZED,
        per_channel=per_channel,
        reduce_range=reduce_range,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=METHODS[ranges],
        nodes_to_exclude=list(in_float),
        extra_options={"TensorQuantOverrides": overrides} if overrides else None,
    )
