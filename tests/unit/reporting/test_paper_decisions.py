"""The decision in an article: findings, methods, numbers, tables and figures say what the summary tables hold."""

import re

import pandas as pd
import pytest
from small_results import CARD, results_with

from fairweight.reporting.paper.decisions import criteria, decision_tables, files, untested, winners
from fairweight.reporting.paper.figures import figures
from fairweight.reporting.paper.findings import findings
from fairweight.reporting.paper.methods import _statistics
from fairweight.reporting.paper.numbers import numbers

FAMILY = {"dataset": "d", "augmentation": "none", "model": "m"}
CELL = FAMILY | {"engine": "onnxruntime"}
VARIANTS = {
    "dense": {"train": "standard"},
    "again": {"train": "standard", "replicate": 1},
    "longer": {"from": "dense", "prune": {"method": "none"}, "control": True},
    "int8": {"from": "dense", "quantize": {"method": "dynamic"}},
    "pruned": {"from": "dense", "prune": {"method": "global_magnitude"}},
}
MARGINS = {"accuracy": 0.01, "worst_group_accuracy": 0.02, "group_accuracy": 0.02, "fairness_gap": 0.05}
CRITERIA = {"error_rate": 0.05, "margins": MARGINS, "gap": None, "attributes": None, "ceilings": {}}
CRITERIA |= {"untested": "report", "against": "same"}
DECISION = {"goal": "life_cycle_energy", "predictions": 1_000_000, "batch": 1, "downloads": 1}
STUDY = {
    "variants": VARIANTS,
    "criteria": CRITERIA,
    "datasets": {"d": {"groups": {"sex": {}, "age": {}}, "inputs": {}}},
    "life_cycle": {"years": 1},
}
INT8 = CELL | {"variant": "int8", "verdict": "proven", "p_value": 0.02, "tests": 2, "seeds": 3, "recommended": True}
PRUNED = CELL | {"variant": "pruned", "verdict": "undecided", "p_value": 0.3, "tests": 2, "seeds": 3}
PRUNED |= {"recommended": False, "reason": "accuracy is not shown: p = 0.15"}
DECISIONS = [CELL | {"variant": "dense", "recommended": False}, INT8, PRUNED]
WON = {"engine": "onnxruntime", "winner_augmentation": "none", "baseline": "dense", "baseline_augmentation": "none"}
GOALS = [
    FAMILY | WON | {"goal": goal, "winner": winner, "cost": cost, "baseline_cost": base, "reason": reason}
    | {"chosen": goal == "life_cycle_energy"} | dict(zip(("saving", "low", "high"), saved, strict=True))
    for goal, winner, cost, base, saved, reason in (
        ("life_cycle_energy", "int8", 40.0, 50.0, (10.0, 8.0, 12.5), "the interval of its saving excludes 0"),
        ("transfer_bytes", "int8", 2500.0, 10_000.0, (7500.0, 7400.0, 7600.0), "the interval of its saving excludes 0"),
        ("latency", "dense", 0.0125, 0.0125, (None, None, None), "no saving of a proven variant excludes 0"),
        ("energy_per_prediction", "dense", 5e-5, 5e-5, (None, None, None), "no saving of a proven variant excludes 0"),
    )
]  # fmt: skip
BASELINE_WINS = GOALS[0] | {"winner": "dense", "cost": 50.0, "saving": None, "low": None, "high": None}
BASELINE_WINS |= {"reason": "no saving of a proven variant excludes 0"}
CROSSINGS = [
    FAMILY | {"engine": "onnxruntime", "baseline": "dense", "predictions": n, "winner": winner}
    for n, winner in ((1.0, "dense"), (222_222.2, "int8"))
]
SHIPPED = [
    CELL | {"variant": "dense", "seed": 2, "test": 0.85, "mean_test": 0.84},
    CELL | {"variant": "int8", "seed": 1, "test": 0.83, "mean_test": 0.84, "change": -0.0125, "low": -0.03}
    | {"high": 0.004, "mean_change": -0.0025, "verdict": "undecided", "p_value": 0.3}
    | {"reason": "accuracy is not shown"},
]  # fmt: skip
UNTESTED = CELL | {"variant": "int8", "attribute": "age", "group": "<25", "rate": "true_positive_rate", "rows": 32}
UNTESTED |= {"before": 0.25, "value": -0.03125, "low": -0.12, "high": 0.05}


