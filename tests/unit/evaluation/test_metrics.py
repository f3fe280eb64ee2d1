"""Metrics agree with other libraries, and undefined values are reported as such instead of as 0."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from fairlearn import metrics as fairlearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.intersections import crossed
from fairweight.evaluation.metric_rows import SCHEMA, Assessed, MetricRow, metric_row
from fairweight.evaluation.metrics import agreement, calibration, fairness, quality, roc


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


def pick(rows, metric, attribute=None, group=None):
    """The only row of a metric and group."""
    matches = [row for row in rows if (row["metric"], row["attribute"], row["group"]) == (metric, attribute, group)]
    assert len(matches) == 1, (metric, attribute, group, matches)
    return matches[0]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4))
def test_quality_agrees_with_scikit_learn(seed, classes):
    a = assessed(seed, classes=classes)
    rows = quality.measure(a)
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
        assert pick(rows, metric)["value"] == pytest.approx(number, rel=1e-4), metric
    member = a.groups["g"] == 1
    assert pick(rows, "accuracy", "g", "b")["value"] == pytest.approx((a.labels == a.predictions)[member].mean())
    assert pick(rows, "accuracy", "g", "b")["n"] == member.sum()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), groups=st.integers(2, 5))
def test_fairness_agrees_with_fairlearn_on_the_rows_themselves(seed, groups):
    a = assessed(seed, rows=400, levels=groups)
    rows = fairness.measure(a)
    known = {"sensitive_features": a.groups["g"]}
    expected = {
        "demographic_parity_difference": fairlearn.demographic_parity_difference(a.labels, a.predictions, **known),
        "demographic_parity_ratio": fairlearn.demographic_parity_ratio(a.labels, a.predictions, **known),
        "equalized_odds_difference": fairlearn.equalized_odds_difference(a.labels, a.predictions, **known),
        "equal_opportunity_difference": fairlearn.equal_opportunity_difference(a.labels, a.predictions, **known),
    }
    for metric, number in expected.items():
        assert pick(rows, metric, "g")["value"] == pytest.approx(number), metric
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
            row = pick(rows, metric, "g", level)
            assert row["value"] == pytest.approx(top / bottom) and row["denominator"] == bottom
            assert row["n"] == member.sum()


def test_the_worst_group_is_named():
    a = assessed()
    wrong = np.where(a.groups["g"] == 2, 1 - a.labels, a.labels)
    rows = fairness.measure(assessed(predictions=wrong))
    worst = next(c for c in rows if c["metric"] == "worst_group_accuracy")
    assert worst["group"] == "c" and worst["value"] == 0.0


def test_a_group_without_positives_has_no_true_positive_rate_and_differences_leave_it_out():
    a = assessed()
    labels = np.where(a.groups["g"] == 2, 0, a.labels)
    rows = fairness.measure(assessed(labels=labels))
    undefined = pick(rows, "true_positive_rate", "g", "c")
    assert undefined["value"] is None and undefined["status"] == "undefined" and undefined["reason"] == "no positives"
    difference = pick(rows, "equal_opportunity_difference", "g")
    rates = [pick(rows, "true_positive_rate", "g", level)["value"] for level in "ab"]
    assert difference["value"] == pytest.approx(abs(rates[0] - rates[1]))
    assert difference["groups"] == 2 and "without c" in difference["reason"]


def test_fewer_than_two_groups_with_positives_leave_differences_undefined():
    a = assessed()
    rows = fairness.measure(assessed(labels=np.where(a.groups["g"] == 0, a.labels, 0)))
    for metric in ("equal_opportunity_difference", "equalized_odds_difference"):
        assert pick(rows, metric, "g")["value"] is None
    assert pick(rows, "demographic_parity_difference", "g")["value"] is not None


def test_nobody_selected_is_no_ratio_of_one():
    rows = fairness.measure(assessed(predictions=np.zeros(200, int)))
    assert pick(rows, "demographic_parity_difference", "g")["value"] == 0
    assert pick(rows, "demographic_parity_ratio", "g")["value"] is None


def test_an_empty_group_and_one_class_are_undefined_with_a_reason():
    groups = {"g": np.zeros(200, int)}
    rows = quality.measure(assessed(groups=groups))
    empty = pick(rows, "accuracy", "g", "b")
    assert empty["value"] is None and empty["reason"] == "no rows"
    one_class = quality.measure(assessed(labels=np.zeros(200, int)))
    assert pick(one_class, "auc")["value"] is None and pick(one_class, "balanced_accuracy")["value"] is None


def test_rows_without_a_group_belong_to_none():
    groups = {"g": np.where(np.arange(200) < 100, -1, np.arange(200) % 3)}
    rows = fairness.measure(assessed(groups=groups))
    assert sum(pick(rows, "selection_rate", "g", level)["n"] for level in "abc") == 100
    assert fairness.measure(assessed(groups={"g": np.full(200, -1)})) == []


def test_given_scores_have_no_log_loss():
    rows = quality.measure(assessed(probabilities=None))
    assert pick(rows, "log_loss")["reason"] == "scores are not probabilities"
    assert pick(rows, "auc")["value"] is not None


def test_order_of_rows_changes_nothing():
    a = assessed()
    shuffled = a.take(np.random.default_rng(1).permutation(200))
    for family in (quality, fairness):
        for first, second in zip(family.measure(a), family.measure(shuffled), strict=True):
            assert first["value"] == pytest.approx(second["value"]) and first | {"value": 0} == second | {"value": 0}


def test_each_of_many_classes_is_compared_with_the_rest():
    a = assessed(classes=4, rows=400, class_names=("w", "x", "y", "z"))
    rows = fairness.measure(a)
    assert {c["class"] for c in rows} == {None, "w", "x", "y", "z"}
    overall = {c["metric"] for c in rows if c["class"] is None}
    assert overall == {"accuracy_difference", "accuracy_ratio", "worst_group_accuracy"}
    # fairlearn's parity of many classes counts only class 1 as selected; ours has one for every class
    for code, name in enumerate("wxyz"):
        gaps = [c for c in rows if c["class"] == name and c["metric"] == "demographic_parity_difference"]
        expected = fairlearn.demographic_parity_difference(
            a.labels == code, a.predictions == code, sensitive_features=a.groups["g"]
        )
        assert [c["value"] for c in gaps] == [pytest.approx(expected)]


def test_flips_count_changed_predictions_right_or_wrong():
    a = assessed()
    baseline = a.predictions.copy()
    baseline[:20] = 1 - baseline[:20]
    assert pick(agreement.measure(assessed(baseline=baseline)), "flips")["value"] == pytest.approx(0.1)
    assert agreement.measure(a) == []


# ---- other libraries

ORACLES = json.loads((ROOT / "tests" / "oracles" / "reference.json").read_text())


@pytest.mark.parametrize("number", range(len(ORACLES)))
def test_fairness_agrees_with_aif360_and_aequitas(number):
    oracle = ORACLES[number]
    labels, predictions, groups = (np.array(oracle[k]) for k in ("label", "prediction", "group"))
    rows = fairness.measure(Assessed(labels, predictions, None, None, 2, {"g": groups}, {"g": ("zero", "one")}))
    for metric, by_group in oracle["aequitas"].items():
        for level, expected in zip(("zero", "one"), by_group, strict=True):
            rate = pick(rows, metric, "g", level)["value"]
            assert rate == (None if expected is None else pytest.approx(expected)), (metric, level)
    for metric, expected in oracle.get("aif360", {}).items():  # signed in AIF360, and a ratio may be above 1
        unsigned = min(expected, 1 / expected) if metric.endswith("ratio") else abs(expected)
        assert pick(rows, metric, "g")["value"] == pytest.approx(unsigned), metric


def test_a_rate_is_undefined_where_fairlearn_reports_zero():
    """Fairlearn's true positive rate of a group without positives is 0, which would be the widest possible gap."""
    labels, predictions, groups = (
        np.array([1, 0, 1, 0, 0, 0]),
        np.array([1, 0, 1, 1, 0, 0]),
        np.array([0, 0, 0, 0, 1, 1]),
    )
    known = {"sensitive_features": groups}
    assert fairlearn.equal_opportunity_difference(labels, predictions, **known) == 1.0
    rows = fairness.measure(Assessed(labels, predictions, None, None, 2, {"g": groups}, {"g": ("a", "b")}))
    assert pick(rows, "equal_opportunity_difference", "g")["value"] is None
    assert pick(rows, "true_positive_rate", "g", "b")["status"] == "undefined"


