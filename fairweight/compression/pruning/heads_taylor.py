"""Attention heads of a transformer go, those whose removal would change the loss least (Michel et al. 2019)."""

import torch
from torch import Tensor

from fairweight.compression.masks import everything_stays
from fairweight.compression.method_api import Network
from fairweight.core.errors import InputError
from fairweight.training.transformer_layers import cut_columns, head_width, layers, linear, strongest

TRANSFORMERS = True  # it takes nothing else
OPTIONS = {
    "share": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "Share of the heads of every layer that go."},
    "rows": {"type": "integer", "minimum": 1, "default": 512, "description": "Training rows that the scores are taken over, at most."},
}  # fmt: skip


def prune(weights: dict[str, Tensor], network: Network, *, share: float, rows: int) -> dict[str, Tensor]:  # noqa: ARG001
    """Cut the network in place; the masks of what is left keep everything.

    A head's score is the mean over batches of |sum of gradient x weight| of the weights that take its output, which is the
    change of the loss to first order if the head were zero.

    Args:
        weights: name -> tensor, of the network before.
        network: its body gets layers of fewer heads.
        share, rows: see OPTIONS.

    Returns:
        name -> boolean tensor of the new shape, True everywhere.

    Raises:
        InputError: the network is no transformer, or query, key and value have heads of different number.
    """
    try:
        found = layers(network.body)
        widths = [head_width(network.body, layer) for layer in found]
    except InputError as error:
        raise InputError(f"heads_taylor {error}") from None
    scores = network.taylor([layer.output for layer in found], rows, groups=widths[0])
    for layer, width in zip(found, widths, strict=True):
        maps = [linear(network.body, name) for name in (layer.query, layer.key, layer.value)]
        if len({m.out_features for m in maps}) > 1:
            raise InputError("heads_taylor takes attention whose queries, keys and values have as many heads")
        heads = strongest(scores[layer.output], share)
        left = (heads[:, None] * width + torch.arange(width)).flatten()
        cut_columns(linear(network.body, layer.output), left, maps)
    return everything_stays(network.body)