def entry(variant, criterion, p, value, attribute=None, group=None, other=None, rate="accuracy", **changes):
    evidence = {"p_proven": p, "p_refuted": 1.0, "verdict": "proven" if p <= 0.05 else "undecided"}
    about = {"criterion": criterion, "attribute": attribute, "group": group, "other_group": other, "rate": rate}
    interval = {
        "value": value,
        "low": None if value is None else value - 0.01,
        "high": None if value is None else value + 0.01,
    }
    return CELL | {"variant": variant, "margin": 0.02, "seeds": 3} | about | interval | evidence | changes


ROWS = [
    entry("int8", "accuracy", 0.004, -0.001),
    entry("int8", "worst_group_accuracy", 0.01, -0.003, "sex", "Male"),
    entry("int8", "group_accuracy", 0.01, -0.003, "sex", "Male"),
    entry("int8", "group_accuracy", 0.01, -0.0125, "age", ">=60"),
    entry("int8", "fairness_gap", 0.008, 0.002, "sex", "Female", "Male", "true_positive_rate"),
    entry("int8", "fairness_gap", 0.004, 0.03, "sex", "Male", "Female", "false_positive_rate"),
    entry("pruned", "accuracy", 0.15, -0.005),
    entry("pruned", "group_accuracy", 1.0, None, "age", reason="no group of age has enough rows"),
    entry("pruned", "floor", 1.0, -0.2, "sex", "Female", rate="true_positive_rate", margin=0.0),
    entry("pruned", "floor", 1.0, -0.1, "sex", "Male", rate="true_positive_rate", margin=0.0),
]


def study_of(*, study=None, card=None, **tables):
    """Results of a study of three seeds in which int8 is proven and recommended, and pruned is undecided."""
    seeds = [CELL | {"variant": "dense", "seed": seed} for seed in range(3)]
    rows = {"assessments": seeds, "decisions": DECISIONS, "goals": GOALS, "crossings": CROSSINGS, "shipped": SHIPPED}
    rows |= {"untested": [UNTESTED], "criteria": ROWS} | tables
    groups = {"age": [{"group": "<25", "share": 0.5}, {"group": ">25", "share": 0.5}]}
    return results_with(study=STUDY | (study or {}), card={"groups": groups} | (card or {}), **rows)


def plain(text):
    """LaTeX as it is read."""
    commands = {
        r"\,": " ",
        r"\%": "%",
        r"\_": "_",
        "$-$": "-",
        "~": " ",
        r"\textless{}": "<",
        r"\textquotesingle{}": "'",
    }
    for command, shown in commands.items():
        text = text.replace(command, shown)
    return re.sub(r"\\(textbf|paragraph)\{([^}]*)\}", r"\2", text)


# ---- findings


def test_the_findings_name_what_ships_what_it_saves_and_where_that_changes():
    text = plain(findings(study_of()))
    assert "Data, m. int8 is recommended by life-cycle energy (modelled) over 1,000,000 predictions at batch 1" in text
    assert "saves 10.0 J [8.0, 12.5] of 50.0 J against dense" in text
    assert "int8 by transfer size (2.5 kB instead of 10.0 kB); dense by median latency (12.5 µs)" in text
    assert "dense by energy per prediction (0.0500 mJ, modelled)" in text
    assert "By life-cycle energy, the winner is dense up to 222,000 predictions, int8 beyond." in text
    assert "The proof over 3 seeds has p = 0.02 after Holm's correction over 2 variants" in text
    assert "Not proven: pruned is undecided: accuracy is not shown: p = 0.15." in text
    assert "Not tested, because of too few rows: true positive rate of <25 (age)." in text


def test_the_findings_tell_the_file_from_the_recipe():
    text = plain(findings(study_of()))
    assert "The file that ships is that of seed 1: its accuracy is 83.00 %, the mean over seeds 84.00 %" in text
    assert "that this file alone keeps the margins is undecided (accuracy is not shown)." in text
    text = plain(findings(study_of(decisions=[DECISIONS[0], INT8 | {"seeds": 1}])))
    assert "The proof about this model has" in text and "The file that ships" not in text


