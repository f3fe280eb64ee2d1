"""Quantization-aware training: finetuning with rounding in the forward pass; the int8 file takes over its scales."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairweight.compression.calibration import Calibration
from fairweight.compression.method_api import Network
from fairweight.compression.onnx_graph_edits import weighted_nodes
from fairweight.compression.static_int8 import quantize_file
from fairweight.core.errors import InputError, by_module, joined
from fairweight.training.module_surgery import replace
from fairweight.training.tracing import replaceable

OPTIONS = {
    "epochs": {"type": "integer", "minimum": 1, "default": 1, "description": "Epochs of finetuning."},
    "learning_rate": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1.0e-4,
        "description": "Learning rate at the start.",
    },
    "calibration_rows": {
        "type": "integer",
        "minimum": 32,
        "default": 512,
        "description": "Largest number of training rows that set the first ranges of activations; fewer than 32 are "
        "refused.",
    },
}


KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)  # layers that the int8 file computes in integers
Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


class Report(TypedDict):
    """Name of the method, and scale and zero point of the input of each layer."""

    method: str
    scales: dict[str, list[float]]


class Rounded(nn.Module):
    """A layer whose input and weights are rounded as the int8 file will round them (Jacob et al. 2018)."""

    low: Tensor
    high: Tensor

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.rounds = False

    def scale(self) -> tuple[float, int]:
        """Scale and zero point of the input as uint8; the range contains 0."""
        scale = max(float(self.high - self.low) / 255, 1e-8)
        return scale, min(255, max(0, round(-float(self.low) / scale)))

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output."""
        if not self.rounds:  # the first ranges are being set
            self.low = torch.minimum(self.low, x.detach().min())
            self.high = torch.maximum(self.high, x.detach().max())
            return self.layer(x)
        x = torch.fake_quantize_per_tensor_affine(x, *self.scale(), 0, 255)
        weight = self.layer.weight
        scales = weight.detach().flatten(1).abs().amax(dim=1).clamp(min=1e-8) / 127
        zero = torch.zeros(len(weight), dtype=torch.int32)
        rounded = torch.fake_quantize_per_channel_affine(weight, scales, zero, 0, -127, 127)
        if isinstance(self.layer, nn.Linear):
            return nn.functional.linear(x, rounded, self.layer.bias)
        return self.layer._conv_forward(x, rounded, self.layer.bias)


def quantize(
    source: Path,
    destination: Path,
    calibration: Calibration,
    network: Network,
    export: Callable[[Path], None],
    *,
    epochs: int,
    learning_rate: float,
    calibration_rows: int,
) -> Report:
    """Finetune the network, write the int8 file, and return the report.

    Args:
        source, destination: ONNX files; the source is the parent's.
        calibration: number of rows -> batches of input tensors by name.
        network: the parent's, finetuned in place; weights that are zero stay zero.
        export: writes the network in its current state to an ONNX file with the nodes of the source.
        epochs, learning_rate, calibration_rows: see OPTIONS.

    Raises:
        InputError: there are too few rows to calibrate on, or the file multiplies by weights of other layers than those
            that can be rounded in training.
    """
    nodes = weighted_nodes(onnx.load(str(source)))
    layers, others = replaceable(network.body, network.example, KINDS)
    rounded = {name: Rounded(layer) for name, layer in layers.items()}
    calls = _set_ranges(network, rounded, calibration_rows)
    if len(calls) != len(nodes):
        reasons = by_module(others)
        print(*reasons, sep="\n")
        raise InputError(
            f"qat: the file multiplies {len(nodes)} times by weights, of which training rounds the {len(calls)} of "
            f"linear and convolution layers ({joined(reasons, 'in the log')}); use another method, such as static"
        )
    masks = {name: p.detach() != 0 for name, p in network.body.named_parameters() if p.dim() >= 2}
    network.train(masks, epochs, learning_rate=learning_rate)
    scales = {name: rounded[name].scale() for name in calls}
    for name, layer in layers.items():
        network.body = replace(network.body, name, layer)
    finetuned = destination.with_name(f"{destination.name}.float")
    export(finetuned)
    try:
        graph = onnx.load(str(finetuned)).graph
        overrides: dict[str, list[dict[str, NDArray[Any]]]] = {
            tensor: [{"scale": np.array(scale, np.float32), "zero_point": np.array(zero, np.uint8)}]
            for node, (scale, zero) in zip(nodes, [scales[name] for name in calls], strict=True)
            for tensor in _same_scale(graph, node)
        }
        quantize_file(finetuned, destination, calibration(calibration_rows), overrides=overrides)
    finally:
        finetuned.unlink(missing_ok=True)
    return {"method": "qat", "scales": {name: list(pair) for name, pair in scales.items()}}


def _set_ranges(network: Network, rounded: dict[str, Rounded], rows: int) -> list[str]:
    """Put rounding layers into the network, set their ranges on training rows, and switch rounding on.

    Returns:
        Names of the layers, in the order in which they run. A layer that runs on several inputs is there several times;
        a call that repeats an earlier one with the same input is left out, as the exporter leaves it out.
    """
    inputs: list[tuple[str, Tensor]] = []

    def record(name: str, x: Tensor) -> None:
        if not any(name == other and torch.equal(x, before) for other, before in inputs):
            inputs.append((name, x))

    for name, module in rounded.items():
        module.register_forward_pre_hook(lambda _module, received, name=name: record(name, received[0]))
        network.body = replace(network.body, name, module)
    with torch.no_grad():
        network.body.eval()
        network.body(network.features(rows))
    for module in rounded.values():
        module._forward_pre_hooks.clear()
        module.rounds = True
    return [name for name, _ in inputs]


def _same_scale(graph: onnx.GraphProto, node: str) -> list[str]:
    """The input of a node, and tensors before it while operators keep the scale: in the file they share one."""
    producers = {output: n for n in graph.node for output in n.output}
    tensors = [next(n.input[0] for n in graph.node if n.name == node)]
    while (before := producers.get(tensors[-1])) is not None and before.op_type in ("MaxPool", "Flatten", "Reshape"):
        tensors.append(before.input[0])
    return tensors
