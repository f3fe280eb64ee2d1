"""Absolute error of a regression: the weighted mean over rows, which the median minimises."""

# ruff: noqa: ARG001 - all objectives have the same parameters
from collections.abc import Callable

from torch import Tensor

OPTIONS: dict[str, dict[str, object]] = {}


def prepare(labels: Tensor, groups: Tensor, weights: Tensor) -> Callable[..., Tensor]:
    """Return the weighted mean absolute error, in standard deviations of the training labels.

    Args:
        labels: float32 (n,) standardised numbers of all training rows.
        groups, weights: see `standard`.

    Returns:
        Loss of a batch: (outputs (b, 1), labels (b,), weights (b,), groups (b,)) -> scalar.
    """

    def loss(outputs: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:
        return ((outputs[:, 0] - labels).abs() * weights).sum() / weights.sum()

    return loss
