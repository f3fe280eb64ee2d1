"""LeNet-5 as in Caffe's MNIST example, the version of the pruning literature (Han et al. 2015)."""

import torch
from torch import nn

from fairweight.core.errors import InputError

ROWWISE = True  # a row's outputs depend on no other row of its batch, and on no random numbers
OPTIONS = {
    "width_factor": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1.0,
        "description": "Factor of the numbers of channels and hidden units.",
    },
}


def build(features: tuple[int, ...], classes: int, *, width_factor: float = 1.0) -> nn.Module:
    """Build conv 20@5x5, pool, conv 50@5x5, pool, 500 hidden units, classes.

    It has 431,080 parameters for 28x28 images, 10 classes and width_factor 1.

    Args:
        features: (channels, height, width) of an image.
        classes: number of classes.
        width_factor: factor of the numbers of channels and hidden units.

    Raises:
        InputError: the features are not images of at least 16x16 pixels.
    """
    if len(features) != 3 or min(features[1:]) < 16:
        raise InputError(f"architecture lenet5 takes images of at least 16x16 pixels, not features of shape {features}")
    first, second, hidden = (max(1, round(units * width_factor)) for units in (20, 50, 500))
    convolutions = nn.Sequential(
        nn.Conv2d(features[0], first, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
    with torch.no_grad():
        size = convolutions(torch.zeros(1, *features)).shape[1]
    return nn.Sequential(*convolutions, nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, classes))
