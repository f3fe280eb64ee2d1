"""A ratio of two positive quantities that were measured side by side, again and again, for several seeds."""

from typing import Any

import numpy as np

from fairweight.statistics.crossed import Array, of_rows


def paired_ratio(values: Array, others: Array, level: float = 0.95) -> dict[str, Any]:
    """Geometric mean of values / others with its interval, crossed over rounds and seeds.

    What disturbs a round falls on both, and cancels. On the log scale the mean has a variance from the rounds and one from
    the seeds (Owen 2007), and Student's distribution with the degrees of freedom of their sum (Satterthwaite 1946).

    Args:
        values, others: positive, shape (rounds, seeds), pairs at the same place.
        level: coverage.

    Returns:
        `ratio`, `low`, `high`; the bounds are NaN with one round.
    """
    found = of_rows(np.log(values) - np.log(others))
    low, high = found.interval(level) if found.rows > 1 else (float("nan"), float("nan"))
    return {"ratio": float(np.exp(found.value)), "low": float(np.exp(low)), "high": float(np.exp(high))}