def test_a_group_without_an_auc_is_named_where_fairlearn_leaves_it_out_silently():
    a = assessed()
    labels = np.where(a.groups["g"] == 2, 0, a.labels)
    frame = fairlearn.MetricFrame(
        metrics=lambda y, s: sklearn.roc_auc_score(y, s) if len(set(y)) > 1 else np.nan,
        y_true=labels,
        y_pred=a.scores,
        sensitive_features=a.groups["g"],
    )
    assert np.isnan(frame.by_group[2]) and np.isfinite(frame.difference())
    ours = assessed(labels=labels)
    assert pick(quality.measure(ours), "auc", "g", "c")["status"] == "undefined"
    assert "without c" in pick(roc.measure(ours), "abroca", "g")["reason"]


def test_a_declared_group_without_rows_stays_in_the_table():
    rows = fairness.measure(assessed(group_levels={"g": ("a", "b", "c", "nobody")}))
    empty = pick(rows, "selection_rate", "g", "nobody")
    assert empty["n"] == 0 and empty["status"] == "undefined"


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("constant", [None, 0, 1])
def test_tiny_and_one_class_data_give_no_arbitrary_number(rows, constant):
    a = assessed(rows=rows)
    if constant is not None:
        a = replace(a, labels=np.full(rows, constant))
    for family in (fairness, quality, calibration, roc):
        for row in family.measure(a):
            assert row["value"] is None or np.isfinite(row["value"])
            assert (row["value"] is None) == (row["status"] == "undefined")


