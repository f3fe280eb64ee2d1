"""Global magnitude pruning: the smallest weights of the whole network go (Han et al. 2015; Blalock et al. 2020)."""

import torch
from torch import Tensor

OPTIONS = {
    "sparsity": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "Share of the weights that become zero."},
}  # fmt: skip


def prune(weights: dict[str, Tensor], *, sparsity: float) -> dict[str, Tensor]:
    """Masks that keep the largest weights by magnitude over all tensors together.

    Args:
        weights: name -> tensor; the prunable weights (no biases).
        sparsity: share of all their entries to remove; exactly round(sparsity x entries) are removed, ties by position.

    Returns:
        name -> boolean tensor of the same shape, True where the weight stays.
    """
    flat = torch.cat([w.abs().flatten() for w in weights.values()])
    keep = torch.ones(len(flat), dtype=torch.bool)
    keep[torch.argsort(flat, stable=True)[: round(sparsity * len(flat))]] = False
    parts = keep.split([w.numel() for w in weights.values()])
    return {name: part.view(w.shape) for (name, w), part in zip(weights.items(), parts, strict=True)}
