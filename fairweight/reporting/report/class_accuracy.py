"""Accuracy by class, of the baseline and of the variant that ships, for labels with more than two classes."""

import numpy as np
import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import count
from fairweight.core.frames import where
from fairweight.core.shown_measures import measure
from fairweight.reporting.answer import Answer
from fairweight.reporting.report.figures import panels
from fairweight.reporting.report.labels import short
from fairweight.reporting.report.page import picture
from fairweight.reporting.report.palette import COLOURS
from fairweight.reporting.report.results import Results, place
from fairweight.reporting.verdict_matrix import answers
from fairweight.statistics.decision import PROVEN

ACCURACY = measure("accuracy")
MOST_CLASSES = 40  # of which the figure shows those that lose most
ONE_COLUMN = 12  # classes from which the figure has two columns


def by_class(results: Results, dataset: str) -> HTML | None:
    """Figure of the accuracy of each class, which is its recall, before and after.

    None where the label has two classes, or no variant ships or is proven.
    """
    made = answers(results, dataset) if len(results.card(dataset)["classes"]) > 2 else []
    if not made:
        return None
    answer = made[0]
    rows, variant = _rows(results, answer)
    if rows.empty:
        return None
    shown = rows.sort_values("value", kind="stable").head(MOST_CLASSES).sort_values("baseline_value", kind="stable")
    parts = np.array_split(np.arange(len(shown)), 2 if len(shown) > ONE_COLUMN else 1)
    figure, axes = panels(len(parts), height=1.0 + 0.21 * max(map(len, parts)))
    low, high = _limits(shown)
    for axis, part in zip(axes, parts, strict=True):
        own = shown.iloc[part]
        for y, row in enumerate(own.to_dict("records")):
            before, after = (ACCURACY.scaled(row["baseline_value"] + change) for change in (0.0, row["value"]))
            axis.plot([before, after], [y, y], color="#8b939b", linewidth=1.2, zorder=1)
            axis.plot(before, y, "o", color=COLOURS[0], markerfacecolor="white", markersize=5)
            axis.plot(after, y, "o", color=COLOURS[0], markersize=5)
        axis.set_yticks(range(len(own)), _labels(own))
        axis.set_ylim(len(own) - 0.5, -0.5)
        axis.set_xlim(low, high)
        axis.grid(axis="y", visible=False)
        axis.set_xlabel(ACCURACY.heading)
    handles = [axes[0].lines[1], axes[0].lines[2]]
    figure.legend(handles, [answer.base.name, variant], loc="outside lower center", ncols=2, frameon=False)
    title = results.title(dataset)
    left_out = f" Of {count(len(rows), 'class')}es, those that lose most." if len(rows) > len(shown) else ""
    return picture(
        figure,
        f"{title}: accuracy of each class, before and after.",
        f"Dots: accuracy of each class of {title} for {answer.base.name} and {variant}.",
        f"Hollow: {answer.base.name}; filled: {variant}. Means over seeds, of the rows of each class (recall); n is "
        f"their number.{left_out} Shown: {place(rows.iloc[0])}.",
    )


def _labels(rows: pd.DataFrame) -> list[str]:
    return [f"{short(row['group'], 22)} (n = {int(row['n']):,})" for row in rows.to_dict("records")]


def _rows(results: Results, answer: Answer) -> tuple[pd.DataFrame, str]:
    """Changes of the accuracy of each class by what ships, or by the first proven variant, and its name."""
    candidates = [row for row in answer.rows if row.ships and not row.baseline]
    candidates += [row for row in answer.rows if row.verdict == PROVEN]
    for row in candidates:
        rows = where(results.comparisons, {**row.cell, "metric": "accuracy", "attribute": "class"})
        if len(rows := rows[rows["value"].notna() & rows["baseline_value"].notna()]):
            return rows, row.name
    return pd.DataFrame(), ""


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis, the same in all panels."""
    ends = np.concatenate([rows["baseline_value"], rows["baseline_value"] + rows["value"]]) * ACCURACY.scale
    pad = 0.08 * (ends.max() - ends.min()) or 1.0
    return float(ends.min() - pad), float(ends.max() + pad)
