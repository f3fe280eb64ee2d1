"""Tests, intervals and corrections agree with other libraries and keep their error rates under the null hypothesis."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.statistics import crossed_uncertainty, significance
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.decision import (
    NOTHING,
    Evidence,
    ceiling,
    every_part,
    front_probability,
    noninferiority,
    verdicts,
)
from fairweight.statistics.intervals import gap_by_chance, wilson
from fairweight.statistics.rates import Layout, ranked, rates_and_gaps

ORACLES = json.loads((ROOT / "tests" / "oracles" / "reference.json").read_text())


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_agrees_with_scipy(n, share):
    k = round(share * n)
    low, high = wilson(k, n)
    expected = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilson_of_no_rows_is_nan():
    assert all(math.isnan(bound) for bound in wilson(0, 0))


def test_seeds_that_tie_by_rounding_are_ties():
    """Changes that are equal as fractions but not in floating point: SciPy's exact p-value of the fractions."""
    fractions = np.array([3, 3, -2, 4, 1, -1, 2, 2])
    values = np.array([n / 7 + 0.1 - 0.1 for n in fractions]) * (1 + 1e-13)
    expected = stats.permutation_test(
        (fractions,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    ).pvalue
    assert significance.sign_flip(values) == pytest.approx(expected)
    ranked_exactly = significance.wilcoxon(fractions)
    assert significance.wilcoxon(values) == pytest.approx(ranked_exactly)


def counted_changes(changes, codes):
    """Distinct changes (V,), and the rows of each group with each of them (V, G)."""
    values, kinds = np.unique(changes, return_inverse=True)
    observed = np.zeros((len(values), codes.max() + 1))
    np.add.at(observed, (kinds, codes), 1)
    return values, observed


def test_equal_groups_are_seldom_called_unequal():
    """Groups that differ in churn but not in their change; the old test over seeds alone rejected in 35 to 61 %."""
    rng, trials, rejected = np.random.default_rng(0), 200, 0
    codes = np.repeat(np.arange(4), [2000, 400, 200, 100])
    churn = np.array([0.02, 0.05, 0.08, 0.1])[codes]
    expected = []
    for _ in range(trials):
        changes = np.where(rng.random(len(codes)) < churn, rng.choice([-1, 1], len(codes)), 0)
        by_chance, p_value = significance.unequal_changes(*counted_changes(changes, codes), 400)
        rejected += p_value <= 0.05
        expected.append((by_chance, np.ptp([changes[codes == g].mean() for g in range(4)])))
    assert rejected / trials <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)
    assert np.mean(expected, axis=0)[0] == pytest.approx(np.mean(expected, axis=0)[1], rel=0.15)


def test_a_group_that_loses_is_called_unequal():
    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(3), [900, 450, 150])
    changes = -(rng.random(1500) < np.where(codes == 2, 0.1, 0.0)).astype(int)
    assert significance.unequal_changes(*counted_changes(changes, codes))[1] < 0.01


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), pairs=st.integers(2, 9), side=st.sampled_from(["two-sided", "greater", "less"]))
def test_sign_flip_is_scipys_permutation_test(seed, pairs, side):
    differences = np.random.default_rng(seed).normal(0.3, size=pairs)
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", alternative=side, n_resamples=np.inf
    ).pvalue
    if side == "two-sided":  # scipy doubles the smaller side
        expected = min(1, expected)
    assert significance.sign_flip(differences, side) == pytest.approx(expected)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), pairs=st.integers(3, 9))
def test_wilcoxon_is_scipys(seed, pairs):
    differences = np.random.default_rng(seed).normal(0.5, size=pairs)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert significance.wilcoxon(differences) == pytest.approx(expected)


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_are_monotone_and_bounded(p):
    for adjust in (significance.holm, significance.benjamini_hochberg):
        adjusted = adjust(np.array(p))
        order = np.argsort(p, kind="stable")
        assert (
            (np.diff(adjusted[order]) >= 0).all() and (adjusted >= np.array(p) - 1e-12).all() and (adjusted <= 1).all()
        )
    assert significance.holm(np.array(p))[int(np.argmin(p))] == pytest.approx(min(1, min(p) * len(p)))


