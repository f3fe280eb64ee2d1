"""LeNet-5 in the form of Caffe's MNIST example, the one of the pruning literature (Han et al. 2015)."""

import torch
from torch import nn

from fairweight.errors import InputError

OPTIONS: dict[str, dict[str, object]] = {}


def build(features: tuple[int, ...], classes: int) -> nn.Module:
    """Conv 20@5x5, pool, conv 50@5x5, pool, 500, classes: 431,080 parameters for 28x28 images and 10 classes.

    Raises:
        InputError: the features are not images of at least 16x16 pixels.
    """
    if len(features) != 3 or min(features[1:]) < 16:
        raise InputError(f"architecture lenet5 takes images of at least 16x16 pixels, not features of shape {features}")
    convolutions = nn.Sequential(
        nn.Conv2d(features[0], 20, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
    with torch.no_grad():
        size = convolutions(torch.zeros(1, *features)).shape[1]
    return nn.Sequential(*convolutions, nn.Linear(size, 500), nn.ReLU(), nn.Linear(500, classes))
