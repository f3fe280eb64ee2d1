"""Results of the tests of each variant in words, and the slices of the inputs with the largest losses."""

from html import escape

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import count, missing, number, p_value
from fairweight.core.frames import where
from fairweight.core.lineage import CELL
from fairweight.core.shown_measures import measure
from fairweight.evaluation.criteria import name_of
from fairweight.reporting.report.columns import INTERVAL, POINTS
from fairweight.reporting.report.group_changes import attributes_of
from fairweight.reporting.report.page import fold, listing, table
from fairweight.reporting.report.results import Results, place, varying

ACCURACY, FLIPS = measure("accuracy"), measure("flips")
MOST_SLICES = 3  # of each variant
SLICE_DIGITS = 4  # differences of the log loss are small


def sentences(results: Results, dataset: str) -> HTML | None:
    """The results of the tests of each variant and augmentation, in words; None where nothing is compared."""
    rows = where(results.comparisons, {"dataset": dataset})
    rows = rows[~rows["variant"].isin(results.noise_floors)] if len(rows) else rows
    if rows.empty:
        return None
    shown = varying(rows, ("model", "engine", "augmentation"))
    items = []
    for key, part in results.ordered(rows).groupby([*shown, "variant"], sort=False):
        *places, variant = key
        about = f" ({escape(', '.join(f'{n} {v}' for n, v in zip(shown, places, strict=True)))})" if shown else ""
        control = ", a control" if variant in results.controls else ""
        name = f"<b>{escape(str(variant))}</b>{control}{about}"
        items.append(f"{name}: {' '.join(_claims(results, dataset, part))}")
    inside = listing(items, most=len(items)).data
    return HTML(
        fold(f"{results.title(dataset)}: what each variant changes, in words", inside, count(len(items), "item"))
    )


def _claims(results: Results, dataset: str, rows: pd.DataFrame) -> list[str]:
    """Sentences on one variant."""
    overall = rows[rows["attribute"].isna()].set_index("metric")
    churn, accuracy = overall.loc["churn"], overall.loc["accuracy"]
    floor = ""
    if not missing(churn["floor_value"]):
        bounds = (churn[f"floor_{name}"] for name in ("value", "low", "high"))
        floor = f" (one retraining: {FLIPS.with_interval(*bounds)} {FLIPS.unit})"
    claims = [
        f"{FLIPS.with_unit(churn['value'])} of the predictions differ from those of the baseline{floor}; accuracy "
        f"changes by {_points(accuracy)}."
    ]
    groups = rows[(rows["metric"] == "accuracy") & rows["attribute"].isin(attributes_of(results, dataset, rows))]
    significant = groups[groups["q_value"] <= results.study["criteria"]["error_rate"]]
    for _, row in significant.iterrows():
        verb = "lose" if row["value"] < 0 else "gain"
        name = f"{escape(str(row['group']))} ({escape(row['attribute'])}, n = {int(row['n']):,})"
        claims.append(
            f"{name} {verb} accuracy: {_points(row)}, q = {row['q_value']:.2g} after Benjamini-Hochberg correction "
            f"over the groups of {escape(row['attribute'])}."
        )
    notes = groups["seeds_note"].dropna()
    if significant.empty and len(groups):
        alone = f" A change of one group alone {escape(notes.iloc[0])}." if len(notes) else ""
        claims.append(f"No change of a single group is statistically significant.{alone}")
    return claims + _grown_gaps(results, rows) + _unequal_changes(results, dataset, rows)


def _grown_gaps(results: Results, rows: pd.DataFrame) -> list[str]:
    """A sentence on each attribute and rate whose difference between two groups grows by more than the margin."""
    if results.parts.empty:
        return []
    parts = where(results.parts, {**rows.iloc[0][CELL], "criterion": "fairness_gap"})
    parts = parts[parts["value"] > parts["margin"]]
    sentences = []
    for (_, _, closes), grown in parts.groupby(["attribute", "rate", "catches_up"], sort=False):
        row = grown.loc[grown["value"].idxmax()]
        change = ACCURACY.with_interval(row["value"], row["low"], row["high"], signed=True, writer=POINTS)
        what = (
            "changes by more than the margin and closes a gap of the baseline"
            if closes
            else "grows by more than the margin"
        )
        sentences.append(
            f"The {escape(name_of(row))} {what} ({ACCURACY.text(row['margin'])} points): {change}, {row['verdict']}."
        )
    return sentences


