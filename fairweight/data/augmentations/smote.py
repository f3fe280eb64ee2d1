"""Generate tabular rows between neighbours of the same group and label (SMOTE-NC, Chawla et al. 2002)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from fairweight.core.errors import InputError
from fairweight.core.table import Augmented, Table
from fairweight.data import generation

OPTIONS = {
    "attribute": {
        "type": ["string", "null"],
        "default": None,
        "description": "Sensitive attribute: rows are made by group and label; null makes them by label.",
    },
    "fill": {
        "enum": ["balance", "proportional"],
        "default": "balance",
        "description": "balance fills every combination of group and label up to the size of the largest; proportional "
        "makes rows of each in proportion to its size.",
    },
    "share": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 100,
        "default": 1.0,
        "description": "Largest number of rows made, as a share of the training rows.",
    },
    "neighbours": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 5,
        "description": "Neighbours of a row, one of which is drawn.",
    },
}
GENERATES = True
Array = NDArray[Any]


def augment(
    training: Table,
    rng: np.random.Generator,
    *,
    attribute: str | None,
    fill: str,
    share: float,
    neighbours: int,
) -> Augmented:
    """Make rows on the line between a row and one of its nearest neighbours of the same group and label.

    Numbers are interpolated; a category is the most frequent one of the neighbours. Inputs from which groups are made
    stay those of the row. Distances are of standardised numbers; two categories differ by the median standard deviation
    of the numbers, which is 1.

    Raises:
        InputError: the rows are not tabular, there is no such attribute, or a combination has one row only.
    """
    chosen = generation.cells(training, rng, "smote", attribute=attribute, fill=fill, share=share)
    for cell in chosen:
        if len(cell.rows) < 2:
            raise InputError(
                f"augmentation smote: a combination of group and label {training.classes[cell.label]!r} has one row, "
                "and so no neighbour"
            )
    kept = generation.kept_inputs(training, rng)
    return generation.assembled(training, _made(training, chosen, kept, neighbours, rng))


def _made(
    training: Table, chosen: list[generation.Cell], kept: tuple[Array, Array], neighbours: int, rng: np.random.Generator
) -> Iterator[tuple[Array, Array, Array]]:
    numeric = training.numeric.astype(np.float64)
    with np.errstate(invalid="ignore"):
        centre, spread = np.nanmean(numeric, axis=0), np.nanstd(numeric, axis=0)
    scaled = np.nan_to_num((numeric - centre) / np.where(spread > 0, spread, 1))
    for cell in chosen:
        near = _neighbours(scaled[cell.rows], training.categorical[cell.rows], min(neighbours, len(cell.rows) - 1))
        position = np.searchsorted(cell.rows, cell.source)
        other = cell.rows[near[position, rng.integers(near.shape[1], size=len(position))]]
        step = rng.random((len(position), 1))
        between = numeric[cell.source] + step * (numeric[other] - numeric[cell.source])
        between = np.where(np.isnan(between) | kept[0], numeric[cell.source], between)
        codes = _most_frequent(training.categorical[cell.rows][near][position])
        yield cell.source, between, np.where(kept[1], training.categorical[cell.source], codes)


def _neighbours(scaled: Array, categorical: Array, number: int) -> Array:
    """Positions of the nearest other rows (n, number)."""
    one_hot = [np.eye(column.max() + 2)[column] * np.sqrt(0.5) for column in categorical.T]  # two that differ: 1
    features = np.concatenate([scaled, *one_hot], axis=1)
    nearest: Array = NearestNeighbors(n_neighbors=number + 1).fit(features).kneighbors(features, return_distance=False)
    own = nearest == np.arange(len(nearest))[:, None]
    own[:, -1] |= ~own.any(axis=1)  # among equal rows, a row may not be its own neighbour
    return nearest[~own].reshape(len(nearest), number)


def _most_frequent(codes: Array) -> Array:
    """Most frequent code over the neighbours: (m, neighbours, c) to (m, c); the nearest of several."""
    counts = (codes[:, :, None, :] == codes[:, None, :, :]).sum(axis=2)
    best = counts.argmax(axis=1)
    chosen: Array = np.take_along_axis(codes, best[:, None, :], axis=1)[:, 0]
    return chosen
