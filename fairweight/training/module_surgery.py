"""Bodies whose layers differ from what their architecture builds: smaller, or factorised."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


def shapes(body: nn.Module) -> dict[str, list[int]]:
    """Shape of every parameter and buffer."""
    return {name: list(tensor.shape) for name, tensor in body.state_dict().items()}


def reshape(body: nn.Module, stated: Mapping[str, list[int]]) -> None:
    """Give layers the shapes that `shapes` told, in place; their values are for loading weights to set.

    The last modules of a list that have none of the tensors told are taken off.
    """
    if stated:
        _shorten(body, stated)
    for prefix, module in body.named_modules():
        for kind, tensors in (("parameter", module._parameters), ("buffer", module._buffers)):
            for name, tensor in list(tensors.items()):
                shape = stated.get(f"{prefix}.{name}" if prefix else name)
                if tensor is None or shape is None or list(tensor.shape) == shape:
                    continue
                empty = torch.zeros(shape, dtype=tensor.dtype)
                tensors[name] = nn.Parameter(empty) if kind == "parameter" else empty
        _count(module)


def _shorten(body: nn.Module, stated: Mapping[str, list[int]]) -> None:
    for prefix, module in body.named_modules():
        if isinstance(module, nn.ModuleList):
            path = f"{prefix}." if prefix else ""
            while len(module) and not any(name.startswith(f"{path}{len(module) - 1}.") for name in stated):
                del module[len(module) - 1]


def _count(module: nn.Module) -> None:
    """Set what a layer says of its size to what it is."""
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
    """Replace layers by two of lower rank, in place: name of the layer -> rank; values are for the caller to set."""
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
