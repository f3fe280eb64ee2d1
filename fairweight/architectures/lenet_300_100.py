"""LeNet-300-100: two hidden layers of 300 and 100 units (LeCun et al. 1998), here with ReLU as in Han et al. 2015."""

import math

from torch import nn

OPTIONS: dict[str, dict[str, object]] = {}


def build(features: tuple[int, ...], classes: int) -> nn.Module:
    """Fully connected, 266,610 parameters for 28x28 images and 10 classes."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(features), 300),
        nn.ReLU(),
        nn.Linear(300, 100),
        nn.ReLU(),
        nn.Linear(100, classes),
    )
