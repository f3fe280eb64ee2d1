"""Layers of a transformer, with attention and feed-forward parts found by structure, not by a model's name."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fairweight.core.errors import InputError
from fairweight.training.tracing import equal_outputs, outputs, owners, reason_of


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
    """Return the linear maps of each layer; a layer that stands at several places of the stack is there once.

    Raises:
        InputError: a layer does not consist of four maps of attention and two of a feed-forward part, or shares weights
            with other modules.
    """
    prefix, modules = stack(body)
    users = owners(body)
    entries = []
    for number, layer in enumerate(modules):
        if any(layer is other for other in list(modules)[:number]):
            continue
        name = f"{prefix}.{number}"
        maps = [f"{name}.{inner}" for inner, module in layer.named_modules() if isinstance(module, nn.Linear)]
        if len(maps) != 6:
            raise InputError(f"takes layers of six linear maps (attention, feed-forward), and {name!r} has {len(maps)}")
        entry = Layer(name, *maps)
        if shared := [other for other in maps if len(users[id(linear(body, other).weight)]) > 1]:
            raise InputError(f"takes layers with weights of their own, and {shared[0]!r} shares its weight")
        if not _in_order(*(linear(body, other) for other in maps)):
            raise InputError(
                f"takes layers that define query, key, value, output, and the two maps of the feed-forward "
                f"part in this order, and the sizes of those of {name!r} do not fit"
            )
        entries.append(entry)
    return entries


def _in_order(
    query: nn.Linear, key: nn.Linear, value: nn.Linear, output: nn.Linear, widen: nn.Linear, narrow: nn.Linear
) -> bool:
    """Whether the sizes of six maps are those of attention followed by a feed-forward part."""
    width = query.in_features
    return (
        {key.in_features, value.in_features, output.out_features, widen.in_features, narrow.out_features} == {width}
        and query.out_features == output.in_features
        and key.out_features == value.out_features
        and widen.out_features == narrow.in_features
    )


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


Cut = tuple[nn.Linear, Tensor, list[nn.Linear]]  # reader, positions that stay, writers: see `cut_columns`


def cut_maps(body: nn.Module, features: Tensor, cuts: Sequence[Cut]) -> None:
    """Cut linear maps of a network, in place, and check that it computes the same as if what is cut were zero.

    Args:
        body: the network.
        features: (n, ...), an example.
        cuts: arguments of `cut_columns`.

    Raises:
        InputError: nothing is cut, or the network needs what is cut.
    """
    if all(len(left) == reader.in_features for reader, left, _ in cuts):
        raise InputError("removes nothing: the share is less than one of them in every layer; raise it")
    with torch.no_grad():
        for reader, left, _ in cuts:
            gone = torch.ones(reader.in_features, dtype=torch.bool)
            gone[left] = False
            reader.weight[:, gone] = 0
    expected = outputs(body, features)
    for reader, left, writers in cuts:
        cut_columns(reader, left, writers)
    try:
        actual = outputs(body, features)
    except Exception as error:  # whatever the network's own code runs into
        raise InputError(f"takes networks whose code does not fix the sizes of layers ({reason_of(error)})") from None
    if not equal_outputs(actual, expected):
        raise InputError("takes layers whose parts are used for nothing else, and the network computes something else")


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
