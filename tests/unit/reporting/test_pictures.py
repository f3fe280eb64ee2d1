"""Figures of the report: how variants are distinguished, and the sentences where there is nothing to draw."""

import pandas as pd
import pytest

from fairweight.reporting.report import cards, claims, explorer, figures, group_changes, palette
from fairweight.reporting.report.results import TABLES, Results

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


def results_with(rows, groups=(), variants=("int8",), classes=("no", "yes"), **fairness):
    """Results with these comparisons, of variants that share one baseline."""
    recipes = {"dense": {"train": "standard"}} | {v: {"from": "dense", "quantize": {}} for v in variants}
    study = {
        "variants": recipes,
        "datasets": {"d": {"groups": {group: {} for group in groups}}},
        "criteria": {"error_rate": 0.05},
        "fairness": {"smallest_group": 50} | fairness,
    }
    tables = {name: pd.DataFrame() for name in TABLES}
    tables |= {"comparisons": pd.DataFrame(rows), "variants": pd.DataFrame({"variant": list(recipes)})}
    card = {"dataset": "d", "title": "Data & co", "classes": list(classes), "groups": dict.fromkeys(groups, ())}
    return Results(**tables, cards=[card], provenance={"study": study})


OF_CLASSES = [row("int8", "class", label) for label in ("no", "yes")]


def test_a_binary_study_without_groups_says_why_there_is_no_figure():
    results = results_with(OF_CLASSES)
    said = group_changes.who_pays(results, "d").data
    assert "no figure of who pays: groups of Data &amp; co" in said and "names none" in said and "<img" not in said
    assert group_changes.heat_map(results, "d") is None
    assert "names no groups" in cards.group_cards(results).data


def test_groups_without_a_test_row_are_reported():
    assert "no test row belongs" in group_changes.who_pays(results_with(OF_CLASSES, groups=("sex",)), "d").data


def test_without_groups_classes_of_a_label_with_several_are_drawn():
    results = results_with(OF_CLASSES, classes=("a", "b", "c"))
    results.study["criteria"]["error_rate"] = 0.025
    assert "<img" in group_changes.who_pays(results, "d").data
    drawn = group_changes.heat_map(results, "d").data
    assert "<img" in drawn and "rate of 2.5 %" in drawn


def test_groups_that_are_all_too_small_are_drawn_hollow_and_not_in_the_heat_map():
    small = [row("int8", "sex", group, status="insufficient") for group in ("f", "m")]
    results = results_with([*OF_CLASSES, *small], groups=("sex",))
    assert "<img" in group_changes.who_pays(results, "d").data
    assert "each group of Data &amp; co has fewer than 50 test rows" in group_changes.heat_map(results, "d").data


@pytest.mark.parametrize("value", [-0.01, float("nan")])
def test_many_variants_without_a_ranked_group_are_drawn(value):
    variants = [f"v{i}" for i in range(group_changes.MOST_VARIANTS + 2)]
    small = [row(v, "sex", g, value=value, status="insufficient") for v in variants for g in ("f", "m")]
    said = group_changes.who_pays(results_with(small, groups=("sex",), variants=variants), "d").data
    assert "<img" in said and "Of 14 variants, the figure shows the 12" in said and "none of which is ranked" in said


def test_the_sentences_mention_no_groups_where_there_are_none():
    overall = [row("int8", None, None), row("int8", None, None, metric="churn")]
    assert "group" not in claims.sentences(results_with([*overall, *OF_CLASSES]), "d").data


# ---- how variants and datasets are distinguished

MANY = [f"v{i}" for i in range(17)]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that a function draws."""
    drawn_figures = []
    monkeypatch.setattr(figures, "picture", lambda figure, *_, **__: drawn_figures.append(figure))
    return drawn_figures


def looks_of(handles):
    return {h.get_label(): (h.get_color(), h.get_marker()) for h in handles}


def measured(variant, augmentation, measure, value):
    cell = CELL | {"augmentation": augmentation, "variant": variant, "baseline": "dense", "measure": measure}
    return cell | {"attribute": None, "group": None, "batch_size": 1, "mean": value, "sd": 0.0, "n": 1}


def test_many_trained_variants_differ_in_colour_and_marker(drawn):
    epochs = [
        CELL | {"variant": v, "seed": 0, "epoch": e, "validation_loss": 1.0, "best": e == 1}
        for v in MANY
        for e in (0, 1)
    ]
    results = results_with(OF_CLASSES, variants=MANY)
    results.study["variants"].update({v: {"train": "standard"} for v in MANY})
    object.__setattr__(results, "curves", pd.DataFrame(epochs))
    figures.curves(results)
    shown = looks_of(drawn[0].legends[0].get_lines())
    assert len(set(shown.values())) == len(shown) == len(MANY)
    kept = [line for line in drawn[0].axes[0].lines if line.get_linestyle() == "None"]
    assert {(line.get_color(), line.get_marker()) for line in kept} == set(shown.values())


def test_a_trade_off_shows_variants_by_colour_and_marker_and_augmentations_by_filling(drawn):
    rows = [
        measured(v, a, name, i + 1.0)
        for i, v in enumerate(MANY)
        for a in ("none", "jitter")
        for name in ("accuracy", "transfer_bytes", "latency_p50_ms")
    ]
    results = results_with(OF_CLASSES, variants=MANY)
    results.study["profile"] = {"batch_sizes": [1]}
    object.__setattr__(results, "variants", pd.DataFrame(rows))
    object.__setattr__(results, "profiles", pd.DataFrame({"dataset": ["d"]}))
    figures.trade_off(results, "d")
    shown = looks_of(drawn[0].legends[0].get_lines())
    assert len({looks for name, looks in shown.items() if name in MANY}) == len(MANY)
    points = {
        (line.get_color(), line.get_marker(), line.get_fillstyle())
        for line in drawn[0].axes[0].lines
        if line.get_marker() in palette.MARKERS
    }
    assert len(points) == 2 * len(MANY) and {fill for *_, fill in points} == {"full", "none"}


def test_datasets_with_the_same_title_are_labelled_by_their_names():
    results = results_with(OF_CLASSES)
    assert results.label("d") == "Data & co"
    results.cards.append(results.cards[0] | {"dataset": "other"})
    assert (results.label("d"), results.label("other")) == ("Data & co (d)", "Data & co (other)")
    cells = [measured("int8", "none", "accuracy", 0.5) | {"dataset": d, "change_mean": None} for d in ("d", "other")]
    object.__setattr__(results, "variants", pd.DataFrame(cells))
    object.__setattr__(results, "decisions", pd.DataFrame(columns=[*CELL, "variant", "verdict"]))
    results.study["datasets"]["other"] = {"groups": {}}
    points = explorer._points(results)[1]
    assert points["dataset"].tolist() == ["Data & co (d)", "Data & co (other)"]
