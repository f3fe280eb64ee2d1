"""The break-even is the quotient of the means, its interval has the stated coverage, and `never` is a result."""

import numpy as np
import pytest

from fairweight.statistics.break_even import break_even


def test_it_is_the_quotient_of_the_means_within_its_interval():
    result = break_even(np.array([9.0, 10.0, 11.0]), np.array([0.9, 1.0, 1.1]))
    assert result["status"] == "after" and result["uses"] == pytest.approx(10)
    assert result["low"] < 10 < result["high"]


@pytest.mark.parametrize(
    ("extra", "saved", "status"),
    [
        ([10, 11], [-1.0, -1.001], "never"),
        ([10, 11, 10], [1.0, -1.0, 0.1], "undecided"),
        ([-3, -3.01, -3], [1.0, 1.01, 1.0], "at once"),
        ([10], [1.0, 1.1], "not estimable"),
    ],
)
def test_a_status_says_why_there_is_no_number(extra, saved, status):
    result = break_even(np.array(extra, float), np.array(saved))
    assert result["status"] == status and (status == "at once" or np.isnan(result["uses"]))


def test_the_interval_contains_the_true_value():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(1000):
        result = break_even(rng.normal(10, 1, 5), rng.normal(1, 0.05, 3))
        covered += result["status"] == "after" and result["low"] <= 10 <= result["high"]
        covered += result["status"] == "undecided"
    assert covered >= 935  # 0.95 minus twice the standard error of 1,000 draws