def test_holm_by_hand():
    # Holm 1979: .01 x 4, .02 x 3, .03 x 2, .04 x 1, never falling
    assert significance.holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])


@pytest.mark.parametrize(("tests", "needed"), [(1, 6), (6, 8), (20, 10)])
def test_number_of_seeds_that_a_family_needs(tests, needed):
    """The smallest exact two-sided paired p is 2^(1-K): 6 seeds for one test at 5 %, 8 for 6, 10 for 20."""
    assert significance.seeds_needed(0.05, tests) == needed
    assert reason_for_seeds(needed, tests, 0.05) is None
    reason = reason_for_seeds(needed - 1, tests, 0.05)
    assert f"cannot reach significance with {needed - 1} seeds" in reason
    assert reason.endswith(f"need{'s' if tests == 1 else ''} {needed}")


@pytest.mark.parametrize("pairs", range(1, 9))
def test_the_smallest_p_is_reached_and_not_undercut(pairs):
    assert significance.sign_flip(np.arange(1.0, pairs + 1)) == significance.smallest_p(pairs)
    assert significance.sign_flip(np.arange(1.0, pairs + 1), "greater") == significance.smallest_p(pairs, sides=1)
    assert significance.sign_flip(np.zeros(pairs)) == 1


def test_one_or_constant_differences_have_no_effect_size():
    assert significance.effect_size(np.array([0.1])) is None and significance.effect_size(np.full(5, 0.1)) is None
    assert significance.effect_size(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)


# ---- gaps between groups by chance


def test_a_percentile_interval_of_a_gap_never_contains_zero_and_the_simulated_null_keeps_its_error_rate():
    """For equal groups the bootstrap interval of max - min excludes 0; the simulated null rejects at most 5 %."""
    rng = np.random.default_rng(0)
    totals, trials, excluded, rejected = np.array([400, 300, 200, 100, 60]), 300, 0, 0
    for _ in range(trials):
        successes = rng.binomial(totals, 0.3)
        resampled = rng.binomial(totals, successes / totals, size=(200, 5)) / totals
        excluded += np.quantile(np.ptp(resampled, axis=1), 0.025) > 0
        rejected += gap_by_chance(successes, totals, draws=400)[1] <= 0.05
    assert excluded == trials
    assert rejected / trials <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)


def test_a_planted_gap_is_detected():
    rng = np.random.default_rng(1)
    totals = np.array([1000, 1000, 300])
    p_values = [gap_by_chance(rng.binomial(totals, [0.3, 0.3, 0.45]), totals, draws=400)[1] for _ in range(100)]
    assert np.mean(np.array(p_values) <= 0.05) > 0.95


