"""Break-even: after how many uses something that costs more to make has repaid its extra cost."""

from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95

Status = Literal["at once", "after", "undecided", "never", "not estimable"]


class BreakEven(TypedDict):
    """Number of uses until break-even, with its interval; NaN where it does not exist."""

    status: Status
    uses: float
    low: float
    high: float


def break_even(
    extra: NDArray[Any], saved: NDArray[Any], one_off: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> BreakEven:
    """Compute how many uses it takes until the savings per use equal the extra cost of making.

    Each of the two means has a t interval at level 1 - (1 - 0.95) / 2, so that both hold together with a probability of
    at least 95 % (Bonferroni), whatever their correlation. The interval of the quotient is the range of quotients in
    the rectangle of both intervals.

    Args:
        extra: extra cost of making, one value per seed, shape (n,).
        saved: saving per use, in the same unit, shape (m,).
        one_off: further extra cost that occurs once: lowest, central and highest value; negative where it is a saving.

    Returns:
        `status` is one of:

        * `at once`: making costs no more, and use costs no more either.
        * `after`: break-even comes after `uses`, between `low` and `high`.
        * `undecided`: the interval of the saving contains 0; `uses` and `high` are NaN.
        * `never`: the upper limit of the saving is not above 0.
        * `not estimable`: there are fewer than two values of either.
    """
    if len(extra) < 2 or len(saved) < 2:
        return _without_uses("not estimable")
    (extra_low, extra_high), (saved_low, saved_high) = _interval(extra), _interval(saved)
    extra_low, extra_high = extra_low + one_off[0], extra_high + one_off[2]
    if extra_high <= 0 and saved_low >= 0:
        return {"status": "at once", "uses": 0.0, "low": 0.0, "high": 0.0}
    if saved_high <= 0:
        return _without_uses("never")
    low = max(0.0, extra_low) / saved_high
    if saved_low <= 0:
        return _without_uses("undecided", low)
    uses = max(0.0, float(np.mean(extra)) + one_off[1]) / float(np.mean(saved))
    return {"status": "after", "uses": uses, "low": low, "high": max(0.0, extra_high) / saved_low}


def _without_uses(status: Status, low: float = np.nan) -> BreakEven:
    return {"status": status, "uses": np.nan, "low": low, "high": np.nan}


def _interval(values: NDArray[Any]) -> tuple[float, float]:
    mean, error = float(np.mean(values)), float(stats.sem(values))
    half = float(stats.t.ppf(1 - (1 - CONFIDENCE) / 4, len(values) - 1)) * error
    return mean - half, mean + half
