"""Break-even: after how many uses something that costs more to make has repaid its extra cost."""

from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95  # of the interval of each of the two quantities
JOINT_CONFIDENCE = 2 * CONFIDENCE - 1  # both intervals hold together with at least this probability (Bonferroni)

Interval = tuple[float, float, float]  # low, central and high value; bounds that cannot be computed are NaN
Status = Literal["at once", "after", "undecided", "never", "not estimable"]


class BreakEven(TypedDict):
    """Number of uses until break-even, with its interval; NaN where it does not exist."""

    status: Status
    uses: float
    low: float
    high: float


def mean_interval(values: NDArray[Any]) -> Interval:
    """Mean of values with its t interval at level 0.95; with one value there are no bounds.

    Args:
        values: one value per seed, shape (n,).
    """
    mean = float(np.mean(values)) if len(values) else np.nan
    if len(values) < 2:
        return np.nan, mean, np.nan
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * float(stats.sem(values))
    return mean - half, mean, mean + half


def break_even(extra: Interval, saved: Interval) -> BreakEven:
    """Compute how many uses it takes until the savings per use equal the extra cost of making.

    The interval of the quotient is the range of quotients in the rectangle of both intervals. If each of them covers
    its true value with a probability of 95 %, the quotient is covered with at least 90 %, whatever their correlation
    (Bonferroni). It is more in practice, because the corners of the rectangle are unlikely.

    Args:
        extra: extra cost that occurs once: low, central, high; negative where it is a saving.
        saved: saving per use, in the same unit: low, central, high.

    Returns:
        `status` is one of:

        * `at once`: making costs no more, and use costs no more either.
        * `after`: break-even comes after `uses`, between `low` and `high`.
        * `undecided`: the interval of the saving contains 0; `uses` and `high` are NaN.
        * `never`: the upper limit of the saving is not above 0.
        * `not estimable`: one of the two has no interval.
    """
    if not np.isfinite([*extra, *saved]).all():
        return _without_uses("not estimable")
    (extra_low, extra_central, extra_high), (saved_low, saved_central, saved_high) = extra, saved
    if extra_high <= 0 and saved_low >= 0:
        return {"status": "at once", "uses": 0.0, "low": 0.0, "high": 0.0}
    if saved_high <= 0:
        return _without_uses("never")
    low = max(0.0, extra_low) / saved_high
    if saved_low <= 0:
        return _without_uses("undecided", low)
    uses = max(0.0, extra_central) / saved_central
    return {"status": "after", "uses": uses, "low": low, "high": max(0.0, extra_high) / saved_low}


def _without_uses(status: Status, low: float = np.nan) -> BreakEven:
    return {"status": status, "uses": np.nan, "low": low, "high": np.nan}
