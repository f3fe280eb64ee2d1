"""Non-inferiority of losses that are numbers: error rates by simulation, margins, and what few rows cannot show."""

import numpy as np
import pytest

from fairweight.statistics.conformal import half_width
from fairweight.statistics.loss_changes import LossChange, Moments, provable

MARGIN, ERROR_RATE, TRIALS = 0.05, 0.05, 400


def change_of(before, after):
    """The change of losses of n rows and K seeds (n, K)."""
    return LossChange(before.mean(0), after.mean(0), Moments.of_rows(before.mean(1), after.mean(1)))


def simulated(rng, rows, seeds, kind, loss):
    """Losses (n, K) of a baseline and of a variant whose mean loss is larger by the share `loss`."""
    errors = {"normal": rng.normal(size=rows), "heavy": rng.standard_t(5, size=rows)}.get(
        kind, rng.lognormal(size=rows)
    )
    before = np.abs(errors) ** (2 if kind == "heavy" else 1)
    mean = {"normal": np.sqrt(2 / np.pi), "heavy": 5 / 3, "skewed": np.exp(0.5), "rare": np.exp(0.5)}[kind]
    if kind == "rare":  # all of the harm is in 2 % of the rows
        added = ((rng.random(rows) < 0.02) * loss * mean / 0.02)[:, None]
    else:
        added = (before * loss * rng.exponential(size=rows))[:, None]
    noise = 0.1 * rng.normal(size=(rows, seeds)) + 0.01 * mean * rng.normal(size=seeds) * (seeds > 1)
    return before[:, None] + 0 * noise, before[:, None] + added + noise, mean


@pytest.mark.parametrize("seeds", [1, 5])
@pytest.mark.parametrize("kind", ["normal", "skewed", "heavy", "rare"])
def test_a_loss_of_the_margin_is_rarely_called_proven(kind, seeds):
    rng, wrong = np.random.default_rng(3), {"relative": 0, "absolute": 0}
    for _ in range(TRIALS):
        before, after, mean = simulated(rng, 300, seeds, kind, MARGIN)
        change = change_of(before, after)
        wrong["relative"] += change.below(0.0, -(1 + MARGIN), 1.0).proven <= ERROR_RATE
        wrong["absolute"] += change.below(MARGIN * mean).proven <= ERROR_RATE
    # 0.05, and two standard errors of 400 trials
    assert max(wrong.values()) / TRIALS <= 0.072


def test_a_variant_that_changes_little_is_proven_and_one_that_loses_twice_the_margin_is_refuted():
    rng = np.random.default_rng(0)
    same, worse = (change_of(*simulated(rng, 2_000, 8, "normal", loss)[:2]) for loss in (0.0, 2 * MARGIN))
    assert same.below(0.0, -(1 + MARGIN), 1.0).proven < 0.01
    assert worse.below(0.0, -(1 + MARGIN), 1.0).refuted < 0.01


def test_few_rows_prove_nothing_even_where_no_prediction_changes():
    losses = np.abs(np.random.default_rng(1).normal(size=(40, 8)))
    assert change_of(losses, losses).below(0.0, -(1 + MARGIN), 1.0).proven > ERROR_RATE
    assert provable(40, ERROR_RATE) > MARGIN > provable(200, ERROR_RATE)
    equal = np.ones((200, 8))  # the best case, which `provable` describes
    least = provable(200, ERROR_RATE)
    assert (
        change_of(equal, equal).below(1.01 * least).proven
        <= ERROR_RATE
        < change_of(equal, equal).below(0.98 * least).proven
    )


def test_a_relative_margin_is_that_of_the_ratio_of_the_means():
    rng = np.random.default_rng(2)
    before, after, _ = simulated(rng, 500, 5, "normal", 0.03)
    change = change_of(before, after)
    contrast = change_of(np.zeros_like(before), after - 1.05 * before)
    assert change.contrast(-1.05, 1.0) == pytest.approx(contrast.after)
    assert change.moments.variance(-1.05, 1.0) == pytest.approx(contrast.moments.variance(0.0, 1.0))
    assert change.moments.skewness(-1.05, 1.0) == pytest.approx(contrast.moments.skewness(0.0, 1.0))


def test_conformal_intervals_hold_new_labels_as_often_as_they_say():
    rng, inside = np.random.default_rng(0), []
    for _ in range(300):
        errors = rng.standard_t(3, size=120)
        half = half_width(np.zeros(100), errors[:100])
        inside.append(np.mean(np.abs(errors[100:]) <= half))
    assert 0.89 < np.mean(inside) < 0.92
    assert half_width(np.zeros(8), np.ones(8)) is None and half_width(np.zeros(9), np.arange(9.0)) == 8
