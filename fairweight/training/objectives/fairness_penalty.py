"""Cross-entropy with a penalty on how far the mean scores of groups are apart (after Kamishima 2012, Bechavod & Ligett 2017)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

OPTIONS = {
    "attribute": {"type": "string", "description": "The sensitive attribute, one of the dataset's groups."},
    "constraint": {"enum": ["demographic_parity", "equalized_odds"], "default": "equalized_odds", "description": "Whether scores are compared among all rows, or among those of each label."},
    "strength": {"type": "number", "minimum": 0, "default": 1.0, "description": "Weight of the penalty against the cross-entropy in nats."},
}  # fmt: skip


def prepare(
    labels: Tensor, groups: Tensor, weights: Tensor, *, attribute: str, constraint: str, strength: float  # noqa: ARG001
) -> Callable[..., Tensor]:  # fmt: skip
    """Cross-entropy plus strength x the mean squared distance of a group's mean score from that of all groups.

    The score is the probability of each class; a batch compares the groups that it has.

    Args:
        labels, groups, weights: of all training rows (n,); see `standard`.
        attribute: whose groups these are.
        constraint: scores are compared among all rows, or apart for each label.
        strength: weight of the penalty.

    Returns:
        Loss of a batch; see `standard`.
    """
    number = int(groups.max()) + 1

    def loss(logits: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:
        error = (functional.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()
        scores = torch.softmax(logits, dim=1)
        among = [labels == y for y in torch.unique(labels)] if constraint == "equalized_odds" else [labels >= 0]
        parts = [_distance(scores, groups, weights * of, number) for of in among]
        return error + strength * torch.stack(parts).mean()

    return loss


def _distance(scores: Tensor, groups: Tensor, weights: Tensor, number: int) -> Tensor:
    member = (groups >= 0) & (weights > 0)
    scores, groups, weights = scores[member], groups[member], weights[member]
    totals = torch.zeros(number, scores.shape[1]).index_add(0, groups, scores * weights[:, None])
    below = torch.zeros(number).index_add(0, groups, weights)
    here = below > 0
    if here.sum() < 2:
        return scores.sum() * 0
    means = totals[here] / below[here, None]
    return ((means - means.mean(dim=0)) ** 2).sum(dim=1).mean()
