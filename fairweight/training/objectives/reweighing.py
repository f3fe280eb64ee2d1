"""Reweighing: weight rows as if label and group were independent (Kamiran & Calders 2012)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

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
    factors = independence_weights(labels, groups, weights)

    def loss(logits: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:
        weights = weights * torch.where(groups >= 0, factors[groups.clamp(min=0), labels], 1.0)
        return (functional.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()

    return loss


def row_weights(
    labels: Tensor,
    groups: Tensor,
    weights: Tensor,
    *,
    attribute: str,  # noqa: ARG001 - the groups are its groups
) -> Tensor:
    """Return the weight of each row in the loss of all training rows (n,); arguments as of `prepare`."""
    factors = independence_weights(labels, groups, weights)
    return weights * torch.where(groups >= 0, factors[groups.clamp(min=0), labels], 1.0)


def independence_weights(labels: Tensor, groups: Tensor, weights: Tensor) -> Tensor:
    """Compute P(g) P(y) / P(g, y) of each group and label (groups, classes) from weighted rows; 1 where none exists."""
    member = groups >= 0
    shape = (int(groups.max()) + 1, int(labels.max()) + 1)
    joint = torch.zeros(shape, dtype=torch.float64)
    joint.index_put_((groups[member], labels[member]), weights[member].double(), accumulate=True)
    joint /= joint.sum()
    independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return torch.where(joint > 0, independent / joint, 1.0).float()