def test_changes_of_groups_are_not_listed_twice():
    """Both criteria of groups test every group; with the same margin they are the same tests."""
    text = plain(findings(study_of()))
    assert text.count("group accuracy of Male by sex") == 1 and "worst group accuracy" not in text
    other = CRITERIA | {"margins": MARGINS | {"worst_group_accuracy": 0.01}}
    assert "worst group accuracy of Male by sex" in plain(findings(study_of(study={"criteria": other})))


def test_the_findings_recommend_the_baseline_where_nothing_repays_itself():
    text = plain(findings(study_of(goals=[BASELINE_WINS])))
    assert "dense, the baseline, is recommended by life-cycle energy" in text
    assert "int8 is proven to keep the criteria, but no saving of a proven variant excludes 0." in text
    nothing = BASELINE_WINS | {"reason": "no compressed variant is proven to keep the criteria"}
    text = plain(findings(study_of(decisions=[DECISIONS[0], PRUNED], goals=[nothing])))
    assert "1 download: no compressed variant is proven to keep the criteria." in text


def test_the_findings_of_given_scores_recommend_nothing():
    text = plain(findings(study_of(goals=[], crossings=[], shipped=[])))
    assert "int8 is proven to keep the criteria; no file is measured, so that none is recommended." in text
    assert "nothing was decided" in findings(study_of(decisions=[]))


def test_every_augmentation_has_its_findings():
    jitter = {"augmentation": "jitter", "winner_augmentation": "jitter", "baseline_augmentation": "jitter"}
    decided = [*DECISIONS, INT8 | {"augmentation": "jitter", "verdict": "refuted", "reason": "accuracy is refuted"}]
    text = findings(study_of(decisions=decided, goals=[*GOALS, BASELINE_WINS | jitter]))
    first, second = text.strip().split("\n\n")
    assert "augmentation" not in first.partition("}")[0] and "augmentation jitter" in second.partition("}")[0]
    assert "int8 is refuted: accuracy is refuted." in plain(second)


# ---- methods


def test_the_methods_state_the_tests_as_they_are():
    text = plain(_statistics(study_of()))
    for part in (
        "the accuracy of all rows falls by at most 1 point; that the accuracy of every group falls by at most 2 points",
        "the signed difference of the true positive rate and the false positive rate between any two groups grows by "
        "at most 5 points",
        "each ordered pair of groups, has a test of its own, and all of them must reject (intersection-union test",
        "p of a test is the larger of an exact sign-flip test over seeds and a t-test over seeds and rows",
        "with at least 50 rows for the rate",
        "Rates of fewer than 50 rows are not tested, and are listed with Bayesian intervals (Jeffreys' prior).",
        "a rate that falls to 0 or rises to 1 in every model in a group with at least 10 rows",
        "corrected after Holm over the variants of a dataset, model and augmentation, at an error rate of 0.05",
        "a variant wins only if the 95 % interval of its saving excludes 0",
        "that of the seed with the highest accuracy on validation rows",
        "the same augmentation",
        "95 % prediction interval",
        "longer shows what additional training alone changes (control)",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("criteria_change", "present", "absent"),
    [
        ({"margins": MARGINS | {"fairness_gap": None}}, "all rows falls", "signed difference"),
        ({"margins": MARGINS | {"fairness_gap": None}}, "all rows falls", "catch up"),
        ({"margins": dict.fromkeys(MARGINS) | {"accuracy": 0.005}}, "by at most 0.5 points.", "every group"),
        (
            {"margins": MARGINS | {"worst_group_accuracy": 0.015}},
            "every group falls by at most 1.5 points",
            " 2 points",
        ),
        ({"gap": "demographic_parity_difference"}, "difference of the selection rate between", "positive rate"),
        ({"attributes": ["sex"]}, "Groups are those by sex", "all attributes"),
        ({"untested": "undecided"}, "they leave a variant undecided", "prior)."),
        ({"against": "none"}, "which has augmentation none", "the same augmentation"),
        ({"ceilings": {"size_bytes": {"at_most": 1}}}, "that size bytes keeps its ceiling", "nothing is limited"),
    ],
)
def test_the_methods_follow_the_study_file(criteria_change, present, absent):
    text = plain(_statistics(study_of(study={"criteria": CRITERIA | criteria_change}))).replace(
        r"\textquotesingle{}", "'"
    )
    assert present in text and absent not in text


