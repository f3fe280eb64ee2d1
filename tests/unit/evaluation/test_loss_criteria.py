"""Decisions on labels that are numbers: planted harm in one group is found and named, harmless variants are proven."""

import numpy as np
import pandas as pd
import pytest

from fairweight.evaluation import evidence, loss_guards
from fairweight.evaluation.compare_losses import Numbers, comparison_rows, model_rows, pair_rows, replicate_rows
from fairweight.evaluation.criteria import name_of
from fairweight.evaluation.metric_rows import Assessed
from fairweight.evaluation.metrics import error, error_gaps, intervals

SEEDS, ROWS, SMALLEST = 7, 4_000, 50
CRITERIA = {
    "error_rate": 0.05,
    "loss": "absolute_error",
    "margins": {"loss": {"relative": 0.1}, "group_loss": {"relative": 0.05}, "bias": {"relative": 0.05}},
    "untested": "report",
    "ceilings": {},
    "gap": None,
}
BASE = ("none", "dense")


def numbers(**variants):
    """Predictions of a baseline, and of variants that differ from it by functions of (groups, labels, generator)."""
    rng = np.random.default_rng(5)
    groups = rng.choice(4, size=ROWS, p=[0.5, 0.342, 0.15, 0.008])
    labels = 50 + 10 * rng.normal(size=ROWS)
    base = labels[:, None] + 4 * rng.normal(size=(ROWS, 1)) + 0.3 * rng.normal(size=(ROWS, SEEDS))
    models = {BASE: base}
    for name, change in variants.items():
        models["none", name] = base + change(groups, labels, rng)
    return Numbers(labels, models, {"group": groups}, {"group": ("a", "b", "c", "rare")})


def assessed(data, name, criteria=CRITERIA, seed=None):
    """Evidence on a variant, as the decision reads it from files."""
    variant = ("none", name)
    rows = pd.DataFrame(list(comparison_rows(data, variant, BASE, SMALLEST))).to_dict("records")
    pairs = pd.DataFrame(list(pair_rows(data, variant, BASE, list(range(SEEDS)))))
    pairs["seed"] = pairs["seed"].astype(float)
    return evidence.assess(evidence.changes(rows, pairs.to_dict("records"), seed), {}, criteria, ["group"])


def small_noise(groups, labels, rng):
    return 0.05 * rng.normal(size=(len(labels), SEEDS))


def harm_in_c(groups, labels, rng):
    return np.where(groups == 2, 3 * rng.normal(size=len(labels)), 0.0)[:, None] + small_noise(groups, labels, rng)


def shift_in_c(groups, labels, rng):
    return np.where(groups == 2, 1.5, 0.0)[:, None] + small_noise(groups, labels, rng)


def test_a_variant_that_changes_little_is_proven_and_its_smallest_group_is_named():
    result = assessed(numbers(small=small_noise), "small")
    assert {row["criterion"]: row["verdict"] for row in result.criteria} == dict.fromkeys(
        ("loss", "group_loss", "bias"), "proven"
    )
    assert result.evidence.proven <= 0.05
    # one row for each group and criterion whose rows are too few
    assert {(row["group"], row["rate"]) for row in result.untested} == {("rare", "absolute_error")}


def test_harm_to_one_group_is_refuted_and_named_while_the_mean_hardly_moves():
    data = numbers(harmed=harm_in_c)
    result = assessed(data, "harmed")
    refuted = [row for row in result.criteria if row["verdict"] == "refuted"]
    assert [(row["criterion"], row["group"]) for row in refuted] == [("group_loss", "c")]
    assert name_of(refuted[0]) == "group loss of c by group"
    assert result.evidence.refuted <= 0.05
    # the margin is shown in the unit of the label: 5 % of the mean absolute error of the group
    own = data.losses("absolute_error", BASE)[data.groups["group"] == 2].mean()
    assert refuted[0]["margin"] == pytest.approx(0.05 * own)
    # the file of one seed is tested by its rows alone
    assert assessed(data, "harmed", seed=3).evidence.refuted <= 0.05


def test_predictions_of_one_group_that_become_too_high_violate_the_bias():
    refuted = {
        (r["criterion"], r["group"]) for r in assessed(numbers(s=shift_in_c), "s").criteria if r["verdict"] == "refuted"
    }
    assert ("bias", "c") in refuted


