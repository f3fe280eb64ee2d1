"""Reweighing: weight rows as if label and group were independent (Kamiran & Calders 2012)."""

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
    """Return the cross-entropy in which a row of group g and label y weighs P(g) P(y) / P(g, y) (equation 4).

    With these weights every group has the same share of each label. Rows of no group keep their weight.

    Args:
        labels, groups, weights: of all training rows (n,); see `standard`.
        attribute: the attribute that the groups belong to.

    Returns:
        Loss of a batch; see `standard`.
    """
    return factored_cross_entropy(independence_weights(labels, groups, weights))


def row_weights(
    labels: Tensor,
    groups: Tensor,
    weights: Tensor,
    *,
    attribute: str,  # noqa: ARG001 - the groups are its groups
) -> Tensor:
    """Return the weight of each row in the loss of all training rows (n,); arguments as of `prepare`."""
    return factored(weights, independence_weights(labels, groups, weights), labels, groups)


def independence_weights(labels: Tensor, groups: Tensor, weights: Tensor) -> Tensor:
    """Compute P(g) P(y) / P(g, y) of each group and label (groups, classes) from weighted rows; 1 where none exists."""
    joint = joint_weights(labels, groups, weights)
    joint /= joint.sum()
    independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return torch.where(joint > 0, independent / joint, 1.0).float()