def test_small_groups_are_reported_and_not_ranked():
    groups = np.where(np.arange(200) < 10, 2, np.arange(200) % 2)
    a = assessed(groups={"g": groups}, smallest_group=20)
    wrong = replace(a, predictions=np.where(groups == 2, 1 - a.labels, a.labels))
    rows = fairness.measure(wrong)
    small = pick(rows, "selection_rate", "g", "c")
    assert small["status"] == "insufficient" and small["value"] is not None and "20 rows" in small["reason"]
    worst = next(c for c in rows if c["metric"] == "worst_group_accuracy")
    assert worst["value"] == 1.0 and worst["group"] in "ab"
    gap = pick(rows, "accuracy_difference", "g")
    assert gap["value"] == 0 and gap["groups"] == 2 and "without c (fewer than 20 rows)" in gap["reason"]


def test_every_rate_has_an_interval_and_every_gap_its_expectation_by_chance():
    rows = fairness.measure(assessed(rows=400))
    for c in rows:
        if c["group"] is not None and c["value"] is not None:
            assert c["low"] <= c["value"] <= c["high"]
        if c["metric"].endswith("_difference") and "odds" not in c["metric"]:
            assert c["by_chance"] > 0 and 0 < c["p_value"] <= 1


# ---- invariance


def comparable(rows):
    return sorted((r["metric"], str(r["attribute"]), round(r["value"], 9)) for r in rows if r["value"] is not None)


def test_renaming_and_reordering_groups_changes_no_number():
    a = assessed(rows=400)
    order = np.array([2, 0, 1])
    renamed = replace(a, groups={"g": order[a.groups["g"]]}, group_levels={"g": ("x", "y", "z")})
    for family in (fairness, quality, calibration, roc):
        assert comparable(family.measure(a)) == comparable(family.measure(renamed))


def test_swapping_the_classes_swaps_complementary_rates_and_nothing_else():
    a = assessed(rows=400)
    swapped = replace(
        a,
        labels=1 - a.labels,
        predictions=1 - a.predictions,
        scores=1 - a.scores,
        probabilities=a.probabilities[:, ::-1],
    )
    original, recoded = fairness.measure(a), fairness.measure(swapped)
    same = (
        "accuracy_difference",
        "demographic_parity_difference",
        "equalized_odds_difference",
        "equalized_odds_difference_mean",
    )
    for metric in same:
        assert pick(original, metric, "g")["value"] == pytest.approx(pick(recoded, metric, "g")["value"]), metric
    pairs = {"true_positive_rate": "true_negative_rate", "false_positive_rate": "false_negative_rate"}
    pairs |= {"positive_predictive_value": "negative_predictive_value"}
    for metric, other in pairs.items():
        assert pick(original, metric, "g", "a")["value"] == pytest.approx(pick(recoded, other, "g", "a")["value"])
    for family, metrics in ((quality, ("accuracy", "auc", "log_loss")), (calibration, ("brier", "calibration_error"))):
        for metric in metrics:
            before, after = (pick(family.measure(x), metric)["value"] for x in (a, swapped))
            assert before == pytest.approx(after, rel=1e-4), metric
    assert pick(roc.measure(a), "abroca", "g")["value"] == pytest.approx(
        pick(roc.measure(swapped), "abroca", "g")["value"]
    )


