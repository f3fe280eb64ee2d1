"""Where things are in a transformer: its layers, their attention and feed-forward parts; by structure, not by a model's name."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fairweight.core.errors import InputError


@dataclass(frozen=True)
class Layer:
    """One layer: names of its linear maps in the body, in order."""

    name: str
    query: str
    key: str
    value: str
    output: str  # after the heads are put side by side
    widen: str  # into the feed-forward part
    narrow: str  # out of it


def stack(body: nn.Module) -> tuple[str, nn.ModuleList]:
    """Name and layers of a transformer: its longest list of modules.

    Raises:
        InputError: there is none.
    """
    found = [
        (name, module) for name, module in body.named_modules() if isinstance(module, nn.ModuleList) and len(module)
    ]
    if not found:
        raise InputError("takes transformers, and this network has no stack of layers")
    return max(found, key=lambda entry: len(entry[1]))


def layers(body: nn.Module) -> list[Layer]:
    """The linear maps of each layer.

    Raises:
        InputError: a layer is not made of four maps of attention and two of a feed-forward part.
    """
    prefix, modules = stack(body)
    found = []
    for number, layer in enumerate(modules):
        name = f"{prefix}.{number}"
        maps = [f"{name}.{inner}" for inner, module in layer.named_modules() if isinstance(module, nn.Linear)]
        if len(maps) != 6:
            raise InputError(f"takes layers of six linear maps (attention, feed-forward), and {name!r} has {len(maps)}")
        found.append(Layer(name, *maps))
    return found


def linear(body: nn.Module, name: str) -> nn.Linear:
    """A linear map by its name."""
    module = body.get_submodule(name)
    assert isinstance(module, nn.Linear)  # `layers` names no others
    return module


def head_width(body: nn.Module, layer: Layer) -> int:
    """Width of one attention head.

    Raises:
        InputError: the attention does not say it.
    """
    parent = body.get_submodule(layer.query.rpartition(".")[0])
    for attribute in ("attention_head_size", "head_dim"):
        if isinstance(width := getattr(parent, attribute, None), int):
            return width
    raise InputError("takes transformers whose attention states the width of a head")


def cut_columns(reader: nn.Linear, left: Tensor, writers: list[nn.Linear]) -> None:
    """Keep some inputs of a linear map, and the outputs of the maps that make them, in place.

    Args:
        reader: the map that takes them; its columns are cut.
        left: positions that stay, in order.
        writers: the maps that make them; their rows are cut.
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
    """Positions (k,) of what stays when a share of the lowest scores (n,) goes, in order; one at least stays."""
    left = torch.argsort(scores, descending=True, stable=True)[: max(1, round((1 - share) * len(scores)))]
    return left.sort().values
