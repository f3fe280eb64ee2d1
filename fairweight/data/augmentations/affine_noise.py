"""Augment images by small random shifts, rotations, changes of scale, and noise."""

import dataclasses

import numpy as np
from scipy import ndimage

from fairweight.core.errors import InputError
from fairweight.core.random_streams import copies
from fairweight.core.table import Augmented, Table

OPTIONS = {
    "share": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1.0,
        "description": "Images made, as a share of the training rows.",
    },
    "shift": {
        "type": "number",
        "minimum": 0,
        "default": 2.0,
        "description": "Largest shift along each axis, in pixels.",
    },
    "rotate": {
        "type": "number",
        "minimum": 0,
        "maximum": 180,
        "default": 10.0,
        "description": "Largest rotation to either side, in degrees.",
    },
    "scale": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.1,
        "description": "Largest change of size; 0.1 draws factors between 0.9 and 1.1.",
    },
    "noise": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0.02,
        "description": "Standard deviation of the noise on a pixel, as a share of the full range.",
    },
}


def augment(
    block: Table, rng: np.random.Generator, *, share: float, shift: float, rotate: float, scale: float, noise: float
) -> Augmented:
    """Make distorted copies of randomly drawn images of a block; label and groups are those of the source row.

    Raises:
        InputError: the rows are not images.
    """
    if block.images is None:
        raise InputError("augmentation affine_noise is for images; tabular rows take jitter")
    source = copies(rng, len(block), share)
    count = len(source)
    angles = np.deg2rad(rng.uniform(-rotate, rotate, count))
    factors = rng.uniform(1 - scale, 1 + scale, count)
    shifts = rng.uniform(-shift, shift, (count, 2))
    made = np.empty((count, *block.images.shape[1:]), np.uint8)
    centre = (np.array(made.shape[2:]) - 1) / 2
    for i, position in enumerate(source):
        # affine_transform maps output to input coordinates, hence the inverse of the scale
        cosine, sine = np.cos(angles[i]) / factors[i], np.sin(angles[i]) / factors[i]
        matrix = np.array([[cosine, -sine], [sine, cosine]])
        offset = centre - matrix @ (centre + shifts[i])
        for channel, image in enumerate(block.images[position]):
            moved = ndimage.affine_transform(image.astype(np.float32), matrix, offset, order=1)
            moved += rng.normal(scale=noise * 255, size=moved.shape).astype(np.float32)
            made[i, channel] = np.clip(np.round(moved), 0, 255)
    nothing, rest = Augmented.nothing(block), block.take(source)
    return dataclasses.replace(nothing, source=source, images=made, numeric=rest.numeric, categorical=rest.categorical)
