"""The task's own loss, the weighted mean over rows: cross-entropy of classes, squared error of numbers."""

# ruff: noqa: ARG001 - all objectives have the same parameters
from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

OPTIONS: dict[str, dict[str, object]] = {}
CONVEX = True  # a mean cross-entropy with fixed weights of rows


def prepare(labels: Tensor, groups: Tensor, weights: Tensor) -> Callable[..., Tensor]:
    """Return the weighted mean cross-entropy, or squared error; it uses no statistics of the training rows.

    Args:
        labels: int64 (n,) of all training rows; float32 standardised numbers of a regression.
        groups: int64 (n,), -1 for no group; all 0 where an objective names no attribute.
        weights: (n,), non-negative.

    Returns:
        Loss of a batch: (logits (b, classes), labels (b,), weights (b,), groups (b,)) -> scalar, in nats.
    """
    if labels.is_floating_point():
        return _squared_error

    def loss(logits: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:
        return (functional.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()

    return loss


def _squared_error(outputs: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:
    return ((outputs[:, 0] - labels) ** 2 * weights).sum() / weights.sum()


def row_weights(labels: Tensor, groups: Tensor, weights: Tensor) -> Tensor:
    """Return the weight of each row in the loss of all training rows (n,); arguments as of `prepare`."""
    return weights
