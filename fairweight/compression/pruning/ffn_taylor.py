"""Removes the feed-forward neurons of a transformer that change the loss least (Molchanov et al. 2019)."""

from torch import Tensor

from fairweight.compression.masks import everything_stays
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError
from fairweight.training.transformer_layers import cut_maps, layers, linear, strongest

TRANSFORMERS = True  # for transformers only
OPTIONS = {
    "share": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "description": "Share of the neurons of every layer that are removed.",
    },
    "rows": {
        "type": "integer",
        "minimum": 1,
        "default": 512,
        "description": "Largest number of training rows from which the scores are computed.",
    },
}


def prune(
    weights: dict[str, Tensor],  # noqa: ARG001 - layers are cut, not weights
    network: Network,
    *,
    share: float,
    rows: int,
) -> dict[str, Tensor]:
    """Remove neurons of the network in place, and return masks that keep all of what is left.

    The score of a neuron is the mean over batches of |sum of gradient x weight| over its outgoing weights. This is the
    first-order change of the loss if the neuron were zero.

    Args:
        weights: name -> tensor, of the network before pruning.
        network: its body gets narrower layers.
        share, rows: see OPTIONS.

    Returns:
        name -> boolean tensor of the new shape, True everywhere.

    Raises:
        InputError: the network is not a transformer, or no neuron can be removed.
    """
    body = network.body
    if not share:
        return everything_stays(body)
    try:
        parts = layers(body)
        scores = network.taylor([layer.narrow for layer in parts], rows)
        cuts = [
            (linear(body, layer.narrow), strongest(scores[layer.narrow], share), [linear(body, layer.widen)])
            for layer in parts
        ]
        cut_maps(body, network.example, cuts)
    except InputError as error:
        raise InputError(f"ffn_taylor {error}") from None
    return everything_stays(body)
