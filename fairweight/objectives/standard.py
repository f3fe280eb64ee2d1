"""Cross-entropy, the mean over rows by their weights."""

from torch import Tensor
from torch.nn import functional

OPTIONS: dict[str, dict[str, object]] = {}


def loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross-entropy.

    Args:
        logits: (n, classes).
        labels: int64 (n,).
        weights: (n,), non-negative, not all zero.

    Returns:
        Scalar, in nats.
    """
    return (functional.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()
