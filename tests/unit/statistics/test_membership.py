"""Membership inference against known truth: Gaussian confidences, planted rows, other libraries' curves."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

from fairweight.statistics import membership


def simulated(models=16, rows=4000, shift=1.0, seed=0):
    """Confidences that are higher by `shift` standard deviations where a row is a training row."""
    rng = np.random.default_rng(seed)
    members = rng.random((models, rows)) < 0.5
    hardness = rng.normal(scale=3, size=rows)  # hides the shift from an attack that does not know the row
    return hardness + shift * members + rng.normal(size=(models, rows)), members


def test_confidence_keeps_digits_that_one_minus_p_has_lost():
    assert membership.confidence(np.array([0.8]), np.array([0.2]))[0] == pytest.approx(np.log(4))
    assert membership.confidence(np.array([1.0]), np.array([1e-9]))[0] == pytest.approx(np.log(1e9))
    assert np.isfinite(membership.confidence(np.array([0.0, 1.0]), np.array([1.0, 0.0]))).all()


def test_lira_reaches_the_area_of_two_known_normal_distributions():
    """With many models the attack knows both means: the area is that of a shift by one standard deviation."""
    confidences, members = simulated(models=64)
    scores = membership.likelihood_ratios(confidences, members)
    areas = [membership.attack_auc(m, s) for m, s in zip(members, scores, strict=True)]
    assert np.mean(areas) == pytest.approx(stats.norm.cdf(1 / np.sqrt(2)), abs=0.01)
    loss = [membership.attack_auc(m, c) for m, c in zip(members, confidences, strict=True)]
    assert np.mean(loss) == pytest.approx(stats.norm.cdf(1 / np.sqrt(2 + 2 * 9)), abs=0.01)


def test_a_score_is_that_of_the_other_models_alone():
    """One model by hand: densities of means without it, and of the standard deviation of all rows without it."""
    confidences, members = simulated(models=8, rows=300, seed=1)
    attacked = 3
    others = np.arange(8) != attacked
    deviations = {True: [], False: []}
    means = {True: {}, False: {}}
    for row in range(300):
        for kind in (True, False):
            values = confidences[others, row][members[others, row] == kind]
            if len(values) >= 2:
                deviations[kind] += [(values.var() * len(values), len(values) - 1)]
            means[kind][row] = values.mean() if len(values) >= 2 else np.nan
    sd = {kind: np.sqrt(sum(s for s, _ in pairs) / sum(f for _, f in pairs)) for kind, pairs in deviations.items()}
    expected = [
        stats.norm.logpdf(confidences[attacked, row], means[True][row], sd[True])
        - stats.norm.logpdf(confidences[attacked, row], means[False][row], sd[False])
        for row in range(300)
    ]
    np.testing.assert_allclose(membership.likelihood_ratios(confidences, members)[attacked], expected, atol=1e-9)


def test_rates_are_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    member = rng.random(5000) < 0.5
    scores = np.round(rng.normal(size=5000) + 0.5 * member, 2)  # ties
    false, true, _ = roc_curve(member, scores, drop_intermediate=False)
    for rate in (0.001, 0.01, 0.1):
        assert membership.true_positive_rate(member, scores, rate) == pytest.approx(true[false <= rate + 1e-12].max())
    assert membership.attack_auc(member, scores) == pytest.approx(roc_auc_score(member, scores))


def test_a_rate_that_the_rows_cannot_show_is_not_measured():
    member = np.arange(1000) < 500
    assert np.isnan(membership.true_positive_rate(member, np.arange(1000.0), 0.001))
    assert np.isfinite(membership.true_positive_rate(member, np.arange(1000.0), 0.002))


def test_exact_intervals_are_those_of_scipy():
    for successes, total in ((0, 20), (3, 20), (20, 20)):
        low, high = membership.exact_interval(successes / total, total)
        expected = stats.binomtest(successes, total).proportion_ci(method="exact")
        assert (low, high) == pytest.approx((expected.low, expected.high))


def test_rows_that_models_memorise_are_recognised_one_by_one():
    confidences, members = simulated(rows=3000, shift=0.0, seed=3)
    assert membership.exposed_rows(confidences, members).sum() <= 3  # nothing is there to be found
    planted = np.arange(3000) < 200
    exposed = membership.exposed_rows(confidences + 6 * members * planted, members)
    assert exposed[planted].mean() > 0.9
    assert exposed[~planted].sum() <= 0.1 * exposed.sum()  # a false discovery rate of 5 %


def test_a_change_is_paired_by_model():
    values = np.array([0.60, 0.61, 0.62, 0.63, 0.64, 0.65])
    leakage = membership.over_models(values - 0.1, values)
    assert (leakage.change, leakage.change_low, leakage.change_high) == pytest.approx((-0.1,) * 3)
    assert leakage.p_value == pytest.approx(2 / 2**6)
    assert np.isnan(membership.over_models(values, None).change)


def test_the_bound_of_epsilon_never_exceeds_that_of_randomised_response():
    """Randomised response keeps epsilon exactly: true positives are exp(epsilon) times as many as false ones."""
    epsilon = 1.0
    true = np.exp(epsilon) / (1 + np.exp(epsilon))
    bound = membership.epsilon_bound(true, 100_000, 1 - true, 100_000, 0.0)
    assert 0.95 < bound < epsilon
    assert membership.epsilon_bound(0.01, 500, 0.01, 500, 1e-5) == 0
