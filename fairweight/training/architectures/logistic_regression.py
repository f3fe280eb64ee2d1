"""Logistic regression: one linear layer."""

import math

from torch import nn

OPTIONS: dict[str, dict[str, object]] = {}


def build(features: tuple[int, ...], classes: int) -> nn.Module:
    """One linear layer from all features to the classes' logits."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(features), classes))
