"""Tabular noise: numbers move a little, categories are swapped now and then."""

import dataclasses

import numpy as np

from fairweight.errors import InputError
from fairweight.table import Augmented, Table

OPTIONS = {
    "share": {"type": "number", "exclusiveMinimum": 0, "default": 1.0, "description": "Rows made, as a share of the training rows."},
    "noise": {"type": "number", "minimum": 0, "default": 0.1, "description": "Standard deviation of the noise on a number, in standard deviations of its column."},
    "swap": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.1, "description": "Probability that a category is replaced by one drawn from its column."},
}  # fmt: skip


def augment(training: Table, rng: np.random.Generator, *, share: float, noise: float, swap: float) -> Augmented:
    """Make noisy copies of training rows drawn at random.

    Whole-numbered columns stay whole, every column stays within the range of the training rows, and a constant column
    stays constant.  Labels and groups are those of the source row.

    Raises:
        InputError: the rows are images.
    """
    if training.images is not None:
        raise InputError("augmentation jitter is for tabular rows; images take affine_noise")
    source = rng.permutation(np.resize(rng.permutation(len(training)), round(share * len(training))))
    numeric = training.numeric.astype(np.float64)
    spread = np.nanstd(numeric, axis=0)
    moved = numeric[source] + rng.normal(size=(len(source), numeric.shape[1])) * noise * spread
    whole = np.all(np.isnan(numeric) | (numeric == np.round(numeric)), axis=0)
    moved = np.where(whole, np.round(moved), moved)
    if numeric.size:
        moved = np.clip(moved, np.nanmin(numeric, axis=0), np.nanmax(numeric, axis=0))
    donors = rng.integers(len(training), size=(len(source), training.categorical.shape[1]))
    drawn = np.take_along_axis(training.categorical, donors, axis=0)
    swapped = np.where(rng.random(drawn.shape) < swap, drawn, training.categorical[source])
    nothing = Augmented.nothing(training)
    return dataclasses.replace(nothing, source=source, numeric=moved.astype(np.float32), categorical=swapped)
