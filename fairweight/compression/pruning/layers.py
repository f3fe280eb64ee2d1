"""Whole layers of a transformer go, evenly spread ones stay (as students are begun in Sanh et al. 2019, DistilBERT)."""

from torch import Tensor, nn

from fairweight.compression.masks import everything_stays
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError
from fairweight.training.transformer_layers import stack

TRANSFORMERS = True  # it takes nothing else
OPTIONS = {
    "left": {"type": "integer", "minimum": 1, "description": "Number of layers that stay; of six layers 3 leaves the first, the third and the fifth."},
}  # fmt: skip


def prune(weights: dict[str, Tensor], network: Network, *, left: int) -> dict[str, Tensor]:  # noqa: ARG001
    """Cut the network in place; the masks of what is left keep everything.

    Args:
        weights: name -> tensor, of the network before.
        network: its body gets fewer layers.
        left: see OPTIONS.

    Returns:
        name -> boolean tensor, True everywhere.

    Raises:
        InputError: the network is no transformer, or has no more layers than that.
    """
    try:
        name, modules = stack(network.body)
    except InputError as error:
        raise InputError(f"layers {error}") from None
    if left >= len(modules):
        raise InputError(f"layers: left: there are {len(modules)} layers, so fewer than {left + 1} must stay")
    kept = [modules[number * len(modules) // left] for number in range(left)]
    network.body.set_submodule(name, nn.ModuleList(kept))
    return everything_stays(network.body)
