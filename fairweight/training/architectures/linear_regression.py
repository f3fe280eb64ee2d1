"""Linear regression: one linear layer with one output."""

import math

from torch import nn

OPTIONS: dict[str, dict[str, object]] = {}
LABELS = ("numbers",)  # kinds of label that it predicts


def build(features: tuple[int, ...], outputs: int) -> nn.Module:
    """Build one linear layer from all features to the number; weight decay makes it a ridge regression."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(features), outputs))
