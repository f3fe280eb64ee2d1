"""Static int8 quantization with onnxruntime (QDQ), which several methods share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from fairweight.compression.method_api import Batch
from fairweight.compression.onnx_graph_edits import load_graph, merge_copies, separate_uses
from fairweight.core.errors import InputError

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
FEWEST_ROWS = 32
# the input encoder in front of the network (standardisation, one-hot) stays in float
QUANTIZED = ["Conv", "Gemm", "MatMul", "MaxPool"]


class BatchReader(CalibrationDataReader):  # type: ignore[misc]
    """Batches of input tensors in the interface that onnxruntime reads."""

    def __init__(self, feeds: list[Batch]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> Batch | None:
        """The next batch, or None after the last one."""
        return next(self.feeds, None)


def check_rows(feeds: list[Batch]) -> None:
    """Refuse to calibrate ranges of activations on fewer than FEWEST_ROWS rows, which say too little.

    Raises:
        InputError: there are fewer rows.
    """
    rows = sum(len(next(iter(batch.values()))) for batch in feeds)
    if rows < FEWEST_ROWS:
        raise InputError(
            f"calibration takes {FEWEST_ROWS} training rows or more, and there are {rows}; "
            "give the dataset more rows, or use 'dynamic' or 'weight_only', which need none"
        )


def quantize_file(
    source: Path,
    destination: Path,
    feeds: list[Batch],
    *,
    ranges: str = "minmax",
    per_channel: bool = True,
    reduce_range: bool = False,
    in_float: Sequence[str] = (),
    overrides: Mapping[str, list[dict[str, NDArray[Any]]]] | None = None,
) -> None:
    """Write an ONNX file with int8 weights and uint8 activations.

    Args:
        source, destination: ONNX files.
        feeds: batches of input tensors by name, on which the ranges of activations are calibrated.
        ranges: method of calibration, a key of METHODS.
        per_channel: use one scale for each output channel.
        reduce_range: use 7-bit weights.
        in_float: names of nodes that stay in float.
        overrides: tensor -> its `scale` and `zero_point`, which replace the calibrated ones.

    Raises:
        InputError: there are too few rows to calibrate on.
    """
    check_rows(feeds)
    proto = load_graph(source)
    separate_uses(proto)
    quantize_static(
        proto,
        destination,
        BatchReader(feeds),
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
    quantized = onnx.load(str(destination))
    merge_copies(quantized)
    onnx.save(quantized, str(destination))
