"""The break-even is the quotient, its interval holds the truth as often as promised, and `never` is said."""

import numpy as np
import pytest

from fairweight.statistics.break_even import break_even


def test_it_is_the_quotient_of_the_means_within_its_interval():
    found = break_even(np.array([9.0, 10.0, 11.0]), np.array([0.9, 1.0, 1.1]))
    assert found["status"] == "after" and found["uses"] == pytest.approx(10)
    assert found["low"] < 10 < found["high"]


@pytest.mark.parametrize(
    ("extra", "saved", "status"),
    [
        ([10, 11], [-1.0, -1.001], "never"),
        ([10, 11, 10], [1.0, -1.0, 0.1], "undecided"),
        ([-3, -3.01, -3], [1.0, 1.01, 1.0], "at once"),
        ([10], [1.0, 1.1], "not estimable"),
    ],
)
def test_what_has_no_number_says_why(extra, saved, status):
    found = break_even(np.array(extra, float), np.array(saved))
    assert found["status"] == status and (status == "at once" or np.isnan(found["uses"]))


def test_the_interval_holds_the_truth():
    rng, held = np.random.default_rng(0), 0
    for _ in range(1000):
        found = break_even(rng.normal(10, 1, 5), rng.normal(1, 0.05, 3))
        held += found["status"] == "after" and found["low"] <= 10 <= found["high"]
        held += found["status"] == "undecided"
    assert held >= 935  # 0.95 less twice the error of 1,000 draws