def test_the_rates_of_a_gap_depend_on_the_classes_of_a_dataset():
    several = plain(_statistics(study_of(card={"classes": ["a", "b", "c"]})))
    assert "signed difference of the accuracy between any two groups" in several
    results = study_of()
    results.cards.append(CARD | {"dataset": "e", "classes": ["a", "b", "c"]})
    other = results.decisions.assign(dataset="e")
    object.__setattr__(results, "decisions", pd.concat([results.decisions, other]))
    both = "of the true positive rate and the false positive rate (binary labels) and of the accuracy (other labels)"
    assert both in plain(_statistics(results))


def test_the_methods_of_one_model_speak_of_score_tests():
    seeds = [CELL | {"variant": "dense", "seed": 0}]
    text = plain(_statistics(study_of(assessments=seeds, decisions=[INT8 | {"seeds": 1}])))
    assert "score test of paired shares (Tango 1998)" in text and "verdicts are about these models" in text
    assert "sign-flip" not in text and "highest accuracy on validation rows" not in text and "with 1 seed." in text


def test_the_methods_of_a_study_without_a_decision_describe_no_test():
    text = _statistics(study_of(decisions=[]))
    assert "Holm" not in text and "Every variant was assessed" in text


# ---- numbers


def by_key(results):
    return {n.key: (n.text, n.source) for n in numbers(results)}


def test_the_decision_can_be_cited():
    numbers = by_key(study_of())
    assert numbers["d/m/recommended"] == ("int8", "summary/goals.parquet")
    assert numbers["d/m/int8/verdict"][0] == "proven" and numbers["d/m/pruned/p-value"][0] == "0.3"
    assert (
        numbers["decision/goal"][0] == "life-cycle energy (modelled)"
        and numbers["decision/predictions"][0] == "1,000,000"
    )
    assert [numbers[f"d/m/goal/life_cycle_energy/{k}"][0] for k in ("winner", "figure", "baseline", "saving/low")] == [
        *("int8", "40.0", "50.0", "8.0")
    ]
    assert numbers["d/m/goal/transfer_bytes/figure"][0] == "2.5" and numbers["d/m/goal/latency/figure"][0] == "12.5"
    assert "d/m/goal/latency/saving" not in numbers  # the baseline saves nothing
    assert [numbers[f"d/m/crossing/2/{k}"][0] for k in ("winner", "predictions")] == ["int8", "222,000"]
    assert numbers["d/m/int8/file/seed"][0] == "1" and numbers["d/m/int8/file/accuracy"][0] == "83.00"
    assert numbers["d/m/int8/file/change-accuracy"] == ("$-$1.25", "summary/shipped.parquet")
    assert numbers["d/m/int8/file/verdict"][0] == "undecided" and "d/m/dense/file/verdict" not in numbers
    assert numbers["d/m/int8/untested/true_positive_rate/age/25"][0] == "$-$3.12"
    assert numbers["d/m/int8/untested/true_positive_rate/age/25/rows"][0] == "32"


def test_every_criterion_can_be_cited_with_the_groups_of_its_weakest_test():
    numbers = by_key(study_of())
    key = "d/m/int8/criterion/fairness_gap/sex/true_positive_rate"
    assert numbers[key][0] == "+0.20" and numbers[f"{key}/weakest"][0] == "Female over Male"
    assert numbers["d/m/int8/criterion/accuracy/high"][0] == "+0.90"
    assert numbers["d/m/int8/criterion/group_accuracy/age/weakest"][0] == r"\textgreater{}=60"
    untestable = "d/m/pruned/criterion/group_accuracy/age"
    assert numbers[f"{untestable}/verdict"][0] == "undecided" and untestable not in numbers
    for group in ("Female", "Male"):  # a row for each group
        assert numbers[f"d/m/pruned/criterion/floor/sex/true_positive_rate/{group}/verdict"][0] == "undecided"


def test_an_augmentation_and_an_engine_are_in_the_keys():
    jitter = {"augmentation": "jitter", "winner_augmentation": "none"}
    measured = [
        CELL
        | {"variant": "v", "measure": "accuracy", "mean": 0.5, "sd": 0.1, "n": 1, "engine": engine, "batch_size": 1}
        for engine in ("onnxruntime", "openvino")
    ]
    tables = {"criteria": [], "untested": [], "shipped": [], "comparisons": []}
    numbers = by_key(
        study_of(
            variants=[row | {"attribute": None, "group": None} for row in measured],
            goals=[BASELINE_WINS | jitter],
            decisions=[INT8 | {"augmentation": "jitter"}],
            crossings=[],
            **tables,
        )
    )
    assert numbers["d/jitter/m/recommended"][0] == "dense (none)"  # the baseline has another augmentation
    assert numbers["d/jitter/m/onnxruntime/goal/life_cycle_energy/winner"][0] == "dense (none)"
    assert numbers["d/jitter/m/int8/onnxruntime/verdict"][0] == "proven"


