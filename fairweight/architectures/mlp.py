"""Multilayer perceptron with ReLU, of any widths."""

import itertools
import math

from torch import nn

OPTIONS = {
    "hidden": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "default": [128], "description": "Widths of the hidden layers."},
}  # fmt: skip


def build(features: tuple[int, ...], classes: int, *, hidden: list[int]) -> nn.Module:
    """Linear layers of the given widths with ReLU between them; 784-128-10 for 28x28 images and `hidden: [128]`."""
    widths = [math.prod(features), *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))
