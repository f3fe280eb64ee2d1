"""Cross-entropy with a penalty on the distance between groups' mean scores.

After Kamishima et al. 2012 and Bechavod & Ligett 2017.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

OPTIONS = {
    "attribute": {"type": "string", "description": "The sensitive attribute, one of the dataset's groups."},
    "constraint": {
        "enum": ["demographic_parity", "equalized_odds"],
        "default": "equalized_odds",
        "description": "Whether scores are compared among all rows, or among the rows of each label.",
    },
    "strength": {
        "type": "number",
        "minimum": 0,
        "default": 1.0,
        "description": "Weight of the penalty against the cross-entropy in nats.",
    },
}


def prepare(
    labels: Tensor,  # noqa: ARG001
    groups: Tensor,
    weights: Tensor,  # noqa: ARG001
    *,
    attribute: str,  # noqa: ARG001
    constraint: str,
    strength: float,
) -> Callable[..., Tensor]:
    """Return cross-entropy + strength x the mean squared distance of a group's mean score from the mean over groups.

    The score is the probability of each class. A batch compares the groups that it contains.

    Args:
        labels, groups, weights: of all training rows (n,); see `standard`.
        attribute: the attribute that the groups belong to.
        constraint: whether scores are compared among all rows, or separately for each label.
        strength: weight of the penalty.

    Returns:
        Loss of a batch; see `standard`.
    """
    number = int(groups.max()) + 1

    def loss(logits: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:
        error = (functional.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()
        scores = torch.softmax(logits, dim=1)
        parts = [labels == y for y in torch.unique(labels)] if constraint == "equalized_odds" else [labels >= 0]
        distances = [_distance(scores, groups, weights * part, number) for part in parts]
        return error + strength * torch.stack(distances).mean()

    return loss


def _distance(scores: Tensor, groups: Tensor, weights: Tensor, number: int) -> Tensor:
    """Mean squared distance of the groups' mean scores from their mean; 0 where fewer than two groups have rows."""
    member = (groups >= 0) & (weights > 0)
    scores, groups, weights = scores[member], groups[member], weights[member]
    totals = torch.zeros(number, scores.shape[1]).index_add(0, groups, scores * weights[:, None])
    below = torch.zeros(number).index_add(0, groups, weights)
    present = below > 0
    if present.sum() < 2:
        return scores.sum() * 0
    means = totals[present] / below[present, None]
    return ((means - means.mean(dim=0)) ** 2).sum(dim=1).mean()
