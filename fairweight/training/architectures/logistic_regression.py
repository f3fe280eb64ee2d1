"""Logistic regression: one linear layer."""

import math

from torch import nn

OPTIONS: dict[str, dict[str, object]] = {}
LABELS = ("classes",)  # kinds of label that it predicts
LINEAR = True  # its body is one linear layer, whose loss is convex
ROWWISE = True  # a row's outputs depend on no other row of its batch, and on no random numbers


def build(features: tuple[int, ...], classes: int) -> nn.Module:
    """Build one linear layer from all features to the logits of the classes."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(features), classes))
