"""Layers of a transformer, with attention and feed-forward parts found by structure, not by a model's name."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fairweight.core.errors import InputError


@dataclass(frozen=True)
class Layer:
    """Names, in the body, of one layer and of its linear maps, in order."""

    name: str
    query: str
    key: str
    value: str
    output: str  # of the attention, after its heads are concatenated
    widen: str  # first map of the feed-forward part
    narrow: str  # second map of the feed-forward part


def stack(body: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return name and layers of a transformer: its longest list of modules.

    Raises:
        InputError: there is none.
    """
    lists = [
        (name, module) for name, module in body.named_modules() if isinstance(module, nn.ModuleList) and len(module)
    ]
    if not lists:
        raise InputError("takes transformers, and this network has no stack of layers")
    return max(lists, key=lambda entry: len(entry[1]))


def layers(body: nn.Module) -> list[Layer]:
    """Return the linear maps of each layer.

    Raises:
        InputError: a layer does not consist of four maps of attention and two of a feed-forward part.
    """
    prefix, modules = stack(body)
    entries = []
    for number, layer in enumerate(modules):
        name = f"{prefix}.{number}"
        maps = [f"{name}.{inner}" for inner, module in layer.named_modules() if isinstance(module, nn.Linear)]
        if len(maps) != 6:
            raise InputError(f"takes layers of six linear maps (attention, feed-forward), and {name!r} has {len(maps)}")
        entries.append(Layer(name, *maps))
    return entries


def linear(body: nn.Module, name: str) -> nn.Linear:
    """Return a linear map by its name."""
    module = body.get_submodule(name)
    assert isinstance(module, nn.Linear)  # `layers` names no others
    return module


def head_width(body: nn.Module, layer: Layer) -> int:
    """Return the width of one attention head.

    Raises:
        InputError: the attention module has no attribute for it.
    """
    parent = body.get_submodule(layer.query.rpartition(".")[0])
    for attribute in ("attention_head_size", "head_dim"):
        if isinstance(width := getattr(parent, attribute, None), int):
            return width
    raise InputError("takes transformers whose attention states the width of a head")


def cut_columns(reader: nn.Linear, left: Tensor, writers: list[nn.Linear]) -> None:
    """Keep some inputs of a linear map, and the outputs of the maps that compute them, in place.

    Args:
        reader: the map that takes the inputs; its columns are cut.
        left: positions that stay, in order.
        writers: the maps that compute the inputs; their rows are cut.
    """
    with torch.no_grad():
        reader.weight = nn.Parameter(reader.weight[:, left].clone())
        reader.in_features = len(left)
        for writer in writers:
            writer.weight = nn.Parameter(writer.weight[left].clone())
            writer.out_features = len(left)
            if writer.bias is not None:
                writer.bias = nn.Parameter(writer.bias[left].clone())


def strongest(scores: Tensor, share: float) -> Tensor:
    """Return the positions (k,), in order, that stay when the lowest scores are removed.

    Args:
        scores: (n,).
        share: share of the scores that are removed; at least one stays.
    """
    left = torch.argsort(scores, descending=True, stable=True)[: max(1, round((1 - share) * len(scores)))]
    return left.sort().values
