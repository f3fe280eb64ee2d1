"""Comparisons with the baseline name the groups that lose, and keep their error rate where no group does."""

import math

import numpy as np
import pytest
from populations import compared, pick, simulated

from fairweight.evaluation.compare import Compared
from fairweight.evaluation.decide import adjusted
from fairweight.statistics import comparison
from fairweight.statistics.comparison import SCHEMA, Pair
from fairweight.statistics.rates import Layout


@pytest.fixture(scope="module")
def harmed():
    study = simulated(np.random.default_rng(0), rows=4000, harm=(0.0, 0.0, 0.08))
    return compared(study)["v0"]


def test_a_harmed_group_is_detected_and_named(harmed):
    worst = pick(harmed, "worst_group_change", "g", "c")
    assert worst["value"] == pytest.approx(-0.08, abs=0.03)
    harm = pick(harmed, "excess_harm", "g")
    assert harm["reason"].startswith("from c to") and harm["value"] > 3 * harm["by_chance"] and harm["p_value"] < 0.02
    loses = pick(harmed, "accuracy", "g", "c")
    assert loses["high"] < 0 and loses["p_value"] <= 0.01
    for group in "ab":
        unharmed = pick(harmed, "accuracy", "g", group)
        assert unharmed["low"] < 0.01 and unharmed["high"] > -0.01
    assert loses["normalised"] == pytest.approx(loses["value"] - pick(harmed, "accuracy")["value"])
    assert loses["relative"] == pytest.approx(loses["value"] / loses["baseline_value"])


def test_rows_are_tidy(harmed):
    keys = [(r["metric"], r["attribute"], r["group"]) for r in harmed]
    assert len(keys) == len(set(keys))
    for row in harmed:
        assert set(row) == set(SCHEMA), set(row) ^ set(SCHEMA)
        assert row["status"] in ("ok", "insufficient", "undefined")
        if row["low"] is not None:
            assert row["low"] <= row["value"] <= row["high"]


def test_the_false_positive_rate_of_equal_variants_is_at_most_the_error_rate():
    """Two populations of models that differ only by chance, and a test set that is itself a sample."""
    rng = np.random.default_rng(1)
    trials, false = 120, {"accuracy": 0, "equalized_odds_difference": 0, "excess_harm": 0}
    for _ in range(trials):
        rows = compared(simulated(rng, rows=800, seed_sd=0.005), replicates=100)["v0"]
        for metric in false:
            attribute = None if metric == "accuracy" else "g"
            false[metric] += pick(rows, metric, attribute)["p_value"] <= 0.05
    for metric, count in false.items():
        assert count / trials <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials), metric


def test_the_interval_covers_a_planted_loss():
    rng = np.random.default_rng(2)
    covered, trials = 0, 100
    for _ in range(trials):
        rows = compared(simulated(rng, rows=1000, harm=(0.03, 0.03, 0.03), seed_sd=0.01), replicates=100)["v0"]
        accuracy = pick(rows, "accuracy")
        covered += accuracy["low"] <= -0.03 * 0.98 <= accuracy["high"]  # 2 % of rows are redrawn
    assert covered / trials >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / trials)


def test_levelling_down_is_flagged():
    """The gap shrinks because the better group loses more, and every group loses."""
    rng = np.random.default_rng(3)
    labels, groups = rng.integers(2, size=3000), rng.integers(2, size=3000)
    hard = rng.random(3000)

    def models(accuracies):
        right = hard[:, None] + rng.normal(0, 0.005, (3000, 6)) < np.array(accuracies)[groups][:, None]
        return np.where(right, labels[:, None], 1 - labels[:, None]), None

    layout = Layout.from_rows(labels, {"g": groups}, {"g": ("a", "b")}, 2)
    study = Compared(
        layout, labels, {"dense": models((0.9, 0.8)), "down": models((0.6, 0.55)), "up": models((0.9, 0.85))}, 20
    )
    drawn = study.bootstrap(dict.fromkeys(study.models, "dense"), 50)
    flags = {v: pick(study.compare(v, "dense", drawn), "levelling_down", "g")["value"] for v in ("down", "up")}
    assert flags == {"down": 1.0, "up": 0.0}
    gaps = {v: pick(study.compare(v, "dense", drawn), "accuracy_difference", "g")["value"] for v in ("down", "up")}
    assert gaps["down"] < 0 and gaps["up"] < 0


