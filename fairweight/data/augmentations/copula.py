"""Generate tabular rows from a Gaussian copula by group and label."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Augmented, Table
from fairweight.data import generation
from fairweight.data.generation import FEWEST, Margins

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
}
GENERATES = True
PRIOR = 5  # rows a column that a correlation over all rows counts for, in a cell with few rows
Array = NDArray[Any]


def augment(training: Table, rng: np.random.Generator, *, attribute: str | None, fill: str, share: float) -> Augmented:
    """Draw rows whose columns have the distributions and rank correlations of a combination of group and label.

    Categories are intervals of a normal score whose width is their share (Patki et al. 2016). Correlations of small
    combinations are shrunk to those of all training rows. Inputs from which groups are made stay those of the source
    row, and the others are drawn given them.

    Raises:
        InputError: the rows are not tabular, or there is no such attribute.
    """
    chosen = generation.cells(training, rng, "copula", attribute=attribute, fill=fill, share=share)
    kept = np.concatenate(generation.kept_inputs(training, rng))
    return generation.assembled(training, _made(training, chosen, kept, rng))


def _made(
    training: Table, chosen: list[generation.Cell], kept: Array, rng: np.random.Generator
) -> Iterator[tuple[Array, Array, Array]]:
    overall = _correlation(Margins.from_rows(training).scores(training, rng))
    numbers = training.numeric.shape[1]
    for cell in chosen:
        own = cell.rows if len(cell.rows) >= FEWEST else np.flatnonzero(training.label == cell.label)
        rows = training.take(own)
        margins = Margins.from_rows(rows)
        weight = len(own) / (len(own) + PRIOR * len(kept))
        correlation = weight * _correlation(margins.scores(rows, rng)) + (1 - weight) * overall
        source = training.take(cell.source)
        scores = _given(margins.scores(source, rng), kept, correlation, rng)
        numeric, codes = margins.values(scores)
        numeric = np.where(kept[:numbers], source.numeric, numeric)
        yield cell.source, numeric, np.where(kept[numbers:], source.categorical, codes)


def _correlation(scores: Array) -> Array:
    """Correlation matrix (d, d) of normal scores; a constant column is independent of all others."""
    spread = scores.std(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = np.corrcoef(scores, rowvar=False).reshape(len(spread), len(spread))
    matrix = np.nan_to_num(matrix)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def _given(scores: Array, kept: Array, correlation: Array, rng: np.random.Generator) -> Array:
    """Draw normal scores of the columns that are not kept, given those that are: (m, d)."""
    free, fixed = np.flatnonzero(~kept), np.flatnonzero(kept)
    ridge = 1e-6 * np.eye(len(correlation))
    whole = correlation + ridge
    if len(fixed):
        weights = np.linalg.solve(whole[np.ix_(fixed, fixed)], whole[np.ix_(fixed, free)])
        mean = scores[:, fixed] @ weights
        covariance = whole[np.ix_(free, free)] - whole[np.ix_(free, fixed)] @ weights
    else:
        mean, covariance = np.zeros((len(scores), len(free))), whole[np.ix_(free, free)]
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    drawn = scores.copy()
    drawn[:, free] = mean + rng.normal(size=mean.shape) @ root.T
    return drawn
