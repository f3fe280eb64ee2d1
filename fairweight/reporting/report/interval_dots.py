"""Figures of dots with intervals: a line for each group or input, and a marker for each variant on it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fairweight.core.formatting import missing
from fairweight.reporting.report.figures import panels
from fairweight.reporting.report.labels import short
from fairweight.reporting.report.palette import looks
from fairweight.reporting.report.results import Results

Line = tuple[str, str]  # what a line is about: attribute, empty for all rows, and group


def of_groups(
    results: Results, rows: pd.DataFrame, marks: Sequence[Line2D] = ()
) -> tuple[Figure, Axes, list[tuple[int, Mapping[str, Any]]]]:
    """Figure of `value`, `low` and `high` of each variant, on all rows and on those of each group.

    Args:
        results: the study.
        rows: have `variant`, `attribute` and `group`.
        marks: further entries of the legend.

    Returns:
        Figure, its axes, and each row with the number of its line.
    """
    entries = rows.to_dict("records")
    lines = list(dict.fromkeys(_line(row) for row in entries))
    labels = [f"{short(group, 26)} ({short(attribute, 16)})" if attribute else group for attribute, group in lines]
    placed: list[tuple[int, Mapping[str, Any]]] = [(lines.index(_line(row)), row) for row in entries]
    return *of_lines(results, placed, labels, marks=marks), placed


def _line(row: Mapping[str, Any]) -> Line:
    return ("", "all rows") if missing(row["attribute"]) else (row["attribute"], row["group"])


def of_lines(
    results: Results,
    rows: Sequence[tuple[int, Mapping[str, Any]]],
    labels: Sequence[str],
    scale: float = 1.0,
    marks: Sequence[Line2D] = (),
) -> tuple[Figure, Axes]:
    """Figure of `value`, `low` and `high` of rows.

    Args:
        results: the study.
        rows: number of the line, and a row with its `variant`.
        labels: of the lines, from the top.
        scale: factor of the values.
        marks: further entries of the legend.
    """
    shown, look = list(dict.fromkeys(row["variant"] for _, row in rows)), looks(results)
    figure, (axis,) = panels(1, height=1.1 + (0.2 + 0.13 * len(shown)) * len(labels))
    for line, row in rows:
        y = line + (shown.index(row["variant"]) - (len(shown) - 1) / 2) * 0.75 / len(shown)
        colour, marker = look[row["variant"]]
        axis.plot([row["low"] * scale, row["high"] * scale], [y, y], color=colour, linewidth=1.2)
        axis.plot(row["value"] * scale, y, marker, color=colour, markersize=4)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.45, -0.55)
    axis.grid(axis="y", visible=False)
    handles = [*(Line2D([], [], color=look[v][0], marker=look[v][1], label=v) for v in shown), *marks]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), frameon=False)
    return figure, axis
