"""Removes the attention heads of a transformer that change the loss least (Michel et al. 2019)."""

import torch
from torch import Tensor

from fairweight.compression.masks import everything_stays
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError
from fairweight.training.transformer_layers import cut_columns, head_width, layers, linear, strongest

TRANSFORMERS = True  # for transformers only
OPTIONS = {
    "share": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "description": "Share of the heads of every layer that are removed.",
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
    """Remove heads of the network in place, and return masks that keep all of what is left.

    The score of a head is the mean over batches of |sum of gradient x weight| over the weights that read its output.
    This is the first-order change of the loss if the head were zero.

    Args:
        weights: name -> tensor, of the network before pruning.
        network: its body gets layers with fewer heads.
        share, rows: see OPTIONS.

    Returns:
        name -> boolean tensor of the new shape, True everywhere.

    Raises:
        InputError: the network is not a transformer, or query, key and value differ in their number of heads.
    """
    try:
        parts = layers(network.body)
        widths = [head_width(network.body, layer) for layer in parts]
    except InputError as error:
        raise InputError(f"heads_taylor {error}") from None
    scores = network.taylor([layer.output for layer in parts], rows, groups=widths[0])
    for layer, width in zip(parts, widths, strict=True):
        maps = [linear(network.body, name) for name in (layer.query, layer.key, layer.value)]
        if len({m.out_features for m in maps}) > 1:
            raise InputError("heads_taylor takes attention with equally many heads of queries, keys and values")
        heads = strongest(scores[layer.output], share)
        left = (heads[:, None] * width + torch.arange(width)).flatten()
        cut_columns(linear(network.body, layer.output), left, maps)
    return everything_stays(network.body)