def pies(variant, baseline):
    pair = Pair(np.zeros(len(variant), int), np.array(variant), np.array(baseline), None, None)
    layout = Layout.from_rows(pair.labels, {}, {}, 2)
    return pick(comparison.disagreement(pair, layout, 1), "pie_rate")["value"]


def test_pies_are_rows_whose_modal_label_changes_and_a_tie_changes_nothing():
    assert pies([[1, 1, 0]], [[0, 0, 1]]) == 1.0
    assert pies([[1, 1, 0]], [[0, 1, 1]]) == 0.0  # churn, but the same majority
    assert pies([[1, 0]], [[0, 0]]) == pies([[1, 0]], [[1, 1]]) == 0.0  # both labels are modal in the tie


def test_churn_counts_rows_that_change_though_the_accuracy_does_not():
    labels = np.array([0, 1] * 50)
    base = np.repeat(labels[:, None], 3, axis=1)
    base[:10] = 1 - base[:10]
    variant = np.repeat(labels[:, None], 3, axis=1)
    variant[10:20] = 1 - variant[10:20]
    layout = Layout.from_rows(labels, {}, {}, 2)
    rows = comparison.disagreement(Pair(labels, variant, base, None, None), layout, 1)
    assert pick(rows, "churn")["value"] == pytest.approx(0.2)


def test_what_does_not_change_at_all_has_a_p_value_of_one():
    # a score that thresholds do not change: neither seeds nor rows vary, and no other row could have differed
    row = comparison.change(np.zeros(8), np.full(8, 0.4), 0.0, 100, metric="log_loss", unseen=0)
    assert row["p_value"] == 1 and row["value"] == row["low"] == row["high"] == 0


def test_no_row_that_differs_is_no_proof_that_none_does():
    """One hundred rows without a difference: by the rule of three, 3 % may differ, and the interval allows for it."""
    row = comparison.change(np.zeros(8), np.full(8, 0.9), 0.0, 100, metric="accuracy")
    assert row["high"] - row["low"] > 0.03 and row["low"] < 0 < row["high"]


@pytest.mark.parametrize(("metric", "unseen"), [("worst_group_accuracy", 1), ("accuracy_difference", 2)])
def test_the_allowance_for_few_rows_rests_on_the_smallest_ranked_group(metric, unseen):
    """The largest group is the worst by far, but the smallest could be the worst of another sample of rows."""
    study = simulated(np.random.default_rng(3), rows=3000, harm=(0.3, 0.0, 0.0), churn=0.002, shares=(0.7, 0.29, 0.01))
    sizes = {group: pick(compared(study)["v0"], "accuracy", "g", group)["n"] for group in "abc"}
    assert 20 <= sizes["c"] < sizes["b"] < sizes["a"]
    row = pick(compared(study)["v0"], metric, "g")
    assert row["denominator"] == sizes["c"]
    assert row["row_error"] > math.sqrt(unseen) / (sizes["c"] + 2)
    # a group that is not ranked is in no gap
    fewer = Compared(study.layout, study.labels, study.models, sizes["c"] + 1)
    assert pick(compared(fewer)["v0"], metric, "g")["denominator"] == sizes["b"]