# ---- tables and figures


def rows_of(exhibit):
    lines = [line.removesuffix(r" \\") for line in exhibit.text.splitlines() if line.endswith(r"\\")]
    return [line.split(" & ") for line in lines]


def test_the_table_of_criteria_shows_the_weakest_test_of_each_kind():
    exhibit = criteria(study_of(), "d")
    int8, pruned = rows_of(exhibit)[1:]
    assert int8[1] == r"proven\linebreak{\scriptsize recommended}" and int8[2] == "0.02"
    assert int8[3].startswith("$-$0.10")
    # among equal p-values the group that loses most
    assert int8[4].startswith("$-$1.25") and r"\textgreater{}=60" in int8[4]
    assert int8[5].startswith("+0.20") and "Female over Male, true positive rate" in int8[5]
    assert pruned[1] == "undecided" and pruned[4] == "not tested" and pruned[5].startswith("$-$10.00") is False
    assert pruned[5].startswith("$-$20.00")  # of the rates that fall to 0, the larger loss
    assert len(exhibit.frame) == len(ROWS) and "the same augmentation" in exhibit.caption


def test_the_table_of_goals_shows_every_winner_and_marks_the_goal():
    exhibit = winners(study_of(), "d")
    life, size, latency, energy = rows_of(exhibit)[1:]
    assert "the goal of the study" in life[0] and life[1:4] == ["int8", "40.0 J", "50.0 J"]
    assert life[4].startswith("10.0 J") and "[8.0, 12.5]" in life[4]
    assert "the goal" not in size[0] and size[2] == "2.5 kB"
    assert latency[1] == "dense" and latency[4] == "\N{EN DASH}" and energy[2] == "0.0500 mJ"


def test_the_table_of_files_shows_file_and_recipe():
    dense, int8 = rows_of(files(study_of(), "d"))[-2:]
    assert dense == ["dense", "2", "85.00", "84.00", "\N{EN DASH}", "\N{EN DASH}"]
    assert int8[1:4] == ["1", "83.00", "84.00"] and int8[4].startswith("$-$1.25") and int8[5] == "undecided"
    assert files(study_of(assessments=[CELL | {"variant": "dense", "seed": 0}]), "d") is None


def test_the_table_of_what_is_not_tested_has_a_column_for_each_variant():
    other = UNTESTED | {"variant": "pruned", "value": 0.0625}
    exhibit = untested(study_of(untested=[UNTESTED, other]), "d")
    (row,) = rows_of(exhibit)[-1:]
    assert row[:5] == ["true positive rate", r"\textless{}25", "age", "32", "25.00"]
    assert row[5].startswith("$-$3.12") and row[6].startswith("+6.25") and len(exhibit.frame) == 2
    assert untested(study_of(untested=[]), "d") is None


def test_a_dataset_without_a_decision_has_no_table_of_it():
    empty = {name: [] for name in ("decisions", "goals", "crossings", "shipped", "untested", "criteria")}
    assert list(decision_tables(study_of(**empty), "d")) == []


def test_the_figure_of_winners_has_a_bar_for_each_stretch():
    measured = [
        CELL | {"variant": v, "measure": m, "mean": 0.5, "sd": 0.1, "n": 1, "attribute": None, "group": None}
        for v in ("dense", "int8")
        for m in ("accuracy", "transfer_bytes")
    ]
    drawn = {name: figure for name, figure, _ in figures(study_of(variants=measured, profiles=[CELL]), "d")}
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in drawn["winners"].axes[0].patches]
    assert bars == [(1.0, pytest.approx(222_222.2)), (pytest.approx(222_222.2), 1e12)]
    colours = {bar.get_facecolor() for bar in drawn["winners"].axes[0].patches}
    assert len(colours) == 2
    rings = [line for line in drawn["trade-off"].axes[0].lines if line.get_markersize() == 9]
    assert len(rings) == 1  # around the recommended variant
