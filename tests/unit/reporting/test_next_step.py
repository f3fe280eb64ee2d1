"""The next step of an answer: the seeds, margins, rows or merges that would decide it."""

import io
from dataclasses import replace

import pandas as pd
import pytest
from planted_answers import criterion, planted
from rich.console import Console

from fairweight.reporting import answer_in_words as words
from fairweight.reporting.next_step import next_step
from fairweight.reporting.report.decision import recommendation
from fairweight.reporting.terminal import answer
from fairweight.reporting.verdict_matrix import answers


def undecided(*criteria, seeds=8, tests=2, power=()):
    """One undecided variant, whose baseline ships."""
    results = planted(variants=1)
    results.decisions.loc[1, ["verdict", "seeds", "tests"]] = ["undecided", seeds, tests]
    goals = results.goals.assign(winner="dense", saving=None)
    rows = pd.DataFrame(list(criteria), columns=results.criteria.columns)
    columns = ["dataset", "attribute", "group", "rate", "rows", "provable", "reason", "criterion", "margin"]
    return replace(results, goals=goals, criteria=rows, power=pd.DataFrame(list(power), columns=columns))


def step(results):
    return next_step(results, answers(results)[0])


def power_row(criterion_, provable, reason="why", **about):
    row = {"dataset": "d0", "attribute": "sex", "rate": "accuracy", "rows": 90, "margin": 0.02}
    return row | {"criterion": criterion_, "provable": provable, "reason": reason} | about


OPEN = criterion("d0", "v0", "group_accuracy", -0.01, "undecided", attribute="sex", group="Male")


@pytest.mark.parametrize(("seeds", "tests", "needed"), [(3, 2, 6), (2, 1, 5), (4, 6, 7)])
def test_too_few_seeds_need_that_number(seeds, tests, needed):
    assert step(undecided(OPEN, seeds=seeds, tests=tests)).startswith(f"run with --seeds {needed} (now {seeds})")


def test_the_smallest_margin_that_can_be_proven_is_named():
    text = step(undecided(OPEN, power=[power_row("group_accuracy", 0.0312)]))
    assert text.startswith("a margin of at least 3.12 points of the group accuracy (by sex, margin 2 points)")
    assert text.endswith(", or add test rows")
    other = undecided(OPEN, power=[power_row("fairness_gap", 0.3)])  # a criterion that is not undecided
    assert "0.3" not in step(other)


def test_too_few_rows_need_merges():
    text = step(undecided(OPEN, power=[power_row("group_accuracy", None)]))
    assert text.startswith("merge groups, lower fairness: smallest_group") and text.endswith("or add test rows")


@pytest.mark.parametrize(
    ("value", "seeds", "expected"),
    [
        (-0.01, 8, "more seeds (--seeds, now 8), add test rows, or accept a larger margin (criteria: margins)"),
        (-0.01, 1, "add test rows, or accept a larger margin (criteria: margins)"),
        (
            -0.04,
            8,
            "compress less, or accept a larger margin (criteria: margins): the observed changes exceed the margins",
        ),
    ],
)
def test_otherwise_the_evidence_decides(value, seeds, expected):
    row = criterion("d0", "v0", "group_accuracy", value, "undecided", attribute="sex", group="Male")
    assert step(undecided(row, seeds=seeds)) == expected


def test_one_crossed_margin_of_each_variant_leaves_less_compression():
    crossed = criterion("d0", "v0", "fairness_gap", 0.08, "undecided", attribute="sex", group="a", other_group="b")
    assert step(undecided(OPEN, crossed)).startswith("compress less")


def test_a_correction_that_decides_is_named():
    results = planted(variants=2)
    results.decisions.loc[1:, ["verdict", "seeds"]] = ["undecided", 8]
    results.criteria["verdict"], results.criteria["p_proven"] = "proven", 0.03
    results = replace(results, goals=results.goals.assign(winner="dense", saving=None))
    assert step(results) == "compare fewer variants than 2 at once, or more seeds (--seeds, now 8) or add test rows"


def test_refuted_and_decided_answers():
    results = planted(variants=1)
    assert step(results) is None and "To decide" not in recommendation(results).data
    results.decisions.loc[1, "verdict"] = "refuted"
    results = replace(results, goals=results.goals.assign(winner="dense", saving=None))
    assert step(results).startswith("every variant is refuted: compress less")
    assert "<dt>To decide</dt><dd>Every variant is refuted" in recommendation(results).data


def test_a_guarded_baseline_must_be_better():
    results = planted(variants=1)
    results.goals["warning"] = "one class"
    assert step(results).startswith("train a better baseline first")


def test_a_proven_variant_that_wins_by_another_goal_says_how_to_decide_by_it():
    results = planted(variants=1)
    energy = results.goals["goal"] == "life_cycle_energy"
    results.goals.loc[energy, "winner"] = "dense"
    results.goals.loc[energy, "saving"] = None
    text = words.saving(results, answers(results)[0])
    assert text.startswith("No saving is shown by life-cycle energy (modelled) over 1,000,000 predictions")
    size = "v0 would save 75\N{NO-BREAK SPACE}% of the transfer size; to decide by it: "
    assert f"{size}decision: {{goal: transfer_bytes}}." in text


def test_the_terminal_says_what_another_goal_would_save_and_what_would_decide():
    results = planted(variants=3)
    energy = results.goals["goal"] == "life_cycle_energy"
    results.goals.loc[energy, "winner"] = "dense"
    results.goals.loc[energy, "saving"] = None
    results.decisions.loc[results.decisions["variant"] == "v1", ["verdict", "seeds"]] = ["undecided", 3]
    console = Console(file=io.StringIO(), width=400, highlight=False, color_system=None)
    answer(results, "results/study", console)
    lines = console.file.getvalue().splitlines()
    (saves,) = [line for line in lines if line.startswith("Saves: ")]
    assert "to decide by it: decision: {goal: transfer_bytes}." in saves
    assert any(line.startswith("To decide: run with --seeds 6 (now 3)") for line in lines)
