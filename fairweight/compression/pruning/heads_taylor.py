"""Removes the attention heads of a transformer that change the loss least (Michel et al. 2019)."""

import torch
from torch import Tensor, nn

from fairweight.compression.masks import everything_stays
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError
from fairweight.training.transformer_layers import Cut, Layer, cut_maps, head_width, layers, linear, strongest

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
        InputError: the network is not a transformer, query, key and value differ in their number of heads, or no head
            can be removed.
    """
    body = network.body
    if not share:
        return everything_stays(body)
    try:
        parts = layers(body)
        widths = [head_width(body, layer) for layer in parts]
        scores = network.taylor([layer.output for layer in parts], rows, groups=widths[0])
        cuts = [
            _cut(body, layer, strongest(scores[layer.output], share), width)
            for layer, width in zip(parts, widths, strict=True)
        ]
        cut_maps(body, network.example, cuts)
    except InputError as error:
        raise InputError(f"heads_taylor {error}") from None
    return everything_stays(body)


def _cut(body: nn.Module, layer: Layer, heads: Tensor, width: int) -> Cut:
    """What stays of a layer's maps with these heads.

    Raises:
        InputError: query, key and value differ in their number of heads.
    """
    maps = [linear(body, name) for name in (layer.query, layer.key, layer.value)]
    if len({m.out_features for m in maps}) > 1:
        raise InputError("takes attention with equally many heads of queries, keys and values")
    return linear(body, layer.output), (heads[:, None] * width + torch.arange(width)).flatten(), maps
