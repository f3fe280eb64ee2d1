"""Calibration: whether a score of 0.7 is right seven times in ten, overall and for each group."""

from typing import Any

import numpy as np

from fairweight.evaluation.metric_rows import Assessed, cell, subsets

Array = np.ndarray[Any, Any]
BINS = 15


def measure(assessed: Assessed) -> list[dict[str, Any]]:
    """Brier score and expected calibration error of all rows and of each group; nothing for scores that are no probabilities.

    The Brier score is the mean squared error of the probability of the positive class, or for more classes the sum over
    the classes (Brier 1950).  The expected calibration error is, over 15 bins of equal width, the mean absolute gap
    between mean probability and frequency, weighted by rows: of the positive class for a binary label (Naeini et al.
    2015), else of the predicted class (Guo et al. 2017).  It is above 0 for a perfectly calibrated score, too:
    `by_chance` is its expectation then, by the normal approximation of each bin, sum of sqrt(2/pi * sum p(1-p)) / n.

    Returns:
        One cell for each metric and subset of rows (see `cells.cell`).
    """
    if assessed.probabilities is None:
        return []
    found = []
    for attribute, group, member in subsets(assessed):
        part = assessed.of_group(member)
        n = len(part.labels)
        about: dict[str, Any] = {"n": n, "attribute": attribute, "group": group, "smallest": assessed.smallest_group}
        if not n:
            found += [cell(name, None, **about, reason="no rows") for name in ("brier", "calibration_error")]
            continue
        probabilities = np.asarray(part.probabilities, float)
        found.append(cell("brier", _brier(probabilities, part.labels), **about))
        if assessed.classes == 2:
            error, by_chance = calibration_error(probabilities[:, 1], part.labels == 1)
        else:
            confidence = probabilities[np.arange(n), part.predictions]
            error, by_chance = calibration_error(confidence, part.predictions == part.labels)
        found.append(cell("calibration_error", error, **about, by_chance=by_chance))
    return found


def _brier(probabilities: Array, labels: Array) -> float:
    if probabilities.shape[1] == 2:
        return float(np.mean((probabilities[:, 1] - (labels == 1)) ** 2))
    return float(np.mean(((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1)))


def calibration_error(probabilities: Array, happened: Array) -> tuple[float, float]:
    """Expected calibration error of probabilities (n,) of what happened or not (n,), and its expectation by chance."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=probabilities - happened, minlength=BINS)
    spread = np.bincount(bins, weights=probabilities * (1 - probabilities), minlength=BINS)
    n = len(probabilities)
    return float(np.abs(gaps).sum() / n), float(np.sqrt(2 / np.pi * spread.clip(0)).sum() / n)