@pytest.mark.parametrize(("before", "verdict"), [(3.0, "proven"), (0.0, "refuted")])
def test_a_clear_bias_may_shrink_and_none_may_arise(before, verdict):
    data = numbers(lower=lambda groups, labels, rng: np.where(groups == 2, -1.5, 0.0)[:, None])
    shift = np.where(data.groups["group"] == 2, before, 0.0)[:, None]
    moved = Numbers(data.labels, {n: values + shift for n, values in data.models.items()}, data.groups, data.levels)
    bias = [row for row in assessed(moved, "lower").criteria if row["criterion"] == "bias" and row["attribute"]]
    assert [(row["verdict"], row["parts"]) for row in bias] == [(verdict, 6)]


@pytest.mark.parametrize(("absolute", "verdict"), [(1.5, "proven"), (0.2, "refuted")])
def test_a_margin_may_be_in_the_unit_of_the_label(absolute, verdict):
    margins = {"loss": None, "group_loss": {"absolute": absolute}, "bias": None}
    (row,) = assessed(numbers(harmed=harm_in_c), "harmed", CRITERIA | {"margins": margins}).criteria
    assert (row["margin"], row["verdict"]) == (absolute, verdict)


def guards_of(data, name, naive, simple=None, loss="absolute_error"):
    rows = model_rows(data, {("none", name): BASE}, list(range(SEEDS)), {"predictions": simple, "naive": naive})
    table = pd.DataFrame([row for row in rows if row["variant"] == name and row["loss"] == loss])
    return dict(loss_guards.reasons(table, CRITERIA))


def test_models_that_learned_nothing_or_less_than_a_ridge_regression_are_guarded():
    data = numbers(
        constant=lambda groups, labels, rng: 50 - numbers().models[BASE],
        noise=lambda groups, labels, rng: 12 * rng.normal(size=(len(labels), SEEDS)),
        diverged=lambda groups, labels, rng: np.where(np.arange(SEEDS) == 2, 1e4, 0.0)[None, :],
    )
    naive = {"absolute_error": float(np.median(data.labels)), "squared_error": float(data.labels.mean())}
    assert set(guards_of(data, "constant", naive)) == {"one_class"}
    assert "median of the training labels" in guards_of(data, "noise", naive)["majority"]
    assert guards_of(data, "diverged", naive)["diverged"].startswith("in seed 2 (1 of 7)")
    simple = data.labels + np.random.default_rng(0).normal(size=ROWS)
    assert "ridge regression" in guards_of(data, "dense", naive, simple)["simple_model"]
    assert not guards_of(data, "dense", naive, data.labels + 20)


def test_replicates_follow_the_losses():
    rows = pd.DataFrame(list(replicate_rows(numbers(harmed=harm_in_c), [BASE, ("none", "harmed")], SMALLEST)))
    means = rows.groupby("variant")[["loss", "largest_group_loss"]].mean()
    assert means.loc["dense", "loss"] == pytest.approx(3.2, abs=0.15)
    assert means.loc["harmed", "largest_group_loss"] > means.loc["harmed", "loss"] + 0.2


def test_metrics_of_numbers_match_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    data = numbers()
    labels, predicted = data.labels, data.models[BASE][:, 0]
    part = Assessed(
        labels, predicted, None, None, 0, dict(data.groups), dict(data.levels), smallest_group=50, half_width=6.5
    )
    values = {row["metric"]: row["value"] for row in error.measure(part) if row["attribute"] is None}
    assert values["mean_absolute_error"] == pytest.approx(metrics.mean_absolute_error(labels, predicted))
    assert values["root_mean_squared_error"] ** 2 == pytest.approx(metrics.mean_squared_error(labels, predicted))
    assert values["r2"] == pytest.approx(metrics.r2_score(labels, predicted))
    assert values["pinball_loss_0.9"] == pytest.approx(metrics.mean_pinball_loss(labels, predicted, alpha=0.9))
    gaps = {row["metric"]: row for row in error_gaps.measure(part)}
    assert gaps["mean_absolute_error_difference"]["reason"].endswith("without rare (too few rows)")
    assert gaps["mean_error_difference"]["p_value"] > 0.01  # the baseline treats all groups alike
    held = {row["group"]: row["value"] for row in intervals.measure(part) if row["metric"] == "coverage"}
    assert held[None] == pytest.approx(np.mean(np.abs(labels - predicted) <= 6.5))
