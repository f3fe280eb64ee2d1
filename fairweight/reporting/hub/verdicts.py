"""Verdict of a model card: on the recipe, on the file that ships, the recommendation, and what is not tested."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from fairweight.core.formatting import as_stated, count, points
from fairweight.core.frames import where
from fairweight.core.lineage import FAMILY
from fairweight.core.shown_measures import measure
from fairweight.reporting import goals, guards
from fairweight.reporting.hub import markdown
from fairweight.reporting.hub.files import KEYS, Cell, ShippedFile
from fairweight.reporting.hub.markdown import MARKDOWN, escape
from fairweight.reporting.report.columns import p_equals
from fairweight.reporting.report.results import Results
from fairweight.statistics.decision import PROVEN
from fairweight.training.signature import autoregressive

RATE = measure("accuracy")  # changes of rates, in percentage points


def verdict(results: Results, cell: Cell, file: ShippedFile) -> str:
    """Section of a card: the verdict on the recipe and on the file, as Markdown.

    Args:
        results: the study.
        cell: dataset, augmentation, model and variant.
        file: the file that ships.
    """
    decided = where(results.decisions, {key: cell[key] for key in KEYS})
    tested = decided[decided["verdict"].notna()]
    if tested.empty:
        parts = [_why_not_tested(results, cell, decided)]
    else:
        parts = [_of_recipe(row) for _, row in tested.iterrows()]
        parts.append(_of_file(results, cell, file, tested))
    warnings = where(results.guards, {key: cell[key] for key in KEYS})["reason"]
    parts = [*(f"**Warning**: {escape(text)}." for text in dict.fromkeys(warnings)), *parts]
    if cell["variant"] not in (*results.noise_floors, *results.controls):
        parts += _recommendations(results, cell)
    if len(tested):
        parts += [_limits_in_words(results), _untested(results, cell)]
    return "\n\n".join(part for part in parts if part)


def _why_not_tested(results: Results, cell: Cell, decided: pd.DataFrame) -> str:
    if autoregressive(results.study["datasets"][cell["dataset"]]["task"]):
        return "Language models are not tested against criteria."
    if cell["variant"] in results.noise_floors:
        return "Not a candidate to ship: it is a replicate, which shows what training again changes."
    if cell["variant"] in results.controls:
        return "Not a candidate to ship: it is a control, which shows what additional training alone changes."
    if len(decided) or _is_baseline(results, cell):
        return "Not tested: it is a baseline, with which other variants are compared."
    return "Not tested: the study compares nothing with it."


def _is_baseline(results: Results, cell: Cell) -> bool:
    """Whether a variant with the same or another augmentation is compared with this one."""
    base = {"baseline_augmentation": cell["augmentation"], "baseline": cell["variant"]}
    return len(where(results.comparisons, {key: cell[key] for key in ("dataset", "model")} | base)) > 0


def _of_recipe(row: pd.Series) -> str:
    """The verdict on what the recipe makes, or on the only model."""
    reason = f": {escape(row['reason'])}" if isinstance(row["reason"], str) else ""
    about = "this model" if row["seeds"] == 1 else "the recipe"
    basis = "its test rows" if row["seeds"] == 1 else f"{count(int(row['seeds'] or 0), 'seed')} and test rows"
    tests = f"{p_equals(row['p_value'])} after Holm's correction over {count(int(row['tests']), 'variant')}"
    return (
        f"With {escape(row['engine'])}, that {about} keeps the study's criteria is **{escape(row['verdict'])}**"
        f"{reason} (tests over {basis}; {escape(tests)})."
    )


def _of_file(results: Results, cell: Cell, file: ShippedFile, tested: pd.DataFrame) -> str:
    """The verdict on the file that ships, by test rows alone; none where there is one model, which is that file."""
    rows = where(results.shipped, {key: cell[key] for key in KEYS} | {"seed": file.seed})
    rows = rows[rows["engine"] == file.engine] if file.engine in set(rows["engine"]) else rows
    if rows.empty or file.seeds == 1:
        return ""
    row = rows.iloc[0]
    mean = RATE.text(row["mean_change"], signed=True, writer=MARKDOWN)
    interval = RATE.with_interval(row["change"], row["low"], row["high"], signed=True, writer=MARKDOWN)
    changes = (
        f"The accuracy of this file differs by {interval} points from that of the baseline's file of the same seed; "
        f"the mean over seeds differs by {mean}."
        if not pd.isna(row["change"])
        else ""
    )
    if not isinstance(row["verdict"], str):
        proven = tested[tested["verdict"] == PROVEN]
        why = "" if len(proven) else "This file was not tested alone, because the recipe is not proven. "
        return f"{why}{changes}"
    reason = f": {escape(row['reason'])}" if isinstance(row["reason"], str) else ""
    return (
        f"That **this file alone** (seed {file.seed}) keeps the margins is **{escape(row['verdict'])}**{reason} (tests "
        f"of its test rows, without a correction for other files; {escape(p_equals(row['p_value']))}). {changes}"
    )


def _recommendations(results: Results, cell: Cell) -> Iterator[str]:
    """What the study recommends instead, and for which augmentations it recommends this variant."""
    rows = where(results.goals, {key: cell[key] for key in ("dataset", "model")})
    for row in rows[rows["chosen"].astype(bool)].to_dict("records"):
        itself = (row["winner"], row["winner_augmentation"]) == (cell["variant"], cell["augmentation"])
        if itself or row["augmentation"] == cell["augmentation"]:
            yield _recommendation(results, row, "this variant" if itself else f"{goals.winner_of(row)} instead")


def _recommendation(results: Results, row: Mapping[str, Any], what: str) -> str:
    """One recommendation; one for another augmentation is named."""
    if warning := guards.warning(row):
        return f"**{escape(warning[0].upper() + warning[1:])}**."
    goal = escape(f"{goals.title(row['goal'])}{goals.assumed_use(row['goal'], results.study['decision'])}")
    several = results.goals[FAMILY].drop_duplicates().groupby(["dataset", "model"]).size().max() > 1
    place = f" for augmentation {escape(row['augmentation'])}" if several else ""
    recommended = f"**The study recommends {escape(what)}**{place}"
    if goals.is_baseline(row):
        return f"{recommended}, by {goal}: {escape(row['reason'])}."
    saved = f"{goals.saving(row, MARKDOWN)} of {escape(goals.GOALS[row['goal']].with_unit(row['baseline_cost']))}"
    return f"{recommended}, which saves {saved} against {escape(goals.baseline_of(row))} in {goal}."


def _limits_in_words(results: Results) -> str:
    """Margins and ceilings of the criteria, as they stand in the study file."""
    criteria = results.study["criteria"]
    margins = [
        f"{escape(name.replace('_', ' '))} {escape(points(margin))}"
        for name, margin in criteria["margins"].items()
        if margin is not None
    ]
    ceilings = [f"{escape(name.replace('_', ' '))} {_ceiling(name, c)}" for name, c in criteria["ceilings"].items()]
    limits = f"; ceilings: {', '.join(ceilings)}" if ceilings else ""
    return (
        f"Margins: {', '.join(margins) or 'none'}{limits}. Accuracy may fall by its margin, in every group with enough "
        "rows; the difference of a rate between any two of these groups may grow by that of the fairness gap."
    )


def _ceiling(name: str, limit: dict[str, float]) -> str:
    record = measure(name)
    if "at_most" in limit:
        return escape(f"at most {as_stated(limit['at_most'], record.scale)} {record.unit}")
    return escape(f"at most {as_stated(limit['at_most_of_baseline'], 100)} % of the baseline's")


def _untested(results: Results, cell: Cell) -> str:
    """Table of the rates of groups that have too few rows to be tested."""
    rows = where(results.untested, {key: cell[key] for key in KEYS})
    if rows.empty:
        return ""
    smallest = results.study["fairness"]["smallest_group"]
    heading = (
        f"**Not tested**: rates of groups with fewer than {smallest} rows. The verdict says nothing about them. "
        "Intervals are Bayesian, of the mean over seeds."
    )
    several = rows["engine"].nunique() > 1
    header = [*(["Engine"] if several else []), "Rate", "By", "Group", "Rows", "Baseline, %"]
    header.append("Change, points (95 % interval)")
    cells = [[*([escape(row["engine"])] if several else []), *_untested_rate(row)] for _, row in rows.iterrows()]
    return f"{heading}\n\n{markdown.table(header, cells, 3 + several)}"


def _untested_rate(row: pd.Series) -> Iterator[str]:
    yield escape(row["rate"].replace("_", " "))
    yield escape(row["attribute"])
    yield escape(row["group"])
    yield f"{int(row['rows']):,}"
    yield RATE.text(row["before"], writer=MARKDOWN)
    yield RATE.with_interval(row["value"], row["low"], row["high"], signed=True, writer=MARKDOWN)
