"""Factors of the weights of rows by group and label, and the cross-entropy with them."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def joint_weights(labels: Tensor, groups: Tensor, weights: Tensor) -> Tensor:
    """Sum the weights of the rows of each group and label.

    Args:
        labels: int64 (n,).
        groups: int64 (n,); rows of no group, -1, are left out.
        weights: (n,).

    Returns:
        float64 (groups, classes).
    """
    member = groups >= 0
    totals = torch.zeros((int(groups.max()) + 1, int(labels.max()) + 1), dtype=torch.float64)
    return totals.index_put_((groups[member], labels[member]), weights[member].double(), accumulate=True)


def factored(weights: Tensor, factors: Tensor, labels: Tensor, groups: Tensor) -> Tensor:
    """Multiply the weights of rows (n,) by the factor of their group and label; rows of no group keep theirs."""
    return weights * torch.where(groups >= 0, factors[groups.clamp(min=0), labels], 1.0)


def factored_cross_entropy(factors: Tensor) -> Callable[..., Tensor]:
    """Return the loss of a batch, the weighted mean cross-entropy with factors (groups, classes) of the weights."""

    def loss(logits: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:
        weights = factored(weights, factors, labels, groups)
        return (functional.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()

    return loss
