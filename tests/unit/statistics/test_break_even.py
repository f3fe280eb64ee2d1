"""The break-even is the quotient of two quantities within the rectangle of their intervals; `never` is a result."""

import math

import numpy as np
import pytest
from scipy import stats

from fairweight.statistics.break_even import CONFIDENCE, JOINT_CONFIDENCE, break_even, mean_interval
from fairweight.statistics.ratios import paired_ratio


def test_it_is_the_quotient_with_the_corners_of_the_rectangle_as_bounds():
    result = break_even((9.0, 10.0, 12.0), (0.5, 1.0, 2.0))
    assert (result["status"], result["uses"], result["low"], result["high"]) == ("after", 10, 4.5, 24)


@pytest.mark.parametrize(
    ("extra", "saved", "status", "low"),
    [
        ((10, 11, 12), (-2.0, -1.0, -0.5), "never", math.nan),
        ((10, 11, 12), (-2.0, -1.0, 0.0), "never", math.nan),
        ((10, 11, 12), (-0.5, 1.0, 2.0), "undecided", 5),
        ((-3, -2, -1), (0.5, 1.0, 2.0), "at once", 0),
        ((-3, -2, 1), (0.5, 1.0, 2.0), "after", 0),
        ((math.nan, 10, math.nan), (0.5, 1.0, 2.0), "not estimable", math.nan),
        ((10, 11, 12), (math.nan, 1.0, math.nan), "not estimable", math.nan),
    ],
)
def test_a_status_says_why_there_is_no_number(extra, saved, status, low):
    result = break_even(extra, saved)
    assert result["status"] == status and result["low"] == pytest.approx(low, nan_ok=True)
    assert np.isnan(result["uses"]) == (status not in ("at once", "after"))


def test_the_interval_of_a_mean_is_that_of_students_t_test():
    values = np.random.default_rng(0).normal(3, 1, 6)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((theirs.low, values.mean(), theirs.high))
    assert mean_interval(np.array([3.0])) == pytest.approx((math.nan, 3, math.nan), nan_ok=True)


def test_the_interval_holds_with_the_probability_that_is_stated():
    """Making and ratio are simulated as a study measures them, and go through the functions of the life cycle."""
    rng, trials, covered = np.random.default_rng(0), 1000, 0
    for _ in range(trials):
        extra = mean_interval(rng.normal(10, 2, 5))
        rounds = rng.lognormal(0, 0.3, (5, 1))  # disturbances, which affect both
        dense = rounds * rng.lognormal(0, 0.05, (5, 3))
        small = 0.7 * rounds * rng.lognormal(0, 0.05, (5, 3)) * rng.lognormal(0, 0.03, (1, 3))
        ratio = paired_ratio(small, dense)
        result = break_even(extra, (1 - ratio["high"], 1 - ratio["ratio"], 1 - ratio["low"]))
        covered += result["status"] == "undecided" or (
            result["status"] == "after" and result["low"] <= 10 / 0.3 <= result["high"]
        )
    assert pytest.approx(0.9) == JOINT_CONFIDENCE and CONFIDENCE == 0.95
    assert covered / trials >= JOINT_CONFIDENCE - 2 * math.sqrt(0.9 * 0.1 / trials)
