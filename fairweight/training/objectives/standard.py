"""Cross-entropy, the mean over rows by their weights."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

OPTIONS: dict[str, dict[str, object]] = {}


def prepare(labels: Tensor, groups: Tensor, weights: Tensor) -> Callable[..., Tensor]:  # noqa: ARG001 - one signature for all
    """Weighted mean cross-entropy; nothing is learned from all training rows.

    Args:
        labels: int64 (n,) of all training rows.
        groups: int64 (n,), -1 for none; all 0 where an objective names no attribute.
        weights: (n,), non-negative.

    Returns:
        (logits (b, classes), labels (b,), weights (b,), groups (b,)) of a batch -> scalar, in nats.
    """

    def loss(logits: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:  # noqa: ARG001
        return (functional.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()

    return loss
