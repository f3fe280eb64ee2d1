"""Calibration: whether a score of 0.7 is right in 70 % of cases, overall and for each group."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fairweight.evaluation.metric_rows import Assessed, MetricRow, metric_row, subsets
from fairweight.statistics.crossed_uncertainty import blocks

Array = np.ndarray[Any, Any]
BINS = 15


def measure(assessed: Assessed) -> list[MetricRow]:
    """Brier score and expected calibration error of all rows and of each group.

    The Brier score is the mean squared error of the probability of the positive class, or for more classes the sum over
    the classes (Brier 1950). The expected calibration error is the mean absolute gap between mean probability and
    frequency over 15 bins of equal width, weighted by rows: of the positive class for a binary label (Naeini et al.
    2015), otherwise of the predicted class (Guo et al. 2017). It is above 0 even for a perfectly calibrated score:
    `by_chance` is its expectation in that case, by the normal approximation of each bin, sum of
    sqrt(2/pi * sum p(1-p)) / n.

    Returns:
        One row per metric and subset of rows (see `metric_rows.metric_row`); none where scores are no probabilities.
    """
    if assessed.probabilities is None:
        return []
    rows = []
    for attribute, group, member in subsets(assessed):
        part = assessed.of_group(member)
        n = len(part.labels)
        error, by_chance = _calibration_error(part) if n else (None, None)
        for metric, value, expected in (
            ("brier", _brier(part) if n else None, None),
            ("calibration_error", error, by_chance),
        ):
            rows.append(
                metric_row(
                    metric,
                    value,
                    n=n,
                    attribute=attribute,
                    group=group,
                    by_chance=expected,
                    smallest=assessed.smallest_group,
                    reason=None if n else "no rows",
                )
            )
    return rows


def _brier(part: Assessed) -> float:
    assert part.probabilities is not None  # see `measure`
    if part.classes == 2:
        return float(np.mean((part.probabilities[:, 1].astype(float) - (part.labels == 1)) ** 2))
    return float(np.mean(_by_block(_squared_error, part, part.labels)))


def _squared_error(probabilities: Array, labels: Array) -> Array:
    """Of each row, summed over the classes (n,)."""
    probabilities[np.arange(len(labels)), labels] -= 1
    return (probabilities**2).sum(axis=1)


def _calibration_error(part: Assessed) -> tuple[float, float]:
    assert part.probabilities is not None  # see `measure`
    if part.classes == 2:
        return calibration_error(part.probabilities[:, 1].astype(float), part.labels == 1)
    return calibration_error(_by_block(_confidence, part, part.predictions), part.predictions == part.labels)


def _confidence(probabilities: Array, predictions: Array) -> Array:
    """Probability of the predicted class of each row (n,)."""
    # a class that the dataset does not have is predicted with what is left of the probabilities
    every = np.column_stack([probabilities, (1 - probabilities.sum(axis=1)).clip(0, 1)])
    return every[np.arange(len(predictions)), predictions]


def _by_block(function: Callable[[Array, Array], Array], part: Assessed, codes: Array) -> Array:
    """Values of all rows (n,) from probabilities in double precision and classes (n,), of some rows at a time."""
    assert part.probabilities is not None  # see `measure`
    values = np.empty(len(part.labels))
    for rows in blocks(len(values)):
        values[rows] = function(part.probabilities[rows].astype(float), codes[rows])
    return values


def calibration_error(probabilities: Array, happened: Array) -> tuple[float, float]:
    """Expected calibration error of probabilities (n,) of an event (n,), and its expectation by chance."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=probabilities - happened, minlength=BINS)
    spread = np.bincount(bins, weights=probabilities * (1 - probabilities), minlength=BINS)
    n = len(probabilities)
    return float(np.abs(gaps).sum() / n), float(np.sqrt(2 / np.pi * spread.clip(0)).sum() / n)
