"""Metrics agree with other libraries, and say what is undefined instead of 0."""

import numpy as np
import pytest
from fairlearn import metrics as fairlearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from fairweight.cells import Assessed
from fairweight.metrics import agreement, fairness, quality


def assessed(seed=0, rows=200, classes=2, levels=3, **changes):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), rows).astype(np.float32)
    values = {
        "labels": rng.integers(classes, size=rows),
        "predictions": probabilities.argmax(1),
        "scores": probabilities[:, 1] if classes == 2 else None,
        "probabilities": probabilities,
        "classes": classes,
        "groups": {"g": rng.integers(levels, size=rows)},
        "group_levels": {"g": tuple("abcdefgh"[:levels])},
        "baseline": None,
    }
    return Assessed(**(values | changes))


def value(cells, metric, attribute=None, group=None):
    found = [c for c in cells if (c["metric"], c["attribute"], c["group"]) == (metric, attribute, group)]
    assert len(found) == 1, (metric, attribute, group, found)
    return found[0]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4))
def test_quality_agrees_with_scikit_learn(seed, classes):
    a = assessed(seed, classes=classes)
    cells = quality.measure(a)
    average = "binary" if classes == 2 else "macro"
    expected = {
        "accuracy": sklearn.accuracy_score(a.labels, a.predictions),
        "balanced_accuracy": sklearn.balanced_accuracy_score(a.labels, a.predictions),
        "f1": sklearn.f1_score(a.labels, a.predictions, average=average),
        "log_loss": sklearn.log_loss(
            a.labels, a.probabilities.astype(float) / a.probabilities.astype(float).sum(1, keepdims=True)
        ),
        "auc": sklearn.roc_auc_score(a.labels, a.scores)
        if classes == 2
        else sklearn.roc_auc_score(
            a.labels, a.probabilities / a.probabilities.sum(1, keepdims=True), multi_class="ovr"
        ),
    }
    for metric, number in expected.items():
        assert value(cells, metric)["value"] == pytest.approx(number, rel=1e-4), metric
    member = a.groups["g"] == 1
    assert value(cells, "accuracy", "g", "b")["value"] == pytest.approx((a.labels == a.predictions)[member].mean())
    assert value(cells, "accuracy", "g", "b")["n"] == member.sum()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), groups=st.integers(2, 5))
def test_fairness_agrees_with_fairlearn_on_the_rows_themselves(seed, groups):
    a = assessed(seed, rows=400, levels=groups)
    cells = fairness.measure(a)
    known = {"sensitive_features": a.groups["g"]}
    expected = {
        "demographic_parity_difference": fairlearn.demographic_parity_difference(a.labels, a.predictions, **known),
        "demographic_parity_ratio": fairlearn.demographic_parity_ratio(a.labels, a.predictions, **known),
        "equalized_odds_difference": fairlearn.equalized_odds_difference(a.labels, a.predictions, **known),
        "equal_opportunity_difference": fairlearn.equal_opportunity_difference(a.labels, a.predictions, **known),
    }
    for metric, number in expected.items():
        assert value(cells, metric, "g")["value"] == pytest.approx(number), metric
    for code, level in enumerate("abcde"[:groups]):
        member = a.groups["g"] == code
        counts = sklearn.confusion_matrix(a.labels[member], a.predictions[member], labels=[0, 1])
        (tn, fp), (fn, tp) = counts
        for metric, top, bottom in (
            ("true_positive_rate", tp, tp + fn),
            ("false_negative_rate", fn, tp + fn),
            ("false_positive_rate", fp, tn + fp),
            ("true_negative_rate", tn, tn + fp),
            ("selection_rate", tp + fp, member.sum()),
        ):
            cell = value(cells, metric, "g", level)
            assert cell["value"] == pytest.approx(top / bottom) and cell["denominator"] == bottom
            assert cell["n"] == member.sum()


def test_the_worst_group_is_named():
    a = assessed()
    wrong = np.where(a.groups["g"] == 2, 1 - a.labels, a.labels)
    cells = fairness.measure(assessed(predictions=wrong))
    worst = next(c for c in cells if c["metric"] == "worst_group_accuracy")
    assert worst["group"] == "c" and worst["value"] == 0.0


def test_a_group_without_positives_has_no_true_positive_rate_and_differences_leave_it_out():
    a = assessed()
    labels = np.where(a.groups["g"] == 2, 0, a.labels)
    cells = fairness.measure(assessed(labels=labels))
    undefined = value(cells, "true_positive_rate", "g", "c")
    assert undefined["value"] is None and undefined["status"] == "undefined" and undefined["reason"] == "no positives"
    difference = value(cells, "equal_opportunity_difference", "g")
    rates = [value(cells, "true_positive_rate", "g", level)["value"] for level in "ab"]
    assert difference["value"] == pytest.approx(abs(rates[0] - rates[1]))
    assert difference["groups"] == 2 and "without c" in difference["reason"]


def test_fewer_than_two_groups_with_positives_leave_differences_undefined():
    a = assessed()
    cells = fairness.measure(assessed(labels=np.where(a.groups["g"] == 0, a.labels, 0)))
    for metric in ("equal_opportunity_difference", "equalized_odds_difference"):
        assert value(cells, metric, "g")["value"] is None
    assert value(cells, "demographic_parity_difference", "g")["value"] is not None


def test_nobody_selected_is_no_ratio_of_one():
    cells = fairness.measure(assessed(predictions=np.zeros(200, int)))
    assert value(cells, "demographic_parity_difference", "g")["value"] == 0
    assert value(cells, "demographic_parity_ratio", "g")["value"] is None


def test_an_empty_group_and_one_class_are_undefined_with_a_reason():
    groups = {"g": np.zeros(200, int)}
    cells = quality.measure(assessed(groups=groups))
    assert value(cells, "accuracy", "g", "b") | {"value": None} == value(cells, "accuracy", "g", "b")
    assert value(cells, "accuracy", "g", "b")["reason"] == "no rows"
    one = quality.measure(assessed(labels=np.zeros(200, int)))
    assert value(one, "auc")["value"] is None and value(one, "balanced_accuracy")["value"] is None


def test_rows_without_a_group_belong_to_none():
    groups = {"g": np.where(np.arange(200) < 100, -1, np.arange(200) % 3)}
    cells = fairness.measure(assessed(groups=groups))
    assert sum(value(cells, "selection_rate", "g", level)["n"] for level in "abc") == 100
    assert fairness.measure(assessed(groups={"g": np.full(200, -1)})) == []


def test_given_scores_have_no_log_loss():
    cells = quality.measure(assessed(probabilities=None))
    assert value(cells, "log_loss")["reason"] == "scores are not probabilities"
    assert value(cells, "auc")["value"] is not None


def test_order_of_rows_changes_nothing():
    a = assessed()
    shuffled = a.take(np.random.default_rng(1).permutation(200))
    for family in (quality, fairness):
        for one, two in zip(family.measure(a), family.measure(shuffled), strict=True):
            assert one["value"] == pytest.approx(two["value"]) and one | {"value": 0} == two | {"value": 0}


def test_many_classes_compare_accuracy_alone():
    metrics = {c["metric"] for c in fairness.measure(assessed(classes=4))}
    assert metrics == {"accuracy_difference", "accuracy_ratio", "worst_group_accuracy"}


def test_flips_count_changed_predictions_right_or_wrong():
    a = assessed()
    baseline = a.predictions.copy()
    baseline[:20] = 1 - baseline[:20]
    assert value(agreement.measure(assessed(baseline=baseline)), "flips")["value"] == pytest.approx(0.1)
    assert agreement.measure(a) == []
