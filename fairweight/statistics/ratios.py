"""Ratio of two positive quantities that were measured side by side in several rounds, for several seeds."""

from typing import TypedDict

import numpy as np

from fairweight.statistics.crossed_uncertainty import Array, of_rows


class Ratio(TypedDict):
    """A ratio with its interval; the bounds are NaN with one round."""

    ratio: float
    low: float
    high: float


def paired_ratio(values: Array, others: Array, level: float = 0.95) -> Ratio:
    """Geometric mean of values / others with its interval, crossed over rounds and seeds.

    A disturbance of a round affects both and cancels. On the log scale the mean has a variance from the rounds and one
    from the seeds (Owen 2007), and Student's t distribution with the degrees of freedom of their sum (Satterthwaite
    1946).

    Args:
        values, others: positive, shape (rounds, seeds), pairs at the same place.
        level: coverage.
    """
    logs = of_rows(np.log(values) - np.log(others))
    low, high = logs.interval(level) if logs.rows > 1 else (float("nan"), float("nan"))
    return {"ratio": float(np.exp(logs.value)), "low": float(np.exp(low)), "high": float(np.exp(high))}
