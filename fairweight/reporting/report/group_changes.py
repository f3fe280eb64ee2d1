"""Who pays for compression: figures of the changes by group. They draw what the summaries hold, and compute nothing."""

from html import escape
from typing import Any, Literal

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fairweight.core.formatting import as_stated, count, missing
from fairweight.core.frames import where
from fairweight.core.lineage import COMPARISON
from fairweight.core.shown_measures import measure
from fairweight.reporting.report.columns import change_heading
from fairweight.reporting.report.figures import panels
from fairweight.reporting.report.labels import short
from fairweight.reporting.report.page import picture
from fairweight.reporting.report.palette import FLOOR, looks
from fairweight.reporting.report.results import Results, place

MOST_VARIANTS = 12  # variants that the figure of intervals shows
ACCURACY = measure("accuracy")
CHANGE = change_heading(ACCURACY)


def _group_rows(results: Results, dataset: str) -> pd.DataFrame:
    """Comparisons of the accuracy of single groups."""
    rows = results.compared(dataset)
    return rows[(rows["metric"] == ACCURACY.key) & rows["group"].notna()] if len(rows) else rows


def attributes_of(results: Results, dataset: str, rows: pd.DataFrame) -> list[str]:
    """Declared attributes, and the classes of a label with more than two."""
    declared = list(results.study["datasets"][dataset]["groups"])
    classes = len(results.card(dataset)["classes"])
    return [a for a in [*declared, *(["class"] if classes > 2 else [])] if a in set(rows["attribute"])]


