"""Reweighing: rows weigh as if label and group were independent (Kamiran & Calders 2012)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

OPTIONS = {
    "attribute": {"type": "string", "description": "The sensitive attribute, one of the dataset's groups."},
}  # fmt: skip


def prepare(labels: Tensor, groups: Tensor, weights: Tensor, *, attribute: str) -> Callable[..., Tensor]:  # noqa: ARG001
    """Cross-entropy in which a row of group g and label y weighs P(g) P(y) / P(g, y) (equation 4 of the paper).

    With these weights every group has the same share of each label.  Rows of no group keep their weight.

    Args:
        labels, groups, weights: of all training rows (n,); see `standard`.
        attribute: whose groups these are.

    Returns:
        Loss of a batch; see `standard`.
    """
    factors = independence_weights(labels, groups, weights)

    def loss(logits: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:
        weights = weights * torch.where(groups >= 0, factors[groups.clamp(min=0), labels], 1.0)
        return (functional.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()

    return loss


def independence_weights(labels: Tensor, groups: Tensor, weights: Tensor) -> Tensor:
    """P(g) P(y) / P(g, y) of each group and label (G, classes), by the rows' weights; 1 where there is no such row."""
    member = groups >= 0
    shape = (int(groups.max()) + 1, int(labels.max()) + 1)
    joint = torch.zeros(shape, dtype=torch.float64)
    joint.index_put_((groups[member], labels[member]), weights[member].double(), accumulate=True)
    joint /= joint.sum()
    independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return torch.where(joint > 0, independent / joint, 1.0).float()
