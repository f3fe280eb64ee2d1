"""Quantile (pinball) loss of a regression: the weighted mean over rows (Koenker & Bassett 1978)."""

# ruff: noqa: ARG001 - all objectives have the same parameters
from collections.abc import Callable

import torch
from torch import Tensor

OPTIONS = {
    "quantile": {
        "type": "number",
        "exclusiveMinimum": 0,
        "exclusiveMaximum": 1,
        "description": "The share of labels that should lie below the predictions; 0.5 is the median.",
    },
}


def prepare(labels: Tensor, groups: Tensor, weights: Tensor, *, quantile: float) -> Callable[..., Tensor]:
    """Return the weighted mean pinball loss, in standard deviations of the training labels.

    Args:
        labels: float32 (n,) standardised numbers of all training rows.
        groups, weights: see `standard`.
        quantile: q; a label above the prediction costs q times its distance, one below it 1 - q times.

    Returns:
        Loss of a batch: (outputs (b, 1), labels (b,), weights (b,), groups (b,)) -> scalar.
    """

    def loss(outputs: Tensor, labels: Tensor, weights: Tensor, groups: Tensor) -> Tensor:
        above = labels - outputs[:, 0]
        return (torch.maximum(quantile * above, (quantile - 1) * above) * weights).sum() / weights.sum()

    return loss
