"""The answer in the terminal fits its width, says everything without colours, and stays short for many variants."""

import io
from dataclasses import replace

import pytest
from planted_answers import planted
from rich.cells import cell_len
from rich.console import Console

from fairweight.reporting.terminal import answer


def printed(results, width):
    console = Console(file=io.StringIO(), width=width, highlight=False, color_system=None)
    answer(results, "results/study", console)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def line_of(lines, start):
    return next(line for line in lines if line.startswith(start))


def test_at_120_columns_each_criterion_has_symbol_change_and_interval():
    lines = printed(planted(variants=3), 120)
    assert max(map(cell_len, lines)) <= 120
    row = line_of(lines, "v1 ")
    assert "✗ refuted" in row and "✓ −.10 [−.50,+.30]" in row and "✗ −6.0 [−6.4,−5.6]" in row
    assert "← ship" in line_of(lines, "v2 ") and "40.0*" in line_of(lines, "v2 ")
    heading = line_of(lines, "Variant")
    assert "Accuracy" in heading and "Rates" in heading and "Gaps" in heading
    assert any("limit −1" in line and "limit ±5" in line and "energy, J" in line for line in lines)


@pytest.mark.parametrize("width", [80, 60, 40])
def test_narrow_terminals_lose_columns_and_keep_rows(width):
    lines = printed(planted(variants=3), width)
    assert max(map(cell_len, lines)) <= width
    row = line_of(lines, "v1 ")
    assert "✗ refuted" in row and "[" not in row
    if width == 80:
        assert "✗ −6.0" in row and "✓ −.10" in row


def test_it_ends_with_the_file_who_may_lose_and_what_is_not_known():
    lines = " ".join(printed(planted(variants=3), 120))
    assert "The file is results/study/seed-2/d0/none/m/v2/model.onnx." in lines
    assert "May lose most: Accuracy of Male (sex) −0.30" in lines and "Not known: 1 rate of Other (race)" in lines
    assert "ship v2, which saves 60.0 J (54.0 to 66.0) life-cycle energy (modelled)" in lines


def test_of_forty_variants_twelve_rows_are_printed():
    lines = printed(planted(variants=40), 120)
    assert sum(" ✓ proven " in line or "baseline" in line for line in lines if line[:1] in "vd") == 12
    assert line_of(lines, "dense") and "← ship" in line_of(lines, "v39 ")
    assert any(line.startswith("and 29 more variants, in the report: ") for line in lines)
    assert len(lines) < 40


def test_twenty_datasets_end_with_an_overview():
    lines = printed(planted(datasets=20, variants=40), 120)
    start = lines.index("20 answers")
    assert sum("Ship v39" in line for line in lines[start:]) == 20
    assert len(lines) < 350 and max(map(cell_len, lines)) <= 120


def test_nothing_decided_is_one_sentence():
    results = planted(variants=1)
    assert printed(replace(results, decisions=results.decisions.head(0)), 120) == [
        "There is no decision: no variant is compared with a baseline."
    ]


def test_what_has_too_few_rows_is_said_so():
    results = planted(variants=1)
    results.criteria.loc[results.criteria["criterion"] == "fairness_gap", ["value", "low", "high"]] = None
    lines = " ".join(printed(results, 140))
    assert "too few rows" in lines and "no data" not in lines


def test_the_legend_explains_only_what_is_shown():
    text = " ".join(" ".join(printed(planted(variants=3), 160)).split())
    assert "* wins" in text and "Energy is modelled" in text and "95 % interval; of" in text
    narrow = " ".join(" ".join(printed(planted(variants=3), 80)).split())
    assert "interval; of" not in narrow and "in points; of several groups" in narrow
    results = planted(variants=2)
    results.decisions.loc[1:, "verdict"] = "undecided"
    results = replace(results, goals=results.goals.head(0))
    assert "* wins" not in " ".join(printed(results, 160))
    alone = printed(results, 200)
    results.criteria["p_proven"] = 0.03
    results.criteria["verdict"] = "proven"
    assert not any("holds alone" in line for line in alone)
    assert "(✓) holds alone, but not after" in " ".join(printed(results, 200))


def test_a_study_of_the_baseline_alone_has_nothing_to_decide():
    results = planted(variants=1)
    alone = {"dense": results.study["variants"]["dense"]}
    provenance = {**results.provenance, "study": {**results.study, "variants": alone}}
    results = replace(results, decisions=results.decisions.head(0), provenance=provenance)
    assert printed(results, 120) == ["There is nothing to decide: the study has no variant beside the baseline."]
