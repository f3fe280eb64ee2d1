"""Change the layers of a body: reshape them to other sizes, replace or factorise them, make their weights ordinary."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm, remove_spectral_norm
from torch.nn.utils.weight_norm import WeightNorm, remove_weight_norm

Shapes = Mapping[str, list[int]]  # name of a parameter or buffer -> its shape
Attributes = dict[str, dict[str, int | list[int]]]  # name of a module -> name of an attribute -> its value


def shapes(body: nn.Module) -> dict[str, list[int]]:
    """Return the shape of every parameter and buffer, by name."""
    return {name: list(tensor.shape) for name, tensor in body.state_dict().items()}


def aliases(module: nn.Module) -> dict[str, str]:
    """Return the further names of tensors that have several: name -> the first name of the same tensor."""
    first: dict[int, str] = {}
    tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {name: first[id(t)] for name, t in tensors if first.setdefault(id(t), name) != name}


def attributes(body: nn.Module) -> Attributes:
    """Return the whole numbers, and lists of them, that are public attributes of modules, such as `num_channels`."""
    return {
        name: {key: list(value) if isinstance(value, tuple) else value for key, value in numbers.items()}
        for name, module in body.named_modules()
        if (numbers := {k: v for k, v in vars(module).items() if not k.startswith("_") and _is_size(v)})
    }


def _is_size(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(type(entry) is int for entry in value)
    return type(value) is int


def set_attributes(body: nn.Module, target: Attributes) -> None:
    """Set attributes that `attributes` returned for another body, in place; attributes that do not exist are left."""
    for name, module in body.named_modules():
        for key, value in target.get(name, {}).items():
            if _is_size(vars(module).get(key)):
                setattr(module, key, tuple(value) if isinstance(value, list) else value)


def reshape(body: nn.Module, target: Shapes) -> None:
    """Give layers the shapes that `shapes` returned for another body, in place; load their values afterwards.

    The last modules of a list are removed if none of their tensors has a target shape. Layers that share a tensor
    share the new one.
    """
    if target:
        _shorten(body, target)
    new: dict[int, torch.Tensor] = {}  # by the identity of the tensor that is replaced
    old: list[torch.Tensor] = []  # kept, so that no identity is used again
    for prefix, module in body.named_modules():
        changed = False
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            shape = target.get(f"{prefix}.{name}" if prefix else name)
            if tensor is None or shape is None or list(tensor.shape) == shape:
                continue
            if id(tensor) not in new:
                empty = torch.zeros(shape, dtype=tensor.dtype)
                new[id(tensor)] = nn.Parameter(empty) if isinstance(tensor, nn.Parameter) else empty
                old.append(tensor)
            setattr(module, name, new[id(tensor)])
            changed = True
        if changed:
            _update_sizes(module)


def _shorten(body: nn.Module, target: Shapes) -> None:
    """Remove the last modules of lists that have no tensor with a target shape."""
    for prefix, module in body.named_modules():
        if isinstance(module, nn.ModuleList):
            path = f"{prefix}." if prefix else ""
            while len(module) and not any(name.startswith(f"{path}{len(module) - 1}.") for name in target):
                del module[len(module) - 1]


def _update_sizes(module: nn.Module) -> None:
    """Set a layer's size attributes to the shape of its weight; `set_attributes` sets those of other layers."""
    weight: Any = getattr(module, "weight", None)
    if weight is None:
        return
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = weight.shape
    elif isinstance(module, nn.Conv2d):
        if module.groups > 1 and module.groups == module.in_channels:  # depthwise
            module.groups = weight.shape[0] * module.groups // module.out_channels
        module.out_channels, module.in_channels = weight.shape[0], weight.shape[1] * module.groups
    elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
        module.num_features = len(weight)


def replace(body: nn.Module, name: str, module: nn.Module) -> nn.Module:
    """Replace a layer wherever the body holds it, in place.

    Args:
        body: the network.
        name: one of the layer's names; empty for the body itself.
        module: what takes the layer's place.

    Returns:
        The body, or `module` if the layer is the body itself.
    """
    if not name:
        return module
    layer = body.get_submodule(name)
    for path in [path for path, other in body.named_modules(remove_duplicate=False) if other is layer]:
        body.set_submodule(path, module)
    return body


def factorize(body: nn.Module, ranks: Mapping[str, int]) -> nn.Module:
    """Replace layers by pairs of layers of lower rank, in place; the caller sets their values.

    Layers that share their weight share the pair's weights. A pair takes over the layer's bias.

    Args:
        body: the network.
        ranks: name of a layer -> rank, in order; a layer may be one of an earlier pair.

    Returns:
        The body, or the pair of layers that replaces it if it is itself a layer.
    """
    pairs: dict[int, nn.Sequential] = {}  # by the identity of the weight that they replace
    layers: list[nn.Module] = []  # kept, so that no identity is used again
    for name, rank in ranks.items():
        layers.append(layer := body.get_submodule(name))
        pair = _factors(layer, rank)
        if shared := pairs.get(id(layer.weight)):
            for own, other in zip(pair, shared, strict=True):
                own.weight = other.weight
        pairs.setdefault(id(layer.weight), pair)
        pair[1].bias = layer.bias
        body = replace(body, name, pair)
    return body


def _factors(layer: nn.Module, rank: int) -> nn.Sequential:
    bias = layer.bias is not None
    if isinstance(layer, nn.Conv2d):
        same: dict[str, Any] = {k: getattr(layer, k) for k in ("stride", "padding", "dilation", "padding_mode")}
        size: Any = layer.kernel_size
        first = nn.Conv2d(layer.in_channels, rank, size, bias=False, **same)
        return nn.Sequential(first, nn.Conv2d(rank, layer.out_channels, 1, bias=bias))
    if isinstance(layer, nn.Linear):
        return nn.Sequential(
            nn.Linear(layer.in_features, rank, bias=False), nn.Linear(rank, layer.out_features, bias=bias)
        )
    raise TypeError(f"{type(layer).__name__} cannot be factorised")


def make_plain(body: nn.Module) -> bool:
    """Replace weights that are computed from other tensors by ordinary parameters of the same values, in place.

    These are weights under `torch.nn.utils.parametrizations` (weight norm, spectral norm, own ones), under the older
    `torch.nn.utils.weight_norm` and `spectral_norm`, and under masks of `torch.nn.utils.prune`.

    Returns:
        Whether there were any.
    """
    body.eval()  # spectral norm changes its vectors in training mode
    changed = False
    for module in list(body.modules()):
        if parametrize.is_parametrized(module):
            for name in list(cast("nn.ModuleDict", module.parametrizations)):
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
                changed = True
        for hook in list(module._forward_pre_hooks.values()):
            changed |= _remove_hook(module, hook)
    return changed


def _remove_hook(module: nn.Module, hook: object) -> bool:
    """Remove a hook that computes a weight before each call, and keep the weight; return whether it is one."""
    match hook:
        case WeightNorm():
            remove_weight_norm(module, hook.name)
        case SpectralNorm():
            remove_spectral_norm(module, hook.name)
        case prune.BasePruningMethod():
            prune.remove(module, hook._tensor_name)
        case _:
            return False
    return True
