"""What the tests say of each variant, in words, and the slices that nobody named."""

from html import escape

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import missing, number, p_value
from fairweight.core.frames import where
from fairweight.reporting.report.page import listing, table
from fairweight.reporting.report.paying import attributes_of, place
from fairweight.reporting.report.results import Results


def sentences(results: Results, dataset: str) -> HTML | None:
    """What the tests say of each variant, in words."""
    rows = results.compared(dataset)
    if rows.empty:
        return None
    items = []
    for variant, of in rows.groupby("variant", sort=False):
        items.append(f"<b>{escape(str(variant))}</b>: {' '.join(_said(results, dataset, of))}")
    return listing(items, most=16)


def _said(results: Results, dataset: str, rows: pd.DataFrame) -> list[str]:
    overall = rows[rows["attribute"].isna()].set_index("metric")
    churn, accuracy = overall.loc["churn"], overall.loc["accuracy"]
    floor = "" if missing(churn["floor_value"]) else f" (retraining alone: {number(churn['floor_value'], 2, 100)} %)"
    text = [
        f"{number(churn['value'], 2, 100)} % of rows are predicted otherwise{floor}; accuracy changes by "
        f"{number(accuracy['value'], 2, 100, signed=True)} points (95\N{NO-BREAK SPACE}% interval {_interval(accuracy)})."
    ]
    groups = rows[(rows["metric"] == "accuracy") & rows["attribute"].isin(attributes_of(results, dataset, rows))]
    sure = groups[groups["q_value"] <= results.study["criteria"]["error_rate"]]
    for _, row in sure.iterrows():
        verb = "lose" if row["value"] < 0 else "gain"
        text.append(
            f"{escape(str(row['group']))} ({escape(row['attribute'])}, n = {int(row['n']):,}) {verb} "
            f"{number(abs(row['value']), 2, 100)} points (95\N{NO-BREAK SPACE}% interval {_interval(row)}; q = {row['q_value']:.2g} after "
            f"Benjamini-Hochberg over the groups of {escape(row['attribute'])})."
        )
    notes = groups["seeds_note"].dropna()
    if sure.empty and len(groups):
        text.append(
            f"Of single groups the study {escape(notes.iloc[0])}."
            if len(notes)
            else "No group's change is shown to be more than chance."
        )
    text += _harm(results, dataset, rows)
    return text


def _interval(row: pd.Series) -> str:
    return f"{number(row['low'], 2, 100, signed=True)} to {number(row['high'], 2, 100, signed=True)}"


def _harm(results: Results, dataset: str, rows: pd.DataFrame) -> list[str]:
    text = []
    for attribute in attributes_of(results, dataset, rows):
        of = rows[rows["attribute"] == attribute]
        harm, down = (of[of["metric"] == name] for name in ("excess_harm", "levelling_down"))
        if (
            len(harm)
            and not missing(harm.iloc[0]["p_value"])
            and harm.iloc[0]["p_value"] <= results.study["criteria"]["error_rate"]
        ):
            row = harm.iloc[0]
            text.append(
                f"By {escape(attribute)} groups change unequally: the largest loss exceeds the smallest by {number(row['value'], 2, 100)} points, "
                f"{escape(row['reason'])} (by chance {number(row['by_chance'], 2, 100)}; p = {row['p_value']:.2g}, "
                "not corrected)."
            )
        if len(down) and down.iloc[0]["value"]:
            text.append(f"The gap by {escape(attribute)} is smaller and every group loses: levelling down.")
    return text


def slices(results: Results, dataset: str) -> HTML | None:
    """Slices of the inputs on which a variant loses most."""
    found = results.slices[results.slices["dataset"] == dataset] if len(results.slices) else results.slices
    found = found[~found["variant"].isin(results.noise_floors)] if len(found) else found
    if found.empty:
        return None
    found = results.ordered(found)
    first = found.iloc[0]
    found = where(found, first[["model", "engine", "augmentation"]]).groupby("variant", sort=False).head(3)
    rows: list[list[str]] = []
    breaks: set[int] = set()
    previous = None
    for _, row in found.iterrows():
        if row["variant"] != previous:
            breaks.add(len(rows))
        rows.append(
            [row["variant"] if row["variant"] != previous else "", row["conditions"], f"{int(row['n']):,}",
             number(row["value"], 4, 1, signed=True), f"{number(row['low'], 4, 1, signed=True)} to {number(row['high'], 4, 1, signed=True)}",
             p_value(row["p_value"])]
        )  # fmt: skip
        previous = row["variant"]
    caption = (
        f"{results.title(dataset)}; {place(first)}: slices of the inputs on which the loss rises most, without any sensitive "
        "attribute. A decision tree finds them on one half of the test rows; the numbers are those of the other half: how "
        "much more the log loss rises in the slice than outside, in nats, and p (one-sided, after Holm's correction over the "
        "slices of the variant)."
    )
    return table(
        ["Variant", "Slice", "Rows", "Excess loss, nats", "95\N{NO-BREAK SPACE}% interval", "p"],
        rows,
        caption,
        text_columns=2,
        breaks=breaks,
    )
