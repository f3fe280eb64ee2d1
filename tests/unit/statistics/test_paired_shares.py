"""Paired shares: published intervals, an independent maximum likelihood, error rates by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from fairweight.statistics.paired_shares import (
    Pairs,
    difference_above,
    difference_below,
    difference_interval,
    posterior_interval,
    tango_above,
    tango_below,
    tango_interval,
    tango_z,
)


def test_the_interval_is_the_published_one():
    """Airway hyper-responsiveness (Bentur 2009), in Fagerland, Lydersen & Laake 2014: -0.517 to -0.026."""
    assert tango_interval(Pairs(21, 1, 7)) == pytest.approx((-0.517, -0.026), abs=5e-4)


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(5, 300), shares=st.tuples(st.floats(0, 0.4), st.floats(0, 0.4)), change=st.floats(-0.6, 0.6))
def test_the_statistic_is_that_of_a_numerical_maximum_likelihood(rows, shares, change):
    gained, lost = (round(rows * share) for share in shares)
    low, high = max(0.0, -change), min(1.0, (1 - change) / 2)  # legal probabilities of a loss

    def likelihood(loss):
        cells = (gained, loss + change), (lost, loss), (rows - gained - lost, 1 - 2 * loss - change)
        return -sum(count * math.log(max(p, 1e-300)) for count, p in cells if count)

    optimum = optimize.minimize_scalar(likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    candidates = [optimum.x, low + 1e-12, high - 1e-12]
    loss = min(candidates, key=likelihood)
    variance = rows * (2 * loss + change * (1 - change))
    if variance > 1e-3:
        expected = (gained - lost - rows * change) / math.sqrt(variance)
        assert tango_z(Pairs(rows, gained, lost), change) == pytest.approx(expected, rel=2e-3, abs=2e-3)


def test_without_a_change_it_is_mcnemars_test_of_statsmodels_and_scipy():
    """At a change of 0 the score test is McNemar's without a correction: chi-squared (b - c)^2 / (b + c)."""
    pairs = Pairs(400, 25, 10)
    chi_squared = (25 - 10) ** 2 / (25 + 10)
    both = 2 * min(tango_above(pairs, 0), tango_below(pairs, 0))
    assert both == pytest.approx(stats.chi2.sf(chi_squared, 1), rel=1e-9)


def test_interval_and_test_agree_and_no_discordant_row_is_no_proof():
    pairs = Pairs(80, 3, 9)
    low, high = tango_interval(pairs)
    assert tango_above(pairs, low) == pytest.approx(0.025, abs=1e-6)
    assert tango_below(pairs, high) == pytest.approx(0.025, abs=1e-6)
    alike = Pairs(100, 0, 0)
    assert tango_above(alike, -0.02) == pytest.approx(stats.norm.sf(math.sqrt(100 * 0.02 / 0.98)), rel=1e-6)
    assert tango_above(alike, -0.02) > 0.05  # 100 rows cannot show that no more than 2 points are lost
    assert tango_above(Pairs(0, 0, 0), -0.5) == 1.0 and all(map(math.isnan, tango_interval(Pairs(0, 0, 0))))


def test_difference_of_two_groups():
    first, second = Pairs(300, 5, 20), Pairs(150, 4, 3)
    low, high = difference_interval(first, second)
    assert difference_above(first, second, low) == pytest.approx(0.025, abs=1e-5)
    assert difference_below(first, second, high) == pytest.approx(0.025, abs=1e-5)
    assert difference_below(first, second, 0.1) == pytest.approx(difference_above(second, first, -0.1))
    alone = tango_interval(first)
    unmoved = difference_interval(first, Pairs(10**9, 0, 0))  # against a group that is known exactly
    assert unmoved == pytest.approx(alone, abs=1e-6)
    assert difference_below(first, Pairs(0, 0, 0), 0.05) == 1.0


@pytest.mark.parametrize(("rows", "loss"), [(50, 0.0), (50, 0.03), (200, 0.0), (200, 0.03)])
def test_a_loss_at_the_margin_is_seldom_called_smaller(rows, loss):
    """One model: a change of exactly the margin is proven in at most 5 %, also without other discordant rows."""
    rng, trials, margin = np.random.default_rng(rows), 4000, 0.02
    lost, gained = rng.binomial(rows, margin + loss, trials), rng.binomial(rows, loss, trials)
    false = np.mean([tango_above(Pairs(rows, g, c), -margin) <= 0.05 for g, c in zip(gained, lost, strict=True)])
    assert false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_bayesian_interval_of_few_rows():
    """With no rows it is the prior's; Monte Carlo of NumPy's Dirichlet distribution gives the same quantiles."""
    low, high = posterior_interval(Pairs(19, 1, 4))
    draws = np.random.default_rng(0).dirichlet([1.5, 4.5, 14.5], size=200_000)
    expected = np.quantile(draws[:, 0] - draws[:, 1], [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(expected), abs=5e-3)
    low, high = posterior_interval(Pairs(0, 0, 0))
    assert low == pytest.approx(-high, abs=0.01) and high > 0.8
