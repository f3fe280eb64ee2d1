"""Multilayer perceptron with ReLU, of any widths."""

import itertools
import math

from torch import nn

ROWWISE = True  # a row's outputs depend on no other row of its batch, and on no random numbers
OPTIONS = {
    "hidden": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1},
        "minItems": 1,
        "default": [128],
        "description": "Widths of the hidden layers.",
    },
    "width_factor": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1.0,
        "description": "Factor of those widths.",
    },
}


def build(features: tuple[int, ...], classes: int, *, hidden: list[int], width_factor: float = 1.0) -> nn.Module:
    """Build linear layers of the given widths with ReLU between them.

    For 28x28 images, 10 classes and `hidden: [128]` the widths are 784-128-10.

    Args:
        features: shape of one row's features.
        classes: number of classes.
        hidden: widths of the hidden layers.
        width_factor: factor of those widths.
    """
    widths = [math.prod(features), *(max(1, round(units * width_factor)) for units in hidden)]
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))