# ---- calibration and curves


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_brier_agrees_with_scikit_learn(seed):
    a = assessed(seed)
    expected = sklearn.brier_score_loss(a.labels, a.probabilities[:, 1])
    assert pick(calibration.measure(a), "brier")["value"] == pytest.approx(expected)


def test_a_calibrated_score_has_the_calibration_error_expected_by_chance():
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(40):
        p = rng.beta(0.5, 1, 3000)
        draws.append(calibration.calibration_error(p, rng.random(3000) < p))
    errors, expected = np.array(draws).T
    assert errors.mean() == pytest.approx(expected.mean(), rel=0.1) and errors.mean() > 0.01
    error, by_chance = calibration.calibration_error(np.full(1000, 0.9), np.arange(1000) % 2 == 0)
    assert error == pytest.approx(0.4) and error > 10 * by_chance


def test_areas_between_curves():
    diagonal, step = (
        (np.array([0.0, 1.0]), np.array([0.0, 1.0])),
        (np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0])),
    )
    assert roc.area_between(diagonal, step) == pytest.approx(0.5)
    crossing = (np.array([0.0, 0.5, 0.5, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert roc.area_between(diagonal, crossing) == pytest.approx(0.25) and roc.area_between(step, step) == 0


def test_equal_areas_can_hide_different_curves():
    """ABROCA of two groups with equal AUC: one curve starts steeply, the other ends steeply."""
    rng = np.random.default_rng(1)
    labels = rng.integers(2, size=4000)
    groups = rng.integers(2, size=4000)
    good = rng.random(4000) < 0.5
    scores = np.where(groups == 0, np.where(good & (labels == 1), 2, 0), np.where(good & (labels == 0), -2, 0))
    a = Assessed(labels, labels, scores + 0.01 * rng.random(4000), None, 2, {"g": groups}, {"g": ("a", "b")})
    auc = [pick(quality.measure(a), "auc", "g", level)["value"] for level in "ab"]
    assert auc == pytest.approx([0.75, 0.75], abs=0.03)
    # y = (1 + x) / 2 against y = min(2 x, 1): the area between them is 1/6
    assert pick(roc.measure(a), "abroca", "g")["value"] == pytest.approx(1 / 6, abs=0.02)


# ---- intersections


def test_a_pair_of_attributes_shows_a_gap_that_neither_attribute_shows():
    groups = {"sex": np.array([0, 0, 1, 1] * 50), "race": np.array([0, 1, 0, 1] * 50)}
    both, levels = crossed(groups, {"sex": ("f", "m"), "race": ("b", "w")})
    assert levels["sex x race"] == ("f x b", "f x w", "m x b", "m x w")
    labels = np.array([0, 1] * 100)
    selected = np.where(groups["sex"] == groups["race"], 1, 0)
    rows = fairness.measure(Assessed(labels, selected, None, None, 2, both, levels))
    gaps = {a: pick(rows, "demographic_parity_difference", a)["value"] for a in both}
    assert gaps == {"sex": 0.0, "race": 0.0, "sex x race": 1.0}


def test_a_row_without_one_of_two_groups_has_none_of_the_pair():
    both, levels = crossed(
        {"a": np.array([0, 1, -1, 1]), "b": np.array([1, 0, 0, -1])}, {"a": ("p", "q"), "b": ("r", "s")}
    )
    assert levels["a x b"] == ("p x s", "q x r") and both["a x b"].tolist() == [0, 1, -1, -1]


# ---- rows


def test_a_metric_row_has_the_columns_of_its_schema():
    assert list(SCHEMA) == list(MetricRow.__annotations__) == list(metric_row("accuracy", 0.5, n=2))


def test_taking_rows_takes_every_array_and_nothing_else():
    a = assessed(**{name: np.arange(200) for name in ("baseline", "swapped", "nll", "tokens", "pairs", "baseline_nll")})
    kept = np.array([3, 1])
    taken = a.take(kept)
    for field in fields(a):
        before, after = getattr(a, field.name), getattr(taken, field.name)
        if field.name == "groups":
            assert {name: codes.tolist() for name, codes in after.items()} == {"g": before["g"][kept].tolist()}
        elif isinstance(before, np.ndarray):
            assert after.tolist() == before[kept].tolist(), field.name
        else:
            assert after == before, field.name
