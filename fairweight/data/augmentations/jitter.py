"""Augment tabular rows: add noise to numbers and randomly replace categories."""

import dataclasses

import numpy as np

from fairweight.core.errors import InputError
from fairweight.core.random_streams import copies
from fairweight.core.table import Augmented, Table
from fairweight.data.column_statistics import Columns

OPTIONS = {
    "share": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1.0,
        "description": "Rows made, as a share of the training rows.",
    },
    "noise": {
        "type": "number",
        "minimum": 0,
        "default": 0.1,
        "description": "Standard deviation of the noise on a number, in standard deviations of its column.",
    },
    "swap": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0.1,
        "description": "Probability that a category is replaced by one drawn from its column.",
    },
}


def augment(
    block: Table, rng: np.random.Generator, columns: Columns, *, share: float, noise: float, swap: float
) -> Augmented:
    """Make noisy copies of randomly drawn rows of a block.

    Columns of whole numbers stay whole, every column stays within the range of all training rows, and a constant column
    stays constant. Label and groups are those of the source row.

    Raises:
        InputError: the rows are images or texts.
    """
    if block.images is not None or block.texts is not None:
        raise InputError("augmentation jitter is for tabular rows; images take affine_noise, texts typing_errors")
    source = copies(rng, len(block), share)
    numeric = block.numeric[source].astype(np.float64)
    moved = numeric + rng.normal(size=numeric.shape) * noise * columns.spread
    moved = np.where(columns.whole, np.round(moved), moved)
    moved = np.clip(moved, columns.lowest, columns.highest)
    categorical = block.categorical[source]
    for column, rows_of_level in enumerate(columns.levels):
        # each level is as likely as in a training row drawn at random
        donors = rng.integers(rows_of_level.sum(), size=len(source))
        drawn = np.searchsorted(np.cumsum(rows_of_level), donors, side="right")
        swapped = rng.random(len(source)) < swap
        categorical[swapped, column] = drawn[swapped]
    nothing = Augmented.nothing(block)
    return dataclasses.replace(nothing, source=source, numeric=moved.astype(np.float32), categorical=categorical)
