"""A slice that loses is discovered; where none loses, false discoveries stay within the error rate."""

import math

import numpy as np
import pytest

from fairweight.statistics.comparison import change
from fairweight.statistics.decision import noninferiority
from fairweight.statistics.power import detectable, provable
from fairweight.statistics.slices import Features, discover


def inputs(rng, rows=3000):
    numeric = np.stack([rng.normal(size=rows), rng.integers(18, 90, rows)], axis=1).astype(np.float32)
    categorical = rng.integers(4, size=(rows, 1))
    return Features.from_table(numeric, ("x", "age"), categorical, {"town": ("k", "l", "m", "n")})


def changes(rng, hit, loss, seeds=6):
    return loss * hit[:, None] + 0.1 * rng.normal(size=(len(hit), 1)) + 0.02 * rng.normal(size=(len(hit), seeds))


def test_a_planted_slice_is_discovered_named_and_confirmed():
    rng = np.random.default_rng(0)
    features = inputs(rng)
    hit = (features.values[:, 1] > 60) & (features.values[:, 4] == 1)
    worst = discover(changes(rng, hit, 0.3), features, rng)[0]
    assert any(c.startswith("age above") and 58 < float(c.split()[-1]) < 62 for c in worst.conditions)
    assert "town is m" in worst.conditions and worst.p_value < 0.001
    assert abs(worst.value - 0.3) < 0.05 and worst.low < 0.3 < worst.high


def test_without_a_harmed_slice_few_are_confirmed():
    rng = np.random.default_rng(1)
    trials = 120
    false = 0
    for _ in range(trials):
        features = inputs(rng, 800)
        slices = discover(changes(rng, np.zeros(800, bool), 0.0), features, rng)
        false += any(s.p_value <= 0.05 for s in slices)
    assert false / trials <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)


def test_missing_numbers_do_not_stop_the_search():
    rng = np.random.default_rng(2)
    numeric = rng.normal(size=(400, 1)).astype(np.float32)
    numeric[::7] = np.nan
    features = Features.from_table(numeric, ("x",), np.empty((400, 0), int), {})
    worst = discover(changes(rng, numeric[:, 0] > 0.5, 0.5), features, rng, smallest=20)[0]
    assert worst.conditions[0].startswith("x above")


def test_a_planted_slice_of_images_is_discovered_by_brightness_and_class():
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (2000, 1, 16, 16), dtype=np.uint8)
    dark = rng.random(2000) < 0.3
    images[dark, :, :4, :4] = 0
    labels = rng.integers(3, size=2000)
    features = Features.from_images(images, labels, ("0", "1", "2"))
    worst = discover(changes(rng, dark & (labels == 2), 0.4), features, rng)[0]
    assert any(c.startswith("brightness of part 1, 1 of 4 x 4") for c in worst.conditions)
    assert "class is 2" in worst.conditions and worst.p_value < 0.001


def test_what_can_be_detected_shrinks_with_rows_and_seeds():
    common = {"churn": 0.02, "seed_sd": 0.003, "error_rate": 0.05, "power": 0.8}
    few = detectable(rows=200, seeds=4, tests=4, **common)
    assert few > detectable(rows=5000, seeds=4, tests=4, **common) > detectable(rows=5000, seeds=12, tests=4, **common)
    assert (
        detectable(rows=200, seeds=4, tests=1, **common) < few
        and detectable(rows=200, seeds=1, tests=1, **common) is None
    )


def test_the_power_statement_holds():
    """A loss of the stated size is detected with about the stated probability."""
    from populations import compared, pick, simulated

    rng = np.random.default_rng(3)
    churn, seed_sd, trials = 0.06, 0.004, 150
    least = detectable(rows=1500, seeds=8, churn=churn, seed_sd=seed_sd, error_rate=0.05, tests=1, power=0.8)
    detected = 0
    for _ in range(trials):
        rows = compared(simulated(rng, harm=(least,) * 3, churn=0.06, seed_sd=seed_sd), replicates=100)["v0"]
        row = pick(rows, "accuracy")
        detected += row["p_value"] <= 0.1 and row["value"] < 0  # two-sided at twice the rate
    assert detected / trials >= 0.8 - 2 * math.sqrt(0.8 * 0.2 / trials)


@pytest.mark.parametrize(("groups", "tests"), [(1, 1), (1, 4), (2, 4)])
def test_the_margin_that_can_be_proven_is_the_one_that_the_decision_proves(groups, tests):
    """A variant with the predictions of its baseline is proven just above that margin, and not just below it."""
    least = provable(rows=120, groups=groups, error_rate=0.05, tests=tests)
    row = change(np.zeros(10), np.full(10, 0.8), 0.0, 120, metric="worst_group_accuracy", unseen=groups)
    errors = row["seed_error"], row["row_error"]
    for margin, proven in ((least * 1.001, True), (least * 0.999, False)):
        evidence = noninferiority(np.zeros(10), errors, 120, margin)
        assert (evidence.proven <= 0.05 / tests) == proven
    assert provable(rows=1200, groups=groups, error_rate=0.05, tests=tests) < least / 9
