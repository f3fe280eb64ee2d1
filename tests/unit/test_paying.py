"""Pictures of who pays, and what is said where there is nothing to draw."""

import pandas as pd
import pytest

from fairweight.report import cards, claims, paying
from fairweight.report.results import TABLES, Results

CELL = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "e"}


def row(variant, attribute, group, **changes):
    said = {"variant": variant, "baseline": "dense", "metric": "accuracy", "attribute": attribute, "group": group}
    numbers = {
        "value": -0.01,
        "low": -0.02,
        "high": 0.01,
        "n": 40,
        "seeds": 1,
        "q_value": float("nan"),
        "seeds_note": None,
    }
    return CELL | said | numbers | {"status": "ok", "floor_value": float("nan")} | changes


def of(rows, groups=(), variants=("int8",), classes=("no", "yes"), **fairness):
    """Results that hold these comparisons, of variants that follow one baseline."""
    stated = {"dense": {"train": "standard"}} | {v: {"from": "dense", "quantize": {}} for v in variants}
    study = {
        "variants": stated,
        "datasets": {"d": {"groups": {group: {} for group in groups}}},
        "criteria": {"error_rate": 0.05},
        "fairness": {"smallest_group": 50} | fairness,
    }
    tables = {name: pd.DataFrame() for name in TABLES}
    tables |= {"comparisons": pd.DataFrame(rows), "variants": pd.DataFrame({"variant": list(stated)})}
    card = {"dataset": "d", "title": "Data & co", "classes": list(classes), "groups": dict.fromkeys(groups, ())}
    return Results(**tables, cards=[card], provenance={"study": study})


OF_CLASSES = [row("int8", "class", label) for label in ("no", "yes")]


def test_a_binary_study_without_groups_is_told_why_there_is_no_picture():
    results = of(OF_CLASSES)
    said = paying.who_pays(results, "d").data
    assert "no picture of who pays: groups of Data &amp; co" in said and "names none" in said and "<img" not in said
    assert paying.heat_map(results, "d") is None
    assert "names no groups" in cards.group_cards(results).data


def test_groups_of_which_no_row_is_tested_are_told():
    assert "no test row belongs" in paying.who_pays(of(OF_CLASSES, groups=("sex",)), "d").data


def test_without_groups_classes_of_a_label_with_several_are_drawn():
    results = of(OF_CLASSES, classes=("a", "b", "c"))
    results.study["criteria"]["error_rate"] = 0.025
    assert "<img" in paying.who_pays(results, "d").data
    drawn = paying.heat_map(results, "d").data
    assert "<img" in drawn and "rate of 2.5 %" in drawn


def test_groups_that_are_all_too_small_are_drawn_hollow_and_not_in_the_heat_map():
    small = [row("int8", "sex", group, status="insufficient") for group in ("f", "m")]
    results = of([*OF_CLASSES, *small], groups=("sex",))
    assert "<img" in paying.who_pays(results, "d").data
    assert "each group of Data &amp; co has fewer than 50 test rows" in paying.heat_map(results, "d").data


@pytest.mark.parametrize("value", [-0.01, float("nan")])
def test_many_variants_without_a_ranked_group_are_drawn(value):
    variants = [f"v{i}" for i in range(paying.MOST_VARIANTS + 2)]
    small = [row(v, "sex", g, value=value, status="insufficient") for v in variants for g in ("f", "m")]
    said = paying.who_pays(of(small, groups=("sex",), variants=variants), "d").data
    assert "<img" in said and "Of 14 variants the 12" in said and "none of which is ranked" in said


def test_the_words_do_not_speak_of_groups_that_there_are_not():
    overall = [row("int8", None, None), row("int8", None, None, metric="churn")]
    assert "group" not in claims.sentences(of([*overall, *OF_CLASSES]), "d").data
