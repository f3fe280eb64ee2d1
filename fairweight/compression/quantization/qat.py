"""Quantization-aware training: finetuned with rounding in the forward pass, whose scales the int8 file takes over."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from fairweight.compression.method_api import Network
from fairweight.compression.onnx_graph_edits import weighted_nodes
from fairweight.compression.static_int8 import quantize_file
from fairweight.core.errors import InputError

OPTIONS = {
    "epochs": {"type": "integer", "minimum": 1, "default": 1, "description": "Epochs of finetuning."},
    "learning_rate": {"type": "number", "exclusiveMinimum": 0, "default": 1.0e-4, "description": "Learning rate at the start."},
    "calibration_rows": {"type": "integer", "minimum": 32, "default": 512, "description": "Training rows that set the first ranges of activations; fewer than 32 are refused."},
}  # fmt: skip


class Rounded(nn.Module):
    """A layer whose input and weights are rounded as the int8 file will round them (Jacob et al. 2018)."""

    low: Tensor
    high: Tensor

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.rounds = False

    def scale(self) -> tuple[float, int]:
        """Scale and zero point of the input, uint8; the range holds 0."""
        scale = max(float(self.high - self.low) / 255, 1e-8)
        return scale, min(255, max(0, round(-float(self.low) / scale)))

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output."""
        if not self.rounds:  # finding the first ranges
            self.low = torch.minimum(self.low, x.detach().min())
            self.high = torch.maximum(self.high, x.detach().max())
            return self.layer(x)
        x = torch.fake_quantize_per_tensor_affine(x, *self.scale(), 0, 255)
        weight = self.layer.weight
        scales = weight.detach().flatten(1).abs().amax(dim=1).clamp(min=1e-8) / 127
        zero = torch.zeros(len(weight), dtype=torch.int32)
        rounded = torch.fake_quantize_per_channel_affine(weight, scales, zero, 0, -127, 127)
        if isinstance(self.layer, nn.Conv2d):
            return self.layer._conv_forward(x, rounded, self.layer.bias)
        return nn.functional.linear(x, rounded, self.layer.bias)


def quantize(
    source: Path,
    destination: Path,
    calibration: Callable[[int], list[dict[str, Any]]],
    network: Network,
    export: Callable[[Path], None],
    *,
    epochs: int,
    learning_rate: float,
    calibration_rows: int,
) -> dict[str, Any]:
    """Finetune, write the int8 file, and return the name of the method and the scales of its activations.

    Args:
        source, destination: ONNX files; the source is the parent's.
        calibration: number of rows -> batches of input tensors by name.
        network: the parent's, finetuned in place; weights that are zero stay zero.
        export: writes the network, as it is, to an ONNX file with the nodes of the source.
        epochs, learning_rate, calibration_rows: see OPTIONS.

    Raises:
        InputError: too few rows to calibrate on, or layers that are not run one after another.
    """
    nodes = weighted_nodes(onnx.load(str(source)))
    layers = [(n, m) for n, m in network.body.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    if len(layers) != len(nodes):
        raise InputError(f"qat: {len(layers)} layers and {len(nodes)} nodes of the graph do not match")
    order: list[str] = []
    rounded = {}
    for name, layer in layers:
        rounded[name] = Rounded(layer)
        rounded[name].register_forward_pre_hook(lambda *_args, name=name: order.append(name))
        _set(network.body, name, rounded[name])
    with torch.no_grad():
        network.body.eval()
        network.body(network.features(calibration_rows))
    executed = list(dict.fromkeys(order))
    for module in rounded.values():
        module._forward_pre_hooks.clear()
        module.rounds = True
    masks = {f"{name}.layer.weight": layer.weight.detach() != 0 for name, layer in layers}
    network.train(masks, epochs, learning_rate=learning_rate)
    scales = {name: rounded[name].scale() for name in executed}
    for name, layer in layers:
        _set(network.body, name, layer)
    finetuned = destination.with_name(f"{destination.name}.float")
    export(finetuned)
    try:
        graph = onnx.load(str(finetuned)).graph
        overrides = {
            tensor: [{"scale": np.array(scale, np.float32), "zero_point": np.array(zero, np.uint8)}]
            for node, (scale, zero) in zip(nodes, scales.values(), strict=True)
            for tensor in _same_scale(graph, node)
        }
        quantize_file(finetuned, destination, calibration(calibration_rows), overrides=overrides)
    finally:
        finetuned.unlink(missing_ok=True)
    return {"method": "qat", "scales": {name: list(pair) for name, pair in scales.items()}}


def _same_scale(graph: onnx.GraphProto, node: str) -> list[str]:
    """The input of a node, and what it was made from by operators that keep a scale: these share one in the file."""
    made = {output: n for n in graph.node for output in n.output}
    tensors = [next(n.input[0] for n in graph.node if n.name == node)]
    while (before := made.get(tensors[-1])) is not None and before.op_type in ("MaxPool", "Flatten", "Reshape"):
        tensors.append(before.input[0])
    return tensors


def _set(body: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(body.get_submodule(parent) if parent else body, last, module)
