"""Change of a share between two models on the same rows: score test, score interval and posterior interval.

The score test is that of Tango (1998). Rows are the only source of randomness here: a statement is about these two
models, not about others that the same recipe would train. Counts may be fractions, such as means over models.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, special, stats

Array = np.ndarray[Any, Any]
LEVEL = 0.95
TOLERANCE = 1e-9  # of the search for a limit or a p-value
LARGEST_Z = 38.0  # the normal tail beyond is 0 in floating point
DRAWS = 4_000


class Pairs(NamedTuple):
    """Paired counts of a share.

    Attributes:
        rows: rows that the share is of.
        gained: rows that count with the variant and not with the baseline.
        lost: rows that count with the baseline and not with the variant.
    """

    rows: float
    gained: float
    lost: float

    @property
    def change(self) -> float:
        """Share with the variant minus share with the baseline; NaN without rows."""
        return (self.gained - self.lost) / self.rows if self.rows else float("nan")


def tango_z(pairs: Pairs, change: float) -> float:
    """Score statistic of the null hypothesis that the true change equals `change` (Tango 1998).

    It is valid without any discordant row, where Wald's statistic divides by 0.

    Args:
        pairs: counts; at least one row.
        change: between -1 and 1.

    Returns:
        A value that is standard normal under the null hypothesis, and large where the observed change is larger.
    """
    n, gained, lost = pairs
    numerator = gained - lost - n * change
    # maximum likelihood estimate of the probability of a loss under the null hypothesis: root of a quadratic
    linear = -gained - lost + (2 * n - gained + lost) * change
    constant = -lost * change * (1 - change)
    loss = (np.sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
    variance = n * (2 * loss + change * (1 - change))
    if variance <= 1e-12:
        return 0.0 if abs(numerator) <= 1e-9 else float(np.copysign(LARGEST_Z, numerator))
    return float(numerator / np.sqrt(variance))


def tango_above(pairs: Pairs, bound: float) -> float:
    """p-value against the null hypothesis that the true change is at most `bound`; 1 without rows."""
    return float(special.ndtr(-tango_z(pairs, bound))) if pairs.rows else 1.0


def tango_below(pairs: Pairs, bound: float) -> float:
    """p-value against the null hypothesis that the true change is at least `bound`; 1 without rows."""
    return float(special.ndtr(tango_z(pairs, bound))) if pairs.rows else 1.0


def tango_interval(pairs: Pairs, level: float = LEVEL) -> tuple[float, float]:
    """Two-sided score interval of the change: all changes that the score test does not reject; NaN without rows."""
    return _limits(pairs, float(special.ndtri(0.5 + level / 2)))


def _limits(pairs: Pairs, z: float) -> tuple[float, float]:
    """Changes at which the score statistic is z and -z."""
    if not pairs.rows:
        return float("nan"), float("nan")
    return _crossing(pairs, z, -1.0, pairs.change), _crossing(pairs, -z, pairs.change, 1.0)


def _crossing(pairs: Pairs, z: float, low: float, high: float) -> float:
    """Change between two bounds at which the score statistic, which falls with the change, equals z."""

    def excess(change: float) -> float:
        return tango_z(pairs, change) - z

    if excess(low) <= 0:
        return low
    return high if excess(high) >= 0 else float(optimize.brentq(excess, low, high, xtol=TOLERANCE))


def difference_interval(first: Pairs, second: Pairs, level: float = LEVEL) -> tuple[float, float]:
    """Two-sided interval of the change of one group minus that of another; NaN where one has no rows.

    The groups share no row. The score limits of both groups are combined by the squares of their distances from the
    estimates (MOVER, Zou & Donner 2008).
    """
    return _difference_limits(first, second, float(special.ndtri(0.5 + level / 2)))


def _difference_limits(first: Pairs, second: Pairs, z: float) -> tuple[float, float]:
    estimate = first.change - second.change
    (low, high), (other_low, other_high) = _limits(first, z), _limits(second, z)
    below = np.hypot(first.change - low, other_high - second.change)
    above = np.hypot(high - first.change, second.change - other_low)
    return float(estimate - below), float(estimate + above)


def difference_below(first: Pairs, second: Pairs, bound: float) -> float:
    """p-value against the null hypothesis that the difference of two groups' changes is at least `bound`.

    It is the error rate at which the one-sided interval just contains the bound; 1 where a group has no rows.
    """
    if not (first.rows and second.rows):
        return 1.0
    smaller = first.change - second.change <= bound

    def excess(z: float) -> float:
        """How far the limit that faces the bound is beyond it."""
        low, high = _difference_limits(first, second, z)
        return high - bound if smaller else bound - low

    if excess(LARGEST_Z) <= 0:
        z = LARGEST_Z
    else:
        z = 0.0 if excess(0.0) >= 0 else float(optimize.brentq(excess, 0.0, LARGEST_Z, xtol=TOLERANCE))
    return float(special.ndtr(-z if smaller else z))


def difference_above(first: Pairs, second: Pairs, bound: float) -> float:
    """p-value against the null hypothesis that the difference of two groups' changes is at most `bound`."""
    return difference_below(second, first, -bound)


def posterior_interval(pairs: Pairs, level: float = LEVEL) -> tuple[float, float]:
    """Equal-tailed Bayesian interval of one change; it exists for any number of rows, with none it is the prior's.

    The shares of rows that are gained, lost and unchanged have a Dirichlet distribution with Jeffreys' prior (1/2, 1/2,
    1/2). The quantiles are those of quasi-random draws, the same in every call.
    """
    gained, lost = pairs.gained + 0.5, pairs.lost + 0.5
    rest = max(pairs.rows - pairs.gained - pairs.lost, 0.0) + 0.5
    first, second = _uniform_points().T
    share = special.betaincinv(gained, lost + rest, first)  # Dirichlet by breaking a stick
    change = share - (1 - share) * special.betaincinv(lost, rest, second)
    low, high = np.quantile(change, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


@functools.cache
def _uniform_points() -> Array:
    points: Array = stats.qmc.Halton(2, scramble=False).random(DRAWS + 1)[1:]  # without the one at the origin
    return points
