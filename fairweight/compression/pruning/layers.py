"""Removes whole layers of a transformer; evenly spread ones stay, as in DistilBERT's student (Sanh et al. 2019)."""

from torch import Tensor, nn

from fairweight.compression.masks import everything_stays
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError
from fairweight.training.tracing import outputs, reason_of
from fairweight.training.transformer_layers import stack

TRANSFORMERS = True  # for transformers only
OPTIONS = {
    "left": {
        "type": "integer",
        "minimum": 1,
        "description": "Number of layers that stay; of six layers 3 leaves the first, the third and the fifth.",
    },
}


def prune(weights: dict[str, Tensor], network: Network, *, left: int) -> dict[str, Tensor]:  # noqa: ARG001
    """Remove layers of the network in place, and return masks that keep all of what is left.

    Args:
        weights: name -> tensor, of the network before pruning.
        network: its body gets fewer layers.
        left: see OPTIONS.

    Returns:
        name -> boolean tensor, True everywhere.

    Raises:
        InputError: the network is not a transformer, has `left` layers or fewer, or does not run without some.
    """
    body, example = network.body, network.example
    try:
        name, modules = stack(body)
    except InputError as error:
        raise InputError(f"layers {error}") from None
    if left >= len(modules):
        raise InputError(f"layers: left: there are {len(modules)} layers, so fewer than {left + 1} must stay")
    kept, before = [modules[number * len(modules) // left] for number in range(left)], outputs(body, example)
    body.set_submodule(name, nn.ModuleList(kept))
    try:
        after = outputs(body, example)
    except Exception as error:  # whatever the network's own code runs into
        raise InputError(f"layers: the network does not run without layers of {name!r} ({reason_of(error)})") from None
    if after.shape != before.shape:
        raise InputError(f"layers: {name!r} is no stack of layers: without some of them the outputs are fewer")
    return everything_stays(body)
