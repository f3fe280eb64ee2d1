"""Whether each variant decides for the same reasons as its baseline: sentences, figures and table of explanations."""

from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.lines import Line2D

from fairweight.core.formatting import DASH, count, missing, number, with_interval
from fairweight.core.frames import where
from fairweight.reporting.report import interval_dots
from fairweight.reporting.report.columns import p_equals
from fairweight.reporting.report.labels import short
from fairweight.reporting.report.page import listing, picture, table
from fairweight.reporting.report.results import Results, place, varying
from fairweight.reporting.report.text import section

TITLE = "Whether variants decide for the same reasons"
EXPLAINED = (
    "A model that keeps its accuracy may decide for other reasons. For some test rows, each file is explained by "
    "the Shapley values of its inputs: how much each moves the log odds of the true class, against rows of the data. "
    "Agreement is the rank correlation of the importance of the inputs of a row, for a variant and its baseline of the "
    "same seed; 1 is the same order."
)
MOST_INPUTS = 12  # inputs that the figure of importances shows
RELIABLE = 0.8  # median reliability below which the report says that permutations are too few
AGAIN = "#8b939b"  # colour of one retraining
LARGE = 0.05  # change of an input's share that a sentence names


def explanation(results: Results) -> HTML | None:
    """Heading and explanation; None for a study without explanations."""
    return None if results.reasons is None else HTML(section(TITLE).data + f"<p>{EXPLAINED}</p>")


def agreement(results: Results, dataset: str) -> tuple[HTML | None, ...]:
    """Sentences, figures and table of a dataset; nothing for a study without explanations."""
    if results.reasons is None or results.importances is None:
        return ()
    reasons, shares = (where(rows, {"dataset": dataset}) for rows in (results.reasons, results.importances))
    if reasons.empty:
        return ()
    reasons, shares = results.ordered(reasons), results.ordered(shares)
    sentences = _sentences(results, reasons, shares)
    return (
        listing(sentences) if sentences else None,
        _agreement_figure(results, dataset, reasons),
        _importance_figure(results, dataset, shares),
        _table(results, dataset, reasons),
    )


def _key(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("augmentation", "model", "variant")}


def _sentences(results: Results, reasons: pd.DataFrame, shares: pd.DataFrame) -> list[str]:
    """What the explanations say of each variant."""
    shown = varying(reasons, ("model", "augmentation"))
    correlations = where(reasons, {"measure": "rank_correlation"})
    sentences = []
    for row in correlations[correlations["attribute"].isna()].to_dict("records"):
        if row["variant"] in results.noise_floors:
            continue
        about = "".join(f", {name} {row[name]}" for name in shown)
        interval = with_interval(row["value"], row["low"], row["high"], digits=2)
        text = f"<b>{escape(row['variant'] + about)}</b>: agreement with {escape(row['baseline'])} {interval}"
        text += _against_floor(row) + "." + _groups(where(correlations, _key(row)))
        sentences.append(text + _inputs(where(shares, _key(row))))
    weak = where(reasons, {"measure": "reliability"})
    weak = weak[weak["attribute"].isna() & (weak["value"] < RELIABLE)]
    if len(weak):
        names = escape(", ".join(dict.fromkeys(weak["variant"])))
        sentences.append(f"The values of {names} are not well known: raise <code>explain: permutations</code>.")
    return sentences


def _against_floor(row: dict[str, Any]) -> str:
    if missing(row["floor"]):
        return "; without a replicate, what training again changes is not known"
    text = f"; of one retraining {number(row['floor'], 2)}"
    if missing(row["p_value"]):
        return text
    if row["change"] >= 0:
        return f"{text}, so that the reasons change by no more than that"
    return f"{text}, {number(-row['change'], 2)} higher ({p_equals(row['p_value'])})"


def _groups(rows: pd.DataFrame) -> str:
    """The group with the lowest agreement."""
    groups = rows[rows["group"].notna() & rows["value"].notna()]
    if len(groups) < 2:
        return ""
    lowest = groups.loc[groups["value"].idxmin()]
    name = f"{escape(lowest['group'])} ({escape(lowest['attribute'])})"
    return f" Lowest of the groups: {name}, {number(lowest['value'], 2)}."


