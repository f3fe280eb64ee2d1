"""Static int8 quantization with onnxruntime (QDQ), which several methods share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from fairweight.compression.calibration import Batch
from fairweight.compression.foreign_graphs import OPERATOR_SET, require_operator_set
from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.onnx_graph_edits import load_graph, merge_copies, separate_uses, weighted_nodes
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
    """Batches of input tensors in the interface that onnxruntime reads.

    Args:
        feeds: batches of input tensors by name.
        rows: rows of one call, if the graph takes one number only.
    """

    def __init__(self, feeds: list[Batch], rows: int | None = None) -> None:
        self.feeds = iter(feeds if rows is None else in_calls(feeds, rows))

    def get_next(self) -> Batch | None:
        """The next batch, or None after the last one."""
        return next(self.feeds, None)


def in_calls(feeds: list[Batch], rows: int) -> list[Batch]:
    """Batches of exactly `rows` rows; rows that fill no whole batch are left out."""
    calls = []
    for batch in feeds:
        for start in range(0, len(next(iter(batch.values()))) - rows + 1, rows):
            calls.append({name: array[start : start + rows] for name, array in batch.items()})
    return calls


def fixed_rows(proto: onnx.ModelProto) -> int | None:
    """Number of rows that a graph states for every call; None where it is free."""
    shapes = [value.type.tensor_type.shape.dim for value in proto.graph.input]
    sizes = {dims[0].dim_value for dims in shapes if len(dims)}
    return sizes.pop() or None if len(sizes) == 1 else None


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
        source: ONNX file to read.
        destination: ONNX file to write.
        feeds: batches of input tensors by name, on which the ranges of activations are calibrated.
        ranges: method of calibration, a key of METHODS.
        per_channel: use one scale for each output channel.
        reduce_range: use 7-bit weights.
        in_float: names of nodes that stay in float.
        overrides: tensor -> its `scale` and `zero_point`, which replace the calibrated ones.

    Raises:
        InputError: there are too few rows to calibrate on, or the graph uses operators of an old set.
        NotApplicable: it has no convolution or linear layer with stored weights.
    """
    check_rows(feeds)
    proto = load_graph(source)
    require_operator_set(proto, OPERATOR_SET, "static int8")
    separate_uses(proto)
    if not weighted_nodes(proto):
        raise NotApplicable("static int8 takes networks with convolutions or linear layers, and this model has none")
    quantize_static(
        proto,
        destination,
        BatchReader(feeds, fixed_rows(proto)),
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