def test_the_order_of_seeds_and_rows_and_the_names_of_groups_change_nothing():
    rng = np.random.default_rng(4)
    labels, groups = rng.integers(2, size=900), rng.integers(3, size=900)
    base, variant = (np.where(rng.random((900, 5)) < 0.8, labels[:, None], 1 - labels[:, None]) for _ in range(2))
    order, names = rng.permutation(5), {"g": ("a", "b", "c")}

    def rows(labels, groups, base, variant, levels=names):
        layout = Layout.from_rows(labels, {"g": groups}, levels, 2)
        study = Compared(layout, labels, {"dense": (base, None), "v": (variant, None)}, 20)
        return study.compare("v", "dense", study.bootstrap({"v": "dense"}, 50))

    original = rows(labels, groups, base, variant)
    shuffled = rows(labels, groups, base[:, order], variant[:, order])
    permutation = rng.permutation(900)
    permuted = rows(labels[permutation], groups[permutation], base[permutation], variant[permutation])
    renamed = rows(labels, (groups + 1) % 3, base, variant, {"g": ("z", "x", "y")})
    swapped = rows(1 - labels, groups, 1 - base, 1 - variant)
    for metric, attribute in (
        ("accuracy", None),
        ("equalized_odds_difference", "g"),
        ("excess_harm", "g"),
        ("pie_rate", None),
    ):
        first = pick(original, metric, attribute)
        for other in (shuffled, permuted, renamed, swapped):
            same = pick(other, metric, attribute)
            assert same["value"] == pytest.approx(first["value"], abs=1e-6)
            assert same["sign_flip_p"] == first["sign_flip_p"]
            if metric == "excess_harm":
                assert same["p_value"] == first["p_value"]
    for new, old in zip("xyz", "abc", strict=True):
        assert pick(renamed, "accuracy", "g", new)["value"] == pytest.approx(
            pick(original, "accuracy", "g", old)["value"]
        )


def test_welch_compares_the_recall_of_classes_relative_to_the_accuracy():
    from scipy import stats

    rng = np.random.default_rng(5)
    labels = rng.integers(3, size=1200)
    hit = {"dense": (0.9, 0.9, 0.9), "v": (0.9, 0.9, 0.7)}
    models = {}
    for name, recalls in hit.items():
        right = rng.random((1200, 6)) < np.array(recalls)[labels][:, None]
        models[name] = (np.where(right, labels[:, None], (labels[:, None] + 1) % 3), None)
    layout = Layout.from_rows(labels, {"class": labels}, {"class": ("p", "q", "r")}, 3)
    study = Compared(layout, labels, models, 20)
    rows = study.compare("v", "dense", study.bootstrap({"v": "dense"}, 50))
    recall = pick(rows, "normalised_recall_difference", "class", "r")
    normalised = [
        (m == labels[:, None])[labels == 2].mean(axis=0) - (m == labels[:, None]).mean(axis=0)
        for m, _ in models.values()
    ]
    assert recall["value"] == pytest.approx(normalised[1].mean() - normalised[0].mean(), abs=1e-6)
    assert recall["p_value"] == pytest.approx(stats.ttest_ind(*normalised, equal_var=False).pvalue, rel=1e-3)


def test_the_noise_floor_stands_beside_every_change():
    import pandas as pd

    study = simulated(np.random.default_rng(6), variants=2)
    entries = [{"variant": v, "baseline": "dense", **row} for v, rows in compared(study).items() for row in rows]
    cell = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "e"}
    table = adjusted(pd.DataFrame(entries).assign(**cell), ["v1"], 0.05)
    accuracy = table[(table["metric"] == "accuracy") & table["attribute"].isna()].set_index("variant")
    assert accuracy.loc["v0", "floor_value"] == accuracy.loc["v1", "value"]
    tested = table[table["q_value"].notna()]
    assert len(tested) and (tested["q_value"] >= tested["p_value"] - 1e-12).all()


def test_too_few_seeds_are_noted():
    import pandas as pd

    study = simulated(np.random.default_rng(7), seeds=3)
    entries = [{"variant": "v0", "baseline": "dense", **row} for row in compared(study)["v0"]]
    cell = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "e"}
    notes = adjusted(pd.DataFrame(entries).assign(**cell), [], 0.05)["seeds_note"].dropna()
    assert notes.str.contains("cannot reach significance with 3 seeds").all() and len(notes)
