"""Mixed precision: the most sensitive layers stay in float until a stated loss of accuracy holds on validation rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from fairweight.compression.onnx_graph_edits import weighted_nodes
from fairweight.compression.static_int8 import quantize_file
from fairweight.core.errors import InputError

OPTIONS = {
    "largest_loss": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.002, "description": "Loss of accuracy on validation rows, as a share, that is accepted."},
    "calibration_rows": {"type": "integer", "minimum": 32, "default": 512, "description": "Training rows to calibrate on, at most; fewer than 32 are refused."},
}  # fmt: skip


def quantize(
    source: Path,
    destination: Path,
    calibration: Callable[[int], list[dict[str, Any]]],
    accuracy: Callable[[Path], float],
    *,
    largest_loss: float,
    calibration_rows: int,
) -> dict[str, Any]:
    """Write the quantized file and return what was done: method, sensitivity of each layer, layers in float.

    Sensitivity is the loss of validation accuracy when that layer alone is quantized.

    Args:
        source, destination: ONNX files.
        calibration: number of rows -> batches of input tensors by name.
        accuracy: accuracy of a file on validation rows.
        largest_loss, calibration_rows: see OPTIONS.

    Raises:
        InputError: too few rows to calibrate on, or not even one layer can be quantized within the loss.
    """
    layers = weighted_nodes(onnx.load(str(source)))
    feeds, before = calibration(calibration_rows), accuracy(source)

    def loss(in_float: list[str]) -> float:
        quantize_file(source, destination, feeds, in_float=in_float)
        return before - accuracy(destination)

    sensitivity = {layer: loss([other for other in layers if other != layer]) for layer in layers}
    order = sorted(layers, key=lambda layer: -sensitivity[layer])
    for number in range(len(layers)):
        lost = loss(order[:number])
        if lost <= largest_loss:
            table = [{"layer": layer, "loss_of_accuracy": sensitivity[layer]} for layer in order]
            return {"method": "mixed", "sensitivity": table, "in_float": order[:number], "validation_loss": lost}
    raise InputError(f"mixed: no layer can be quantized within a loss of {largest_loss:g} of validation accuracy")
