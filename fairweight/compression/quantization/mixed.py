"""Mixed precision: the most sensitive layers stay in float, as few as keep validation accuracy within a stated loss."""

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from fairweight.compression.calibration import Calibration
from fairweight.compression.not_applicable import NotApplicable
from fairweight.compression.onnx_graph_edits import load_graph, weighted_nodes
from fairweight.compression.static_int8 import quantize_file
from fairweight.core.errors import InputError

OPTIONS = {
    "largest_loss": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.002,
        "description": "Accepted loss of accuracy on validation rows, as a share.",
    },
    "calibration_rows": {
        "type": "integer",
        "minimum": 32,
        "default": 512,
        "description": "Largest number of training rows to calibrate on; fewer than 32 are refused.",
    },
}


class LayerSensitivity(TypedDict):
    """Loss of validation accuracy (a share) when only this layer is quantized."""

    layer: str
    loss_of_accuracy: float


class Report(TypedDict):
    """Layers by falling sensitivity, those left in float, and the loss of validation accuracy of the file."""

    method: str
    sensitivity: list[LayerSensitivity]
    in_float: list[str]
    validation_loss: float


def quantize(
    source: Path,
    destination: Path,
    calibration: Calibration,
    accuracy: Callable[[Path], float],
    *,
    largest_loss: float,
    calibration_rows: int,
) -> Report:
    """Write the quantized file and return the report.

    Args:
        source, destination: ONNX files.
        calibration: number of rows -> batches of input tensors by name.
        accuracy: accuracy of a file on validation rows.
        largest_loss, calibration_rows: see OPTIONS.

    Raises:
        InputError: there are too few rows to calibrate on, or not even one layer can be quantized within the loss.
        NotApplicable: the graph has no convolution or linear layer with stored weights.
    """
    layers = weighted_nodes(load_graph(source))
    if not layers:
        raise NotApplicable("mixed takes networks with convolutions or linear layers, and this model has none")
    feeds, before = calibration(calibration_rows), accuracy(source)

    def loss(in_float: list[str]) -> float:
        quantize_file(source, destination, feeds, in_float=in_float)
        return before - accuracy(destination)

    sensitivity = {layer: loss([other for other in layers if other != layer]) for layer in layers}
    order = sorted(layers, key=lambda layer: -sensitivity[layer])
    for number in range(len(layers)):
        lost = loss(order[:number])
        if lost <= largest_loss:
            return {
                "method": "mixed",
                "sensitivity": [{"layer": layer, "loss_of_accuracy": sensitivity[layer]} for layer in order],
                "in_float": order[:number],
                "validation_loss": lost,
            }
    raise InputError(f"mixed: no layer can be quantized within a loss of {largest_loss:g} of validation accuracy")
