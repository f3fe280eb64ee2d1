"""Change the layers of a body: reshape them to other sizes, or factorise them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

Shapes = Mapping[str, list[int]]  # name of a parameter or buffer -> its shape


def shapes(body: nn.Module) -> dict[str, list[int]]:
    """Return the shape of every parameter and buffer, by name."""
    return {name: list(tensor.shape) for name, tensor in body.state_dict().items()}


def reshape(body: nn.Module, target: Shapes) -> None:
    """Give layers the shapes that `shapes` returned for another body, in place; load their values afterwards.

    The last modules of a list are removed if none of their tensors has a target shape.
    """
    if target:
        _shorten(body, target)
    for prefix, module in body.named_modules():
        for kind, tensors in (("parameter", module._parameters), ("buffer", module._buffers)):
            for name, tensor in list(tensors.items()):
                shape = target.get(f"{prefix}.{name}" if prefix else name)
                if tensor is None or shape is None or list(tensor.shape) == shape:
                    continue
                empty = torch.zeros(shape, dtype=tensor.dtype)
                tensors[name] = nn.Parameter(empty) if kind == "parameter" else empty
        _update_sizes(module)


def _shorten(body: nn.Module, target: Shapes) -> None:
    """Remove the last modules of lists that have no tensor with a target shape."""
    for prefix, module in body.named_modules():
        if isinstance(module, nn.ModuleList):
            path = f"{prefix}." if prefix else ""
            while len(module) and not any(name.startswith(f"{path}{len(module) - 1}.") for name in target):
                del module[len(module) - 1]


def _update_sizes(module: nn.Module) -> None:
    """Set a layer's size attributes to the shape of its weight."""
    weight: Any = getattr(module, "weight", None)
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = weight.shape
    elif isinstance(module, nn.Conv2d):
        if module.groups > 1 and module.groups == module.in_channels:
            module.groups = weight.shape[0]  # depthwise
        module.out_channels, module.in_channels = weight.shape[0], weight.shape[1] * module.groups
    elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
        module.num_features = len(weight)


def factorize(body: nn.Module, ranks: Mapping[str, int]) -> None:
    """Replace layers by pairs of layers of lower rank, in place; the caller sets their values.

    Args:
        body: the network.
        ranks: name of a layer -> rank.
    """
    for name, rank in ranks.items():
        layer = body.get_submodule(name)
        parent, _, last = name.rpartition(".")
        holder = body.get_submodule(parent) if parent else body
        setattr(holder, last, _factors(layer, rank))


def _factors(layer: nn.Module, rank: int) -> nn.Sequential:
    bias = layer.bias is not None
    if isinstance(layer, nn.Conv2d):
        same: dict[str, Any] = {k: getattr(layer, k) for k in ("stride", "padding", "dilation")}
        size: Any = layer.kernel_size
        first = nn.Conv2d(layer.in_channels, rank, size, bias=False, **same)
        return nn.Sequential(first, nn.Conv2d(rank, layer.out_channels, 1, bias=bias))
    if isinstance(layer, nn.Linear):
        return nn.Sequential(
            nn.Linear(layer.in_features, rank, bias=False), nn.Linear(rank, layer.out_features, bias=bias)
        )
    raise TypeError(f"{type(layer).__name__} cannot be factorised")
