"""After how many uses something that costs more to make has repaid that."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95


def break_even(
    extra: NDArray[Any], saved: NDArray[Any], besides: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> dict[str, Any]:
    """Uses after which what each of them saves has repaid what making cost more.

    Both means get a t interval at 1 - (1 - 0.95) / 2, so that the two hold together with at least 95 % (Bonferroni)
    whatever their correlation; the interval of the quotient is the range of quotients in that rectangle.

    Args:
        extra: what making cost more, one value a seed, shape (n,).
        saved: what one use saves, in the same unit, shape (m,).
        besides: what else it cost more, once: lowest, central and highest value; negative where it cost less.

    Returns:
        `status`: `at once` (making cost no more and use does not cost more), `after` (uses, low, high), `undecided` (the
        interval of the saving contains 0; uses and high are missing), `never` (its upper limit is not above 0), or
        `not estimable` (fewer than two values of either).
    """
    missing: dict[str, Any] = {"uses": np.nan, "low": np.nan, "high": np.nan}
    if len(extra) < 2 or len(saved) < 2:
        return {"status": "not estimable", **missing}
    (extra_low, extra_high), (saved_low, saved_high) = _interval(extra), _interval(saved)
    extra_low, extra_high = extra_low + besides[0], extra_high + besides[2]
    if extra_high <= 0 and saved_low >= 0:
        return {"status": "at once", "uses": 0.0, "low": 0.0, "high": 0.0}
    if saved_high <= 0:
        return {"status": "never", **missing}
    low = max(0.0, extra_low) / saved_high
    if saved_low <= 0:
        return {"status": "undecided", **missing, "low": low}
    uses = max(0.0, float(np.mean(extra)) + besides[1]) / float(np.mean(saved))
    return {"status": "after", "uses": uses, "low": low, "high": max(0.0, extra_high) / saved_low}


def _interval(values: NDArray[Any]) -> tuple[float, float]:
    mean, error = float(np.mean(values)), float(stats.sem(values))
    half = float(stats.t.ppf(1 - (1 - CONFIDENCE) / 4, len(values) - 1)) * error
    return mean - half, mean + half
