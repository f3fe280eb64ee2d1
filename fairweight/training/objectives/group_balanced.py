"""Group-balanced training: give every combination of group and label the same total weight (Idrissi et al. 2022)."""

from collections.abc import Callable

import torch
from torch import Tensor

from fairweight.training.row_factors import factored, factored_cross_entropy, joint_weights

CONVEX = True  # a mean cross-entropy with fixed weights of rows
OPTIONS = {
    "attribute": {"type": "string", "description": "The sensitive attribute, one of the dataset's groups."},
}


def prepare(
    labels: Tensor,
    groups: Tensor,
    weights: Tensor,
    *,
    attribute: str,  # noqa: ARG001 - the groups are its groups
) -> Callable[..., Tensor]:
    """Return the cross-entropy in which every combination of group and label has the same total weight.

    On average this equals resampling all combinations to one size, without the noise of resampling (the augmentation
    `balance_groups` resamples). Rows of no group keep their weight.

    Args:
        labels, groups, weights: of all training rows (n,); see `standard`.
        attribute: the attribute that the groups belong to.

    Returns:
        Loss of a batch; see `standard`.
    """
    return factored_cross_entropy(_factors(labels, groups, weights))


def row_weights(
    labels: Tensor,
    groups: Tensor,
    weights: Tensor,
    *,
    attribute: str,  # noqa: ARG001 - the groups are its groups
) -> Tensor:
    """Return the weight of each row in the loss of all training rows (n,); arguments as of `prepare`."""
    return factored(weights, _factors(labels, groups, weights), labels, groups)


def _factors(labels: Tensor, groups: Tensor, weights: Tensor) -> Tensor:
    """Factor of the weight of a row of each group and label (groups, classes)."""
    totals = joint_weights(labels, groups, weights)
    mean = totals.sum() / (totals > 0).sum()
    return torch.where(totals > 0, mean / totals, 1.0).float()