def _points(row: pd.Series) -> str:
    """A change of the accuracy with its interval."""
    return ACCURACY.with_interval(row["value"], row["low"], row["high"], signed=True, writer=POINTS)


def _unequal_changes(results: Results, dataset: str, rows: pd.DataFrame) -> list[str]:
    """Sentences on attributes whose groups change unequally, and on levelling down."""
    unequal, levelled = [], []
    for attribute in attributes_of(results, dataset, rows):
        part = rows[rows["attribute"] == attribute]
        harm, down = (part[part["metric"] == name] for name in ("excess_harm", "levelling_down"))
        q = harm.iloc[0]["q_value"] if len(harm) else float("nan")
        if not missing(q) and q <= results.study["criteria"]["error_rate"]:
            row = harm.iloc[0]
            unequal.append(
                f"by {escape(attribute)}, {ACCURACY.text(row['value'])} points {escape(row['reason'])} "
                f"({ACCURACY.text(row['by_chance'])} expected by chance; q = {q:.2g})"
            )
        if len(down) and down.iloc[0]["value"]:
            levelled.append(
                f"On average over seeds, the accuracy gap by {escape(attribute)} is smaller and every group loses: "
                "levelling down (not tested)."
            )
    if unequal:
        claim = "Groups change unequally: the largest and the smallest change differ by more than chance"
        corrected = "after Benjamini-Hochberg correction over all variants and attributes"
        return [f"{claim} ({corrected}): {'; '.join(unequal)}.", *levelled]
    return levelled


def slices(results: Results, dataset: str) -> HTML | None:
    """Table of the slices of the inputs on which each variant's loss rises; None where none was searched for.

    A slice is chosen on one half of the rows. It is shown if the loss rises in it on the other half as well, and more
    than in the other rows.
    """
    rows = results.slices[results.slices["dataset"] == dataset] if len(results.slices) else results.slices
    rows = rows[~rows["variant"].isin(results.noise_floors)] if len(rows) else rows
    if rows.empty:
        return None
    ordered = results.ordered(rows)
    first = ordered.iloc[0]
    selected = where(ordered, first[["model", "engine", "augmentation"]])
    rising = selected[(selected["change"] > 0) & (selected["value"] > 0)]
    title, notes = results.title(dataset), _slice_notes(selected, rising)
    if rising.empty:
        return HTML(f"<p><b>{escape(title)}: the loss rises on no slice of the inputs.</b> {escape(notes)}</p>")
    largest = rising.groupby("variant", sort=False).head(MOST_SLICES)
    cells: list[list[str]] = []
    breaks: set[int] = set()
    for variant, part in largest.groupby("variant", sort=False):
        breaks.add(len(cells))
        for position, (_, row) in enumerate(part.iterrows()):
            change, value, low, high = (
                number(row[name], SLICE_DIGITS, signed=True) for name in ("change", "value", "low", "high")
            )
            shown = [f"{int(row['n']):,}", change, value, f"{low} to {high}", p_value(row["p_value"])]
            whom = f"\nmostly {row['mostly']}" if row["mostly"] else ""
            cells.append([str(variant) if position == 0 else "", f"{row['conditions']}{whom}", *shown])
    unit = measure("log_loss").unit
    header = ["Variant", "Slice", "Rows", f"Rise of the loss, {unit}", f"More than elsewhere, {unit}", INTERVAL, "p"]
    caption = f"{title}: slices of the inputs on which the loss rises most."
    return table(header, cells, caption, notes=notes, text_columns=2, breaks=breaks, repeated=1)


def _slice_notes(selected: pd.DataFrame, rising: pd.DataFrame) -> str:
    """How the slices were found, what they are made of, and how many are not shown."""
    first = selected.iloc[0]
    left_out = (
        f", without those from which a group is made, or that are another version of one ({first['left_out']}); other "
        "inputs may still differ between groups"
        if first["left_out"]
        else ""
    )
    marked = ' "Mostly": at least 95 % of the slice belong to that group.' if rising["mostly"].ne("").any() else ""
    falling = len(selected) - len(rising)
    dropped = (
        f" Not shown: {count(falling, 'slice')} in which it fell, or rose less than elsewhere, on that half."
        if falling
        else ""
    )
    return (
        "A decision tree selects slices in which the log loss rises on one half of the test rows. It is given "
        f"{first['given']}{left_out}. All numbers are computed on the other half: how much the loss rises inside the "
        "slice, and how much more than outside, with its interval; p is one-sided, that it rises no more than outside, "
        f"after Holm's correction over the slices of the variant.{marked}{dropped} Shown: {place(first)}."
    )
