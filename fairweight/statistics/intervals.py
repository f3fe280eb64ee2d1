"""Confidence interval of a rate, and the size of a gap between groups by chance alone."""

import functools
from typing import Any

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]
LEVEL = 0.95
DRAWS = 2_000  # of the simulated null distribution


@functools.cache
def _quantile(level: float) -> float:
    """Normal quantile of a two-sided interval; SciPy takes longer for it than the rest of an interval takes."""
    return float(stats.norm.ppf(0.5 + level / 2))


def wilson(successes: Array | float, total: Array | float, level: float = LEVEL) -> tuple[Array, Array]:
    """Wilson's score interval of a rate (Wilson 1927; Brown, Cai & DasGupta 2001).

    Args:
        successes: counts.
        total: counts, of the same shape; the interval is NaN where it is 0.
        level: coverage.

    Returns:
        Lower and upper bound, of that shape.
    """
    k, n = np.asarray(successes, float), np.asarray(total, float)
    z = _quantile(level)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = k / n
        centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    # rounding must not leave a bound of 1e-18 where the rate is 0
    return np.where(k == 0, centre * 0, centre - half), np.where(k == n, centre * 0 + 1, centre + half)


def gap_by_chance(successes: Array, totals: Array, draws: int = DRAWS) -> tuple[float, float]:
    """Largest difference of a rate between groups if all groups had the same rate: its expectation, and a p-value.

    A percentile interval of such a gap never contains 0, however equal the groups are. Therefore the null distribution
    is simulated: each group draws its successes from its own number of rows and the pooled rate.

    Args:
        successes, totals: counts of each group (G,); totals are positive.
        draws: simulated sets of groups; the random numbers are the same in every call.

    Returns:
        (expected gap, p): p is the share of simulated gaps that are at least as large as the observed one, which counts
        as one of them (Phipson & Smyth 2010).
    """
    pooled = float(successes.sum() / totals.sum())
    rates = np.random.default_rng(0).binomial(totals, pooled, size=(draws, len(totals))) / totals
    simulated = rates.max(axis=1) - rates.min(axis=1)
    observed = np.ptp(successes / totals)
    # two ways to compute one fraction may differ in the last bit
    return float(simulated.mean()), float((1 + (simulated >= observed - 1e-12).sum()) / (draws + 1))


def of_mean(values: Array, level: float = LEVEL) -> tuple[float, float] | None:
    """Interval of a mean of rows (n,) by Student's t distribution; None of one row."""
    n = len(values)
    if n < 2:
        return None
    half = float(stats.t.ppf(0.5 + level / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return float(values.mean()) - half, float(values.mean()) + half


def range_by_chance(errors: Array, observed: float, draws: int = DRAWS) -> tuple[float, float]:
    """Largest difference of a mean between groups if all true means were equal: its expectation, and a p-value.

    Args:
        errors: standard errors of the means of the groups (G,), which are taken to be normal.
        observed: the largest difference of the means.
        draws: simulated sets of groups; the random numbers are the same in every call.

    Returns:
        (expected difference, p), as of `gap_by_chance`.
    """
    simulated = np.ptp(np.random.default_rng(0).normal(size=(draws, len(errors))) * errors, axis=1)
    return float(simulated.mean()), float((1 + (simulated >= observed - 1e-12).sum()) / (draws + 1))


def student(values: Array, level: float = LEVEL) -> tuple[float, float, float]:
    """Mean of independent values (K,), and its interval from Student's t distribution.

    Args:
        values: such as one value for each seed.
        level: coverage.

    Returns:
        (mean, low, high); the bounds are NaN with one value, and where a value is NaN.
    """
    mean = float(np.mean(values))
    if len(values) < 2 or not np.isfinite(values).all():
        return mean, float("nan"), float("nan")
    half = float(stats.t.ppf(0.5 + level / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half
