"""Group DRO: weight the loss of each group by how high it is (Sagawa et al. 2020)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

OPTIONS = {
    "attribute": {"type": "string", "description": "The sensitive attribute, one of the dataset's groups."},
    "step": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 0.01,
        "description": "Step size of the groups' weights.",
    },
}


def prepare(
    labels: Tensor,
    groups: Tensor,
    weights: Tensor,  # noqa: ARG001
    *,
    attribute: str,  # noqa: ARG001
    step: float,
) -> Callable[..., Tensor]:
    """Return the weighted sum of the losses of all combinations of group and label (algorithm 1 of the paper).

    The weight of a combination grows with its loss.

    Args:
        labels, groups, weights: of all training rows (n,); see `standard`. Rows of no group form a group of their own.
        attribute: the attribute that the groups belong to.
        step: at every batch the weights are multiplied by exp(step x loss) and normalised.

    Returns:
        Loss of a batch; see `standard`. It keeps the weights of the groups from batch to batch.
    """
    classes = int(labels.max()) + 1
    kinds = torch.unique((groups + 1) * classes + labels)
    share = torch.full((len(kinds),), 1.0 / len(kinds))

    def loss(logits: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:
        kind = torch.searchsorted(kinds, (groups + 1) * classes + labels)
        losses = functional.cross_entropy(logits, labels, reduction="none") * weights
        totals = torch.zeros(len(kinds)).index_add(0, kind, losses)
        below = torch.zeros(len(kinds)).index_add(0, kind, weights)
        means = totals / below.clamp(min=torch.finfo(below.dtype).tiny)
        with torch.no_grad():
            share.mul_(torch.exp(step * means))  # the loss of a group that the batch lacks is 0
            share.div_(share.sum())
        return (share.clone() * means).sum()

    return loss
