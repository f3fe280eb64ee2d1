"""Neurons of a transformer's feed-forward parts go, those whose removal would change the loss least (Molchanov et al. 2019)."""

from torch import Tensor

from fairweight.compression.masks import everything_stays
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError
from fairweight.training.transformer_layers import cut_columns, layers, linear, strongest

TRANSFORMERS = True  # it takes nothing else
OPTIONS = {
    "share": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "Share of the neurons of every layer that go."},
    "rows": {"type": "integer", "minimum": 1, "default": 512, "description": "Training rows that the scores are taken over, at most."},
}  # fmt: skip


def prune(weights: dict[str, Tensor], network: Network, *, share: float, rows: int) -> dict[str, Tensor]:  # noqa: ARG001
    """Cut the network in place; the masks of what is left keep everything.

    A neuron's score is the mean over batches of |sum of gradient x weight| of its outgoing weights, which is the change of
    the loss to first order if the neuron were zero.

    Args:
        weights: name -> tensor, of the network before.
        network: its body gets narrower layers.
        share, rows: see OPTIONS.

    Returns:
        name -> boolean tensor of the new shape, True everywhere.

    Raises:
        InputError: the network is no transformer.
    """
    try:
        found = layers(network.body)
    except InputError as error:
        raise InputError(f"ffn_taylor {error}") from None
    scores = network.taylor([layer.narrow for layer in found], rows)
    for layer in found:
        left = strongest(scores[layer.narrow], share)
        cut_columns(linear(network.body, layer.narrow), left, [linear(network.body, layer.widen)])
    return everything_stays(network.body)
