"""Global magnitude pruning: the smallest weights of the whole network go (Han et al. 2015; Blalock et al. 2020)."""

from torch import Tensor

from fairweight.compression.masks import keep_largest

OPTIONS = {
    "sparsity": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "description": "Share of the weights that become zero.",
    },
}


def prune(weights: dict[str, Tensor], *, sparsity: float) -> dict[str, Tensor]:
    """Masks that keep the largest weights by magnitude, ranked over all tensors together.

    Args:
        weights: name -> tensor; the prunable weights (no biases).
        sparsity: share of all entries to remove; exactly round(sparsity x entries) are removed, ties by position.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.
    """
    return keep_largest({name: w.abs() for name, w in weights.items()}, sparsity)
