"""A guarded baseline or variant in terminal, report, cards and article: said first, never recommended."""

import io

import pandas as pd
import pytest
from rich.console import Console
from small_results import results_with
from test_paper_decisions import BASELINE_WINS, CELL, CRITERIA, CROSSINGS, DECISIONS, INT8, PRUNED, STUDY, plain

from fairweight.reporting.hub.verdicts import verdict
from fairweight.reporting.paper.decisions import winners
from fairweight.reporting.paper.findings import findings
from fairweight.reporting.paper.methods import _guards
from fairweight.reporting.paper.numbers import numbers
from fairweight.reporting.report.decision import goals, recommendation
from fairweight.reporting.report.limits import limits
from fairweight.reporting.terminal import answer

CONSTANT = "in all 3 seeds, one class (good) is predicted for all 300 test rows"
REASON = f"the baseline dense is too weak to compare with: {CONSTANT}"
MEASURE = {"attribute": None, "group": None, "batch_size": None, "unit": "share", "status": "measured"}
FEW = {"part": "test", "status": "insufficient", "attribute": "sex", "group": "f", "metric": "accuracy"}
PROFILE = CELL | {"variant": "dense", "seed": 0, "batch_size": 1, "rounds": 3, "disturbed_rounds": 0}


def guarded(goal=BASELINE_WINS | {"warning": CONSTANT}, decisions=None, guards=()):
    """Results in which the baseline is constant, so that int8 and pruned are undecided."""
    undecided = {"verdict": "undecided", "reason": REASON, "recommended": False}
    rows = {
        "assessments": [CELL | FEW | {"variant": "dense", "seed": seed} for seed in range(3)],
        "decisions": decisions or [DECISIONS[0], INT8 | undecided, PRUNED | undecided],
        "goals": [goal],
        "crossings": CROSSINGS,
        "guards": guards or [CELL | {"variant": "dense", "guard": "one_class", "blocks": True, "reason": CONSTANT}],
        "comparisons": [CELL | {"variant": v, "baseline": "dense"} | PLAIN for v in ("int8", "pruned")],
        "variants": [CELL | MEASURE | {"variant": "dense", "measure": "accuracy", "mean": 0.7}],
        "profiles": [PROFILE],
    }
    datasets = {"d": STUDY["datasets"]["d"] | {"task": "classification"}}
    study = STUDY | {
        "datasets": datasets,
        "fairness": {"smallest_group": 50},
        "criteria": CRITERIA | {"attributes": []},
    }
    results = results_with(study=study, **rows)
    results.provenance["left_out"] = []
    results.comparisons["seeds_note"] = None  # a column of `decide`
    return results


PLAIN = {"baseline_augmentation": "none", "metric": "churn", "attribute": None, "group": None, "n": 100}


def terminal(results):
    console = Console(file=io.StringIO(), width=400, highlight=False)
    answer(results, "results/study", console)
    return console.file.getvalue()


def test_the_terminal_recommends_nothing_and_says_why_first():
    lines = [line for line in terminal(guarded()).splitlines() if line.strip()]
    assert lines[0] == "Data, m: nothing is recommended: dense, the baseline, is too weak to compare with."
    assert lines[1] == f"! dense: {CONSTANT}" and terminal(guarded()).count(CONSTANT) == 1
    assert "ship" not in terminal(guarded())


def test_the_report_recommends_nothing_and_says_why_first():
    page = recommendation(guarded()).data
    assert page.index("Warning: dense: in all 3 seeds") < page.index("nothing is recommended: dense, the baseline")
    assert "ship <b>" not in page and "the answer is" not in page and "smallest:" not in page
    assert "is too weak to compare with" in goals(guarded(), "d").data
    assert "Data, m: dense: in all 3 seeds, one class (good)" in limits(guarded()).data


def test_the_article_recommends_nothing_and_says_why_first():
    text = plain(findings(guarded()))
    assert text.startswith(f"Data, m. Warning: dense: {CONSTANT}. Nothing is recommended: dense, the baseline")
    assert "is recommended by" not in text and "the winner is" not in text
    assert "Nothing is recommended: dense" in winners(guarded(), "d").caption
    recommended = [entry.text for entry in numbers(guarded()) if entry.key.endswith("/recommended")]
    assert recommended == ["none"]