def _inputs(rows: pd.DataFrame) -> str:
    """The inputs whose share changes most."""
    changed = rows[rows["change"].abs() >= LARGE]
    changed = changed.reindex(changed["change"].abs().sort_values(ascending=False, kind="stable").index).head(3)
    texts = [
        f"{escape(row['input'])} from {number(row['value'] - row['change'], 0, 100)} to "
        f"{number(row['value'], 0, 100)} %"
        for row in changed.to_dict("records")
    ]
    return f" Share in the decisions: {', '.join(texts)}." if texts else ""


def _agreement_figure(results: Results, dataset: str, reasons: pd.DataFrame) -> HTML | None:
    """Figure of the agreement of each variant, on all rows and on those of each group, over the noise floor."""
    rows = where(reasons, {"measure": "rank_correlation"})
    rows = rows[~rows["variant"].isin(results.noise_floors) & rows["value"].notna()]
    if rows.empty:
        return None
    rows = results.first_combination(rows, dataset)
    again = Line2D([], [], color=AGAIN, linewidth=2, label="one retraining")
    figure, axis, placed = interval_dots.of_groups(results, rows, [again] if rows["floor"].notna().any() else [])
    for line, row in placed:
        if not missing(row["floor"]):
            axis.plot([row["floor"]] * 2, [line - 0.42, line + 0.42], color=AGAIN, linewidth=2, zorder=0)
    axis.set_xlabel("agreement with the baseline (rank correlation)")
    first, title = rows.iloc[0], results.title(dataset)
    return picture(
        figure,
        f"{title}: agreement of the reasons of each variant with those of its baseline.",
        f"Dots with intervals: rank correlation of input importance with the baseline for {title}, by group.",
        f"Medians over {int(first['rows']):,} test rows, means over {count(int(first['seeds']), 'seed')} with "
        f"95 % intervals. Shown: {place(first)}.",
    )


def _importance_figure(results: Results, dataset: str, shares: pd.DataFrame) -> HTML:
    """Figure of the share of the most important inputs in the decisions of every variant."""
    shares = results.first_combination(shares, dataset)
    top = shares.groupby("input", sort=False)["value"].max().sort_values(ascending=False, kind="stable")
    inputs = list(top.index[:MOST_INPUTS])
    rows = [(inputs.index(row["input"]), row) for row in shares.to_dict("records") if row["input"] in inputs]
    figure, axis = interval_dots.of_lines(results, rows, [short(name, 30) for name in inputs], scale=100)
    axis.set_xlim(left=0)
    axis.set_xlabel("share in the decisions, %")
    title = results.title(dataset)
    left_out = f" Of {len(top)} inputs, the {MOST_INPUTS} most important." if len(top) > len(inputs) else ""
    return picture(
        figure,
        f"{title}: which inputs each variant decides by.",
        f"Dots with intervals: share of each input in the decisions on {title}, by variant.",
        f"Share: mean absolute Shapley value, divided by the sum over inputs; means over seeds with 95 % intervals."
        f"{left_out} Shown: {place(shares.iloc[0])}.",
    )


def _table(results: Results, dataset: str, reasons: pd.DataFrame) -> HTML:
    """Table of all measures of all variants, on all rows."""
    shown = varying(reasons, ("model", "augmentation"))
    rows = reasons[reasons["attribute"].isna()]
    body = []
    for _, part in rows.groupby(["augmentation", "model", "variant"], sort=False):
        first = part.iloc[0]
        values = {row["measure"]: row for row in part.to_dict("records")}
        body.append([first["variant"], *(first[name] for name in shown), *(_value(values.get(m)) for m in MEASURES)])
    notes = (
        "Agreement with the baseline: rank correlation of absolute values (median over rows); share of the three most "
        "important inputs that are the same; share of them with the same sign. Reliability: correlation that another "
        "sample of permutations would have with the values. Deletion: mean probability of the true class while inputs "
        "are exchanged, the most important first, and in random order; explanations that find what matters are lower."
    )
    return table(
        ["Variant", *map(str.capitalize, shown), *MEASURES.values()],
        body,
        f"{results.title(dataset)}: agreement and quality of the explanations.",
        notes=notes,
        text_columns=1 + len(shown),
    )


MEASURES = {
    "rank_correlation": "Rank correlation",
    "top_overlap": "Same top three",
    "sign_agreement": "Same signs",
    "reliability": "Reliability",
    "deletion": "Deletion",
    "random": "Deletion, random order",
}


def _value(row: dict[str, Any] | None) -> str:
    return (
        DASH if row is None or missing(row["value"]) else with_interval(row["value"], row["low"], row["high"], digits=2)
    )
