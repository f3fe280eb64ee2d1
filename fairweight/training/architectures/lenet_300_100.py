"""LeNet-300-100: two hidden layers of 300 and 100 units (LeCun et al. 1998), with ReLU as in Han et al. 2015."""

import math

from torch import nn

ROWWISE = True  # a row's outputs depend on no other row of its batch, and on no random numbers
OPTIONS = {
    "width_factor": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1.0,
        "description": "Factor of the widths of the hidden layers.",
    },
}


def build(features: tuple[int, ...], classes: int, *, width_factor: float = 1.0) -> nn.Module:
    """Build the fully connected network, with 266,610 parameters for 28x28 images, 10 classes and width_factor 1.

    Args:
        features: shape of one row's features.
        classes: number of classes.
        width_factor: factor of the widths of the hidden layers.
    """
    first, second = (max(1, round(units * width_factor)) for units in (300, 100))
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(features), first),
        nn.ReLU(),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Linear(second, classes),
    )
