"""Random pruning, layer by layer: the baseline that every other method must beat (Blalock et al. 2020)."""

import torch
from torch import Tensor

from fairweight.compression.masks import keep_largest_of_each
from fairweight.compression.method_api import Network

OPTIONS = {
    "sparsity": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "description": "Share of the weights of every layer that become zero.",
    },
}


def prune(weights: dict[str, Tensor], network: Network, *, sparsity: float) -> dict[str, Tensor]:
    """Masks drawn at random.

    Args:
        weights: name -> tensor.
        network: supplies the random stream.
        sparsity: share of each tensor's entries to remove.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.
    """
    scores = {name: torch.rand(w.shape, generator=network.random) for name, w in weights.items()}
    return keep_largest_of_each(scores, dict.fromkeys(weights, sparsity))