def who_pays(results: Results, dataset: str) -> HTML | None:
    """Figure of the change of each group's accuracy with its interval over the noise floor, or why there is none.

    None where nothing is compared.
    """
    rows = _group_rows(results, dataset)
    if rows.empty:
        return None
    attributes = attributes_of(results, dataset, rows)
    if not attributes:
        return _no_groups(results, dataset)
    rows, left_out = _costliest(rows[rows["attribute"].isin(attributes)])
    shown = list(dict.fromkeys(rows["variant"]))
    most = int(rows.groupby("attribute")["group"].nunique().max())
    figure, axes = panels(len(attributes), height=1.1 + (0.18 + 0.13 * len(shown)) * most)
    for axis, attribute in zip(axes, attributes, strict=True):
        _intervals(axis, results, rows[rows["attribute"] == attribute], shown)
        axis.set_title(f"by {attribute}", fontsize=9)
    look = looks(results)
    handles: list[Any] = [Line2D([], [], color=look[v][0], marker=look[v][1], label=v) for v in shown]
    if rows["floor_value"].notna().any():
        handles.append(Patch(color=FLOOR, label="one retraining (95 % prediction interval)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), frameon=False)
    title = results.title(dataset)
    return picture(
        figure,
        f"{title}: change in each group's accuracy against the baseline.",
        f"Dots with intervals: change in accuracy by group and variant for {title}, over a band of the noise floor.",
        _who_pays_notes(rows, left_out),
        _largest_loss(rows),
    )


def _largest_loss(rows: pd.DataFrame) -> str:
    """The ranked group that loses most accuracy, and by which variant."""
    ranked = rows[(rows["status"] == "ok") & rows["value"].notna()]
    if ranked.empty:
        return ""
    row = ranked.loc[ranked["value"].astype(float).idxmin()]
    return f"lowest: {row['group']}, {ACCURACY.text(row['value'], signed=True)} points by {row['variant']}"


def _who_pays_notes(rows: pd.DataFrame, left_out: str) -> str:
    first = rows.iloc[0]
    band = (
        "The grey band is where the change of one more model lies that is only retrained (95 % prediction interval "
        "from the replicate's seeds); markers are means over seeds, which vary less than single models. "
        if rows["floor_value"].notna().any()
        else ""
    )
    return (
        f"{_markers(int(first['seeds']))} {band}Hollow markers are groups with too few rows to be ranked; n is the "
        f"number of test rows of a group.{left_out} Shown: {place(first)}."
    )


def _markers(seeds: int) -> str:
    if seeds == 1:
        return "Markers are changes of one model; bars are 95 % intervals over test rows."
    means = f"Markers are means over {count(seeds, 'seed')}, paired by seed"
    return f"{means}; bars are 95 % intervals over seeds and test rows."


def _no_groups(results: Results, dataset: str) -> HTML:
    """A sentence on why there is no figure of groups."""
    why = (
        "no test row belongs to one of its groups"
        if results.study["datasets"][dataset]["groups"]
        else "the study file names none (<code>groups</code>)"
    )
    title = escape(results.title(dataset))
    return HTML(f"<p>There is no figure of who pays: groups of {title} cannot be compared, because {why}.</p>")


def _costliest(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Rows of the variants with the largest losses, at most MOST_VARIANTS, and a sentence on the others."""
    variants = rows["variant"].nunique()
    if variants <= MOST_VARIANTS:
        return rows, ""
    ranked = rows[rows["status"] == "ok"]
    # without a ranked group, unranked ones count; a loss that cannot be computed comes last, and is not left out
    losses = (rows if ranked.empty else ranked).groupby("variant", sort=False)["value"].min().sort_values(kind="stable")
    largest = (
        "loss of a group, none of which is ranked."
        if ranked.empty
        else "loss of a ranked group; the heat map shows all."
    )
    sentence = f" Of {variants} variants, the figure shows the {MOST_VARIANTS} with the largest {largest}"
    return rows[rows["variant"].isin(losses.index[:MOST_VARIANTS])], sentence


def _intervals(axis: Axes, results: Results, rows: pd.DataFrame, shown: list[str]) -> None:
    """Draw the intervals of the groups of one attribute."""
    look, scaled = looks(results), ACCURACY.scaled
    levels = list(dict.fromkeys(rows["group"]))
    for y, level in enumerate(levels):
        group_rows = rows[rows["group"] == level]
        floor = group_rows.iloc[0]
        if not missing(floor["floor_value"]):
            low, high = scaled(floor["floor_low"]), scaled(floor["floor_high"])
            axis.fill_betweenx([y - 0.42, y + 0.42], low, high, color=FLOOR, linewidth=0)
        for _, row in group_rows.iterrows():
            if missing(row["value"]):
                continue
            offset = (shown.index(row["variant"]) - (len(shown) - 1) / 2) * 0.75 / len(shown)
            colour, marker = look[row["variant"]]
            axis.plot([scaled(row["low"]), scaled(row["high"])], [y + offset] * 2, color=colour, linewidth=1.2)
            face = colour if row["status"] == "ok" else "white"
            axis.plot(scaled(row["value"]), y + offset, marker, color=colour, markerfacecolor=face, markersize=4)
    sizes = rows.drop_duplicates("group").set_index("group")["n"]
    axis.axvline(0, color="#444", linewidth=0.8)
    axis.set_yticks(range(len(levels)), [f"{short(level, 26)} (n = {int(sizes[level]):,})" for level in levels])
    axis.set_ylim(len(levels) - 0.45, -0.55)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel(CHANGE)


def heat_map(results: Results, dataset: str) -> HTML | None:
    """Heat map of the change of accuracy, variant by group and intersection, or why no group is in it.

    A dot marks a change that is more than chance. None where no groups are compared.
    """
    rows = _group_rows(results, dataset)
    if rows.empty or not attributes_of(results, dataset, rows):
        return None
    rows = rows[(rows["attribute"] != "class") | (len(results.card(dataset)["classes"]) > 2)]
    rows = rows[rows["status"] == "ok"]
    title, rate = results.title(dataset), results.study["criteria"]["error_rate"]
    if rows.empty:
        least = results.study["fairness"]["smallest_group"]
        text = f"There is no heat map of groups: each group of {title} has fewer than {least:,} test rows"
        return HTML(f"<p>{escape(text)} (<code>smallest_group</code>).</p>")
    return picture(
        _heat_map(rows, rate),
        f"{title}: change in accuracy of every group with enough rows, and of every pair of groups.",
        f"Heat map of change in accuracy, variant by group, for {title}.",
        "Red is a loss. A dot marks a change that is more than chance, at a false discovery rate of "
        f"{as_stated(rate, 100)} % within the variant and attribute. Shown: {place(rows.iloc[0])}.",
    )


def _heat_map(rows: pd.DataFrame, error_rate: float) -> Figure:
    """Draw the heat map of `heat_map`."""
    shown = list(dict.fromkeys(rows["variant"]))
    groups = list(dict.fromkeys(zip(rows["attribute"], rows["group"], strict=True)))
    values = rows.set_index(["variant", "attribute", "group"])
    grid = np.array([[ACCURACY.scaled(values["value"].get((v, *group), np.nan)) for group in groups] for v in shown])
    q_values = np.array([[values["q_value"].get((v, *group), np.nan) for group in groups] for v in shown])
    figure = Figure(figsize=(2.6 + 0.52 * len(shown), 1.3 + 0.17 * len(groups)), layout="constrained")
    axis = figure.subplots()
    limit = float(np.nanmax(np.abs(grid))) or 1.0
    mesh = axis.imshow(grid.T, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    # white with a black edge is visible on light and on dark cells
    y, x = np.nonzero((q_values <= error_rate).T)
    axis.scatter(x, y, s=14, facecolor="white", edgecolor="black", linewidth=0.8)
    axis.set_xticks(range(len(shown)), shown, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(groups)), [short(group, 34) for _, group in groups], fontsize=7)
    axis.grid(visible=False)
    edges = [i for i in range(1, len(groups)) if groups[i][0] != groups[i - 1][0]]
    for edge in edges:
        axis.axhline(edge - 0.5, color="#222", linewidth=0.8)
    figure.colorbar(mesh, ax=axis, label=CHANGE, shrink=min(1.0, 8 / len(groups) + 0.3))
    return figure


def slopes(results: Results, dataset: str) -> HTML | None:
    """Figure of the accuracy of all rows and of the worst group, one line for each variant."""
    if results.compared(dataset).empty:
        return None
    attributes = list(results.study["datasets"][dataset]["groups"])
    first = results.compared(dataset).iloc[0]
    combination = first[COMPARISON]
    average = where(results.measured("accuracy"), combination)
    worst = {
        a: where(results.measured("worst_group_accuracy", a), combination).dropna(subset="mean") for a in attributes
    }
    worst = {attribute: rows for attribute, rows in worst.items() if len(rows)}
    if not worst:
        return None
    look = looks(results)
    shown = [v for v in results.variant_order if v in set(average["variant"])]
    styles: dict[str, Literal["-", "--"]] = {v: "--" if v in results.noise_floors else "-" for v in shown}
    # the legend of many variants needs more height
    figure, axes = panels(len(worst), height=3.0 + 0.2 * -(-len(shown) // 4) / -(-len(worst) // 2))
    for axis, (attribute, rows) in zip(axes, worst.items(), strict=True):
        for variant in shown:
            ends = [where(part, {"variant": variant}) for part in (average, rows)]
            if min(map(len, ends)):
                means = [ACCURACY.scaled(end.iloc[0]["mean"]) for end in ends]
                colour, marker = look[variant]
                axis.plot([0, 1], means, color=colour, marker=marker, markersize=4, linestyle=styles[variant])
        axis.set_xticks([0, 1], ["all rows", f"worst group by {attribute}"])
        axis.set_xlim(-0.25, 1.25)
        axis.set_ylabel(ACCURACY.heading)
    handles = [Line2D([], [], color=look[v][0], marker=look[v][1], linestyle=styles[v], label=v) for v in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), frameon=False)
    title = results.title(dataset)
    return picture(
        figure,
        f"{title}: accuracy of all rows and of the worst group.",
        f"Slope chart from average to worst-group accuracy for {title}.",
        "Means over seeds. A line steeper than that of the baseline costs the worst group more than the average. A "
        f"line that is lower and flatter shows levelling down. Shown: {place(first)}.",
    )