@pytest.mark.parametrize("variant", ["dense", "int8"])
def test_cards_begin_with_the_warning_of_their_own_and_recommend_nothing(variant):
    file = pd.Series({"seed": 0, "seeds": 3, "engine": "onnxruntime"})
    text = verdict(
        guarded(), {key: CELL[key] for key in ("dataset", "augmentation", "model")} | {"variant": variant}, file
    )
    assert text.startswith("**Warning**: in all 3 seeds") == (variant == "dense")
    assert "**Nothing is recommended" in text and "**The study recommends" not in text


def test_a_variant_with_a_guard_is_named_and_others_may_ship():
    guard = CELL | {
        "variant": "pruned",
        "guard": "diverged",
        "blocks": True,
        "reason": "in seed 1 (1 of 3), it diverged",
    }
    results = guarded(BASELINE_WINS, DECISIONS, [guard])
    lines = terminal(results).splitlines()
    assert "pruned: training diverged; see below" in lines and not any(line.startswith("!") for line in lines)
    assert lines[-2:].count("pruned: in seed 1 (1 of 3), it diverged") == 1
    page = recommendation(results).data
    assert 'class="warnings"' not in page and "pruned: training diverged; all sentences are below." in page
    assert "Warning: pruned: in seed 1 (1 of 3), it diverged" in page.split('<details class="fold">')[-1]
    assert "ship dense, the baseline" in terminal(results)


def test_a_note_that_blocks_nothing_comes_last():
    rows = [
        CELL | {"variant": "dense", "guard": "classes", "blocks": False, "reason": "never predicted: e, f"},
        CELL | {"variant": "dense", "guard": "diverged", "blocks": True, "reason": "it diverged"},
    ]
    text = terminal(guarded(BASELINE_WINS, DECISIONS, rows))
    assert text.index("! dense: it diverged") < text.index("! dense: never predicted: e, f")


def test_the_methods_of_an_article_state_the_guards_of_the_study_and_for_whom_they_hold():
    results = guarded()
    text = " ".join(plain(sentence) for sentence in _guards(results, 3))
    assert text.startswith(
        "Guards come before these tests: a variant is never proven, nor is any variant of which it is"
    )
    for part in (
        "a seed predicts one class for all test rows; if",
        "the share of the largest class (exact binomial test), or a seed is at or below that share",
        "a logistic regression of the same inputs",
        "below the median of the others by more than 5 points, 6 robust standard deviations",
        "equal those of its baseline to the bit in every seed and its file is not at least 1",
        "They only take verdicts away. In this study they hold for dense (d, m).",
    ):
        assert part in text, part
    results.study["criteria"] = results.study["criteria"] | {"guards": ["one_class"]}
    text = " ".join(_guards(results, 1))
    assert "if it predicts one class for all test rows. They" in text and "binomial" not in text
    results.study["criteria"] = results.study["criteria"] | {"guards": []}
    assert _guards(results, 3) == []


def test_a_guard_of_variants_is_said_once_and_no_text_is_cut_within_a_word():
    long = "in seed 1 (1 of 3), one class (good) is predicted for all 300 test rows, " + "afterwards " * 30
    rows = [
        CELL | {"variant": name, "guard": "one_class", "blocks": True, "reason": long} for name in ("int8", "pruned")
    ]
    undecided = {"verdict": "undecided", "reason": f"{long}; accuracy is not shown: p = 0.4", "recommended": False}
    results = guarded(BASELINE_WINS, [DECISIONS[0], INT8 | undecided, PRUNED | undecided], rows)
    text = terminal(results)
    assert "int8 and pruned: one class is predicted; see below" in text and text.count("in seed 1") == 1
    assert "int8, pruned: accuracy is not shown: p = 0.4" in text
    (cut,) = [line for line in text.splitlines() if "in seed 1" in line]
    assert cut.rstrip().endswith(" afterwards \N{HORIZONTAL ELLIPSIS}")