def test_expected_gap_grows_as_groups_shrink():
    expected = [gap_by_chance(np.array([n // 3, n // 3]), np.array([n, n]))[0] for n in (3000, 300, 30)]
    assert expected[0] < expected[1] < expected[2]
    # for two equal groups it is sqrt(2/pi) x sd of the difference
    assert expected[0] == pytest.approx(math.sqrt(2 / math.pi) * math.sqrt(2 * (2 / 9) / 3000), rel=0.05)


# ---- seeds x rows


def crossed_sample(rng, rows=400, seeds=8, effect=0.0, row_sd=1.0, seed_sd=0.02, noise=0.2):
    common = row_sd * rng.normal(size=(rows, 1)) + seed_sd * rng.normal(size=seeds)
    return effect + common + noise * rng.normal(size=(rows, seeds))


@pytest.mark.parametrize(("row_sd", "seed_sd"), [(1.0, 0.0), (0.0, 0.1), (1.0, 0.05)])
def test_crossed_interval_covers_whatever_varies(row_sd, seed_sd):
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        low, high = crossed_uncertainty.of_rows(crossed_sample(rng, row_sd=row_sd, seed_sd=seed_sd)).interval()
        covered += low <= 0 <= high
    assert covered / 400 >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 400)


def test_the_spread_over_seeds_alone_would_be_overconfident():
    """All seeds predict the same rows: their spread says nothing about another sample of rows."""
    rng = np.random.default_rng(3)
    alone = [stats.ttest_1samp(crossed_sample(rng, seed_sd=0.0).mean(axis=0), 0).pvalue for _ in range(200)]
    assert np.mean(np.array(alone) <= 0.05) > 0.5


def binary_models(rng, rows=600, models=6, groups=3):
    labels = rng.integers(2, size=rows)
    score = labels + rng.normal(0, 0.8, rows)
    predictions = (score[:, None] + rng.normal(0, 0.1, (rows, models)) > 0.5).astype(int)
    codes = {"g": rng.integers(-1, groups, size=rows), "h": rng.integers(2, size=rows)}
    layout = Layout.from_rows(labels, codes, {"g": ("a", "b", "c")[:groups], "h": ("x", "y")}, 2)
    return labels, predictions, codes, layout


def test_counts_give_the_rates_of_the_rows_themselves():
    labels, predictions, codes, layout = binary_models(np.random.default_rng(4))
    tallies = crossed_uncertainty.counted(layout.strata, layout.marks(predictions, labels), layout.number)
    rates = rates_and_gaps(layout, tallies, ranked(layout, tallies, 1))
    for position, (attribute, level) in enumerate(layout.names):
        member = (
            np.ones(600, bool) if attribute is None else codes[attribute] == "abc xy".replace(" ", "").index(level) % 3
        )
        for model in range(6):
            y, p = labels[member], predictions[member, model]
            expected = {
                "accuracy": (y == p).mean(),
                "selection_rate": p.mean(),
                "true_positive_rate": p[y == 1].mean(),
                "false_positive_rate": p[y == 0].mean(),
                "positive_predictive_value": y[p == 1].mean(),
                "negative_predictive_value": 1 - y[p == 0].mean(),
            }
            for name, value in expected.items():
                assert rates[name, None][position, 0, model] == pytest.approx(value, abs=1e-6), name


@pytest.mark.parametrize("number", [n for n, oracle in enumerate(ORACLES) if "aif360" in oracle])
def test_gaps_of_comparisons_agree_with_aif360(number):
    oracle = ORACLES[number]
    labels, predictions, groups = (np.array(oracle[name]) for name in ("label", "prediction", "group"))
    layout = Layout.from_rows(labels, {"g": groups}, {"g": ("zero", "one")}, 2)
    tallies = crossed_uncertainty.counted(layout.strata, layout.marks(predictions[:, None], labels), layout.number)
    values = rates_and_gaps(layout, tallies, ranked(layout, tallies, 1))
    for metric, expected in oracle["aif360"].items():  # signed in AIF360
        if not metric.endswith("ratio"):
            assert values[metric, "g"].item() == pytest.approx(abs(expected), abs=1e-6), metric


def test_multinomial_replicates_are_a_bootstrap_of_rows():
    """Means and spreads are those of resampling rows one by one, and all models share the resampled rows."""
    rng = np.random.default_rng(5)
    labels, predictions, _, layout = binary_models(rng, rows=300)
    marks = layout.marks(predictions, labels)
    blocks = list(
        crossed_uncertainty.resampled(layout.strata, marks, layout.number, replicates=4000, rng=rng, block=1500)
    )
    tallies = crossed_uncertainty.Tallies(
        *(np.concatenate([getattr(b, k) for b in blocks], axis=1) for k in ("rows", "marked"))
    )
    assert (tallies.rows.sum(axis=0) == 300).all() and (tallies.marked <= tallies.rows[..., None]).all()
    fast = rates_and_gaps(layout, tallies, ranked(layout, tallies, 1))["accuracy", None]
    slow = []
    for _ in range(4000):
        rows = rng.integers(300, size=300)
        slow.append((labels[rows, None] == predictions[rows]).mean(axis=0))
    slow = np.array(slow)
    assert fast[0].mean(axis=0) == pytest.approx(slow.mean(axis=0), abs=0.002)
    assert np.cov(fast[0].T)[:2, :2] == pytest.approx(np.cov(slow.T)[:2, :2], rel=0.12)


# ---- decisions


def test_one_seed_proves_and_refutes_nothing():
    assert noninferiority(np.array([0.5]), (0.0, 0.001), 10_000, 0.01) == NOTHING


def test_variants_at_the_margin_are_called_proven_at_most_as_often_as_stated():
    """The least favourable null: four variants exactly at the margin, seeds and rows vary; any "proven" is false."""
    rng = np.random.default_rng(6)
    false, trials = 0, 400
    for _ in range(trials):
        family = []
        for _ in range(4):
            values = crossed_sample(rng, rows=300, effect=-0.1, seed_sd=0.05)
            estimate = crossed_uncertainty.of_rows(values)
            errors = (math.sqrt(estimate.seed_variance), math.sqrt(estimate.row_variance))
            family.append(noninferiority(values.mean(axis=0), errors, 300, 0.1))
        false += any(verdict == "proven" for verdict, _ in verdicts(family, 0.05))
    assert false / trials <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)


def test_a_variant_without_loss_is_proven_and_one_with_a_large_loss_refuted():
    rng = np.random.default_rng(7)
    family = []
    for effect in (0.0, -0.5):
        values = crossed_sample(rng, rows=2000, effect=effect)
        estimate = crossed_uncertainty.of_rows(values)
        errors = (math.sqrt(estimate.seed_variance), math.sqrt(estimate.row_variance))
        family.append(noninferiority(values.mean(axis=0), errors, 2000, 0.25))
    assert [verdict for verdict, _ in verdicts(family, 0.05)] == ["proven", "refuted"]


def test_a_variant_is_as_good_as_its_worst_criterion():
    shown, open_, broken = Evidence(0.001, 1, 1), Evidence(0.4, 0.6, 0.6), Evidence(1, 0.001, 0.001)
    for parts, verdict in (([shown, open_], "undecided"), ([shown, broken], "refuted"), ([shown, shown], "proven")):
        assert verdicts([every_part(parts, [])], 0.05)[0][0] == verdict


def test_many_parts_are_refuted_by_seeds_as_easily_as_one():
    """Sign flips of the largest violation: 40 parts of which one loses much, 8 seeds; Bonferroni could never reject."""
    rng = np.random.default_rng(0)
    per_seed = rng.normal(0, 0.001, (40, 8))
    per_seed[3] -= 0.1
    parts = [noninferiority(values, (0.0005, 0.002), 1000, 0.02) for values in per_seed]
    together = every_part(parts, [values + 0.02 for values in per_seed])
    assert together.refuted == pytest.approx(2**-8) and together.proven == 1.0
    harmless = every_part(parts[:3], [values + 0.02 for values in per_seed[:3]])
    assert harmless.refuted == 1.0 and harmless.proven == pytest.approx(2**-8)


def test_ceilings():
    assert ceiling(np.array([10.0, 11.0]), 11.0, exact=True) == Evidence(0.0, 1.0, 1.0)
    assert ceiling(np.array([10.0, 12.0]), 11.0, exact=True) == Evidence(1.0, 0.0, 0.0)
    for unknown in ([], [math.nan, 1.0], [10.0]):  # not measured, or one measurement
        assert ceiling(np.array(unknown), 11.0, exact=False) == NOTHING
    assert ceiling(np.array([1.0, 1.1, 0.9]), 2.0, exact=False).proven < 0.01


def test_the_front_is_what_nothing_beats():
    benefits = np.array([[[0.9, 0.9]], [[0.8, 0.95]], [[0.7, 0.7]]])
    assert front_probability(benefits, np.array([2.0, 1.0, 3.0])).tolist() == [0.5, 1.0, 0.0]
