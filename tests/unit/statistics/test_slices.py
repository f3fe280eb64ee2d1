"""A slice that loses is discovered; where none loses, false discoveries stay within the error rate."""

import math

import numpy as np
import pytest
from scipy import stats

from fairweight.statistics.comparison import change
from fairweight.statistics.decision import Change, Growth
from fairweight.statistics.paired_shares import Pairs
from fairweight.statistics.power import detectable, provable
from fairweight.statistics.shared_source import gamma, share_a_source
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
    assert abs(worst.value - 0.3) < 0.05 and worst.low < 0.3 < worst.high and abs(worst.change - 0.3) < 0.05


def test_a_slice_in_which_the_loss_falls_less_than_elsewhere_is_not_selected():
    rng = np.random.default_rng(4)
    features = inputs(rng)
    hit = features.values[:, 1] > 60
    falling = changes(rng, hit, 0.3) - 0.5  # -0.2 inside, -0.5 outside
    assert discover(falling, features, rng) == []
    (worst, *_) = discover(falling + 0.4, features, rng)  # 0.2 inside, -0.1 outside
    assert abs(worst.change - 0.2) < 0.05 and 0.2 < worst.value < 0.31


AGES = np.random.default_rng(5).integers(17, 90, 3000)
NOISE = np.random.default_rng(6)
BANDS = np.digitize(AGES, [25, 60])  # the groups of the study
RACES = NOISE.choice(5, 3000, p=[0.85, 0.1, 0.03, 0.01, 0.01])


@pytest.mark.parametrize(
    ("values", "numeric", "codes", "shared"),
    [
        (AGES, True, BANDS, True),  # the source of the groups
        (2026 - AGES, True, BANDS, True),  # the year of birth
        (AGES + NOISE.uniform(0, 1, 3000), True, BANDS, True),  # a value of its own for each row
        (np.digitize(AGES, [25, 60])[:, None] @ [1], False, BANDS, True),  # a copy of the groups
        (np.digitize(AGES, [20, 30, 40, 50, 70]), False, BANDS, True),  # other ranges of the same numbers
        (np.array([2, 0, 1, 3])[np.digitize(AGES, [20, 40, 70])], False, BANDS, True),  # in another order
        (AGES > 67, True, BANDS, True),  # of the upper group
        (RACES, False, RACES, True),
        (np.array([3, 1, 4, 0, 2])[RACES], True, RACES, True),  # coded by numbers
        (RACES == 0, False, RACES, True),  # one group and the rest
        (np.where(NOISE.random(3000) < 0.7, BANDS, NOISE.integers(3, size=3000)), False, BANDS, False),  # correlated
        (AGES + NOISE.normal(0, 10, 3000), True, BANDS, False),  # such as years of work
        (NOISE.normal(size=3000), True, BANDS, False),
        (NOISE.integers(12, size=3000), False, RACES, False),
        (np.arange(3000), False, BANDS, False),  # a name for each row
        (np.arange(3000), False, RACES, False),
        (np.zeros(3000), True, BANDS, False),
        (AGES, True, np.zeros(3000, int), False),  # one group
        (AGES, True, np.full(3000, -1), False),  # none
    ],
)
def test_versions_of_one_variable_are_distinguished_from_correlated_inputs(values, numeric, codes, shared):
    rng = np.random.default_rng(7)
    assert share_a_source(np.asarray(values, float), codes, rng, numeric=numeric) == shared


def test_gamma_is_that_of_its_definition():
    rng = np.random.default_rng(8)
    values, side = rng.integers(0, 6, 200), rng.random(200) < 0.4
    differences = np.sign(values[side][:, None] - values[~side][None, :])
    expected = differences.sum() / np.abs(differences).sum()
    assert gamma(values, side) == pytest.approx(expected)
    # of two sides it is Somers' D of the value on the side, among pairs that are not tied
    theirs = stats.somersd(side, values).statistic * len(differences.ravel()) / np.abs(differences).sum()
    assert gamma(values, side) == pytest.approx(theirs)


def test_inputs_are_left_out_with_all_their_levels():
    features = inputs(np.random.default_rng(0))
    assert features.inputs == ["x", "age", "town"]
    left = features.without({"town", "x"}).renamed({"age": "age - 17"})
    assert left.inputs == ["age - 17"] and left.values.shape == (3000, 1)
    town = features.values[:, 2:].argmax(axis=1)
    groups = {"region": np.array([0, 0, 1, 1])[town], "senior": (features.values[:, 1] >= 65).astype(int)}
    assert features.sources_of(groups, np.random.default_rng(0)) == ["age", "town"]
    assert discover(np.ones((3000, 2)), features.without(features.inputs), np.random.default_rng(0)) == []


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
        and detectable(rows=0, seeds=1, tests=1, **common) is None
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


@pytest.mark.parametrize("seeds", [10, 1])
@pytest.mark.parametrize(("rows", "tests"), [([120], 1), ([120], 4), ([120, 300], 4)])
def test_the_margin_that_can_be_proven_is_the_one_that_the_decision_proves(rows, tests, seeds):
    """A variant with the predictions of its baseline is proven just above that margin, and not just below it."""
    least = provable(rows=rows, seeds=seeds, error_rate=0.05, tests=tests)
    alike = [Change(np.zeros(seeds), 1 / (n + 2), Pairs(n, 0, 0), np.full(seeds, 0.8), seeds) for n in rows]
    row = change(np.zeros(seeds), np.full(seeds, 0.8), 0.0, rows[0], metric="accuracy")
    assert row["row_error"] == pytest.approx(alike[0].row_error)
    for margin, proven in ((least * 1.001, True), (least * 0.999, False)):
        evidence = alike[0].above(margin) if len(rows) == 1 else Growth(*alike).below(margin)
        assert (evidence.proven <= 0.05 / tests) == proven
    assert provable(rows=[10 * n for n in rows], seeds=seeds, error_rate=0.05, tests=tests) < least / 7
