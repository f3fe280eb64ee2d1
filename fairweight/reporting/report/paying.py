"""Who pays for compression: figures of the comparisons.  They draw what the summaries hold, and compute nothing."""

from html import escape
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fairweight.core.formatting import as_stated, count, missing
from fairweight.core.frames import where
from fairweight.reporting.report.figures import panels
from fairweight.reporting.report.labels import short
from fairweight.reporting.report.page import picture
from fairweight.reporting.report.palette import FLOOR, looks
from fairweight.reporting.report.results import Results

MOST_VARIANTS = 12  # that the picture of intervals shows


def _groups(results: Results, dataset: str, metric: str = "accuracy") -> pd.DataFrame:
    rows = results.compared(dataset)
    return rows[(rows["metric"] == metric) & rows["group"].notna()] if len(rows) else rows


def attributes_of(results: Results, dataset: str, rows: pd.DataFrame) -> list[str]:
    """Declared attributes, and the classes of a label with more than two."""
    declared = list(results.study["datasets"][dataset]["groups"])
    classes = len(_card(results, dataset)["classes"])
    return [a for a in [*declared, *(["class"] if classes > 2 else [])] if a in set(rows["attribute"])]


def _card(results: Results, dataset: str) -> dict[str, Any]:
    return next(card for card in results.cards if card["dataset"] == dataset)


def place(first: pd.Series) -> str:
    """Model, engine and augmentation in words."""
    return f"model {first['model']}, engine {first['engine']}, augmentation {first['augmentation']}"


def who_pays(results: Results, dataset: str) -> HTML | None:
    """Change of each group's accuracy with its interval, over the noise floor, or why there is no such picture.

    None where nothing is compared.
    """
    rows = _groups(results, dataset)
    if rows.empty:
        return None
    attributes = attributes_of(results, dataset, rows)
    if not attributes:
        return _no_groups(results, dataset)
    rows, left_out = _costliest(rows[rows["attribute"].isin(attributes)])
    shown = list(dict.fromkeys(rows["variant"]))
    most = int(rows.groupby("attribute")["group"].nunique().max())
    figure, axes = panels(len(attributes), width=5.4, height=1.1 + (0.18 + 0.13 * len(shown)) * most)
    for axis, attribute in zip(axes, attributes, strict=True):
        _intervals(axis, results, rows[rows["attribute"] == attribute], shown)
        axis.set_title(f"by {attribute}", fontsize=9)
    look = looks(results)
    handles: list[Any] = [Line2D([], [], color=look[v][0], marker=look[v][1], label=v) for v in shown]
    if rows["floor_value"].notna().any():
        handles.append(Patch(color=FLOOR, label="noise floor (95 % interval)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), frameon=False)
    first = rows.iloc[0]
    band = (
        "The grey band is the same interval for a model that is only trained again: what reaches beyond it is more than "
        "retraining does. "
        if rows["floor_value"].notna().any()
        else ""
    )
    caption = (
        f"{results.title(dataset)}, test rows; {place(first)}: change of each group's accuracy against the baseline of the "
        f"same seed. A marker is the mean over {count(int(first['seeds']), 'seed')}, a bar its 95 % interval over seeds and test rows. "
        f"{band}A hollow marker is a group with too few rows to be ranked; n is its number of test rows.{left_out}"
    )
    alternative = f"Dots with intervals: change in accuracy by group and variant for {results.title(dataset)}, over a band of the noise floor."
    return picture(figure, caption, alternative)


def _no_groups(results: Results, dataset: str) -> HTML:
    """Why nothing is said of groups."""
    why = (
        "no test row belongs to one of its groups"
        if results.study["datasets"][dataset]["groups"]
        else "the study file names none (`groups`)"
    )
    text = f"There is no picture of who pays: groups of {results.title(dataset)} cannot be compared, because {why}."
    return HTML(f"<p>{escape(text)}</p>")


def _costliest(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Rows of as many variants as a group has room for, those with the largest losses, and what is said of the others."""
    variants = rows["variant"].nunique()
    if variants <= MOST_VARIANTS:
        return rows, ""
    ranked = rows[rows["status"] == "ok"]
    # without a ranked group those that may be seen; a loss that cannot be computed comes last, and is not left out
    losses = (rows if ranked.empty else ranked).groupby("variant", sort=False)["value"].min().sort_values(kind="stable")
    whose = (
        "group, none of which is ranked, are drawn."
        if ranked.empty
        else "ranked group are drawn; the heat map has all."
    )
    said = f" Of {variants} variants the {MOST_VARIANTS} with the largest loss of a {whose}"
    return rows[rows["variant"].isin(losses.index[:MOST_VARIANTS])], said


def _intervals(axis: Axes, results: Results, rows: pd.DataFrame, shown: list[str]) -> None:
    look = looks(results)
    levels = list(dict.fromkeys(rows["group"]))
    for y, level in enumerate(levels):
        of = rows[rows["group"] == level]
        floor = of.iloc[0]
        if not missing(floor["floor_value"]):
            axis.fill_betweenx(
                [y - 0.42, y + 0.42], floor["floor_low"] * 100, floor["floor_high"] * 100, color=FLOOR, linewidth=0
            )
        for _, row in of.iterrows():
            if missing(row["value"]):
                continue
            offset = (shown.index(row["variant"]) - (len(shown) - 1) / 2) * 0.75 / len(shown)
            colour, marker = look[row["variant"]]
            axis.plot([row["low"] * 100, row["high"] * 100], [y + offset] * 2, color=colour, linewidth=1.2)
            face = colour if row["status"] == "ok" else "white"
            axis.plot(row["value"] * 100, y + offset, marker, color=colour, markerfacecolor=face, markersize=4)
    sizes = rows.drop_duplicates("group").set_index("group")["n"]
    axis.axvline(0, color="#444", linewidth=0.8)
    axis.set_yticks(range(len(levels)), [f"{short(level, 26)} (n = {int(sizes[level]):,})" for level in levels])
    axis.set_ylim(len(levels) - 0.45, -0.55)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("change of accuracy, points")


def heat_map(results: Results, dataset: str) -> HTML | None:
    """Change of accuracy, variant by group, intersections too, or why no group is in it; a dot marks what is more than chance.

    None where no groups are compared.
    """
    rows = _groups(results, dataset)
    if rows.empty or not attributes_of(results, dataset, rows):
        return None
    rows = rows[(rows["attribute"] != "class") | (len(_card(results, dataset)["classes"]) > 2)]
    rows = rows[rows["status"] == "ok"]
    if rows.empty:
        least = results.study["fairness"]["smallest_group"]
        text = f"There is no heat map of groups: each group of {results.title(dataset)} has fewer than {least:,} test rows (`smallest_group`)."
        return HTML(f"<p>{escape(text)}</p>")
    shown = list(dict.fromkeys(rows["variant"]))
    columns = list(dict.fromkeys(zip(rows["attribute"], rows["group"], strict=True)))
    values = rows.set_index(["variant", "attribute", "group"])
    grid = np.array([[values["value"].get((v, *c), np.nan) * 100 for c in columns] for v in shown])
    sure = np.array([[values["q_value"].get((v, *c), np.nan) for c in columns] for v in shown]) <= results.study["criteria"]["error_rate"]  # fmt: skip
    figure = Figure(figsize=(2.6 + 0.52 * len(shown), 1.3 + 0.17 * len(columns)), layout="constrained")
    axis = figure.subplots()
    limit = float(np.nanmax(np.abs(grid))) or 1.0
    mesh = axis.imshow(grid.T, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    # a dot is seen on light and on dark cells
    y, x = np.nonzero(sure.T)
    axis.scatter(x, y, s=14, facecolor="white", edgecolor="black", linewidth=0.8)
    axis.set_xticks(range(len(shown)), shown, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(columns)), [f"{short(g, 34)}" for _, g in columns], fontsize=7)
    axis.grid(visible=False)
    edges = [i for i in range(1, len(columns)) if columns[i][0] != columns[i - 1][0]]
    for edge in edges:
        axis.axhline(edge - 0.5, color="#222", linewidth=0.8)
    figure.colorbar(mesh, ax=axis, label="change of accuracy, points", shrink=min(1.0, 8 / len(columns) + 0.3))
    rate = as_stated(results.study["criteria"]["error_rate"], 100)
    caption = (
        f"{results.title(dataset)}; {place(rows.iloc[0])}: change of accuracy of every group with enough rows, and of every "
        f"pair of groups; red is a loss. A dot: more than chance at a false discovery rate of {rate} % within the variant and attribute."
    )
    return picture(figure, caption, f"Heat map of change in accuracy, variant by group, for {results.title(dataset)}.")


def slopes(results: Results, dataset: str) -> HTML | None:
    """From the accuracy of all rows to that of the worst group, a line a variant."""
    if results.compared(dataset).empty:
        return None
    attributes = list(results.study["datasets"][dataset]["groups"])
    first = results.compared(dataset).iloc[0]
    key = first[["dataset", "augmentation", "model", "engine"]]
    average = where(results.measured("accuracy"), key)
    drawn = {a: where(results.measured("worst_group_accuracy", a), key).dropna(subset="mean") for a in attributes}
    drawn = {a: rows for a, rows in drawn.items() if len(rows)}
    if not drawn:
        return None
    look = looks(results)
    shown = [v for v in results.variant_order if v in set(average["variant"])]
    # the legend of many variants takes room of its own
    figure, axes = panels(len(drawn), width=4.2, height=3.0 + 0.2 * -(-len(shown) // 4) / -(-len(drawn) // 2))
    for axis, (attribute, worst) in zip(axes, drawn.items(), strict=True):
        for variant in shown:
            ends = [where(t, {"variant": variant}) for t in (average, worst)]
            if min(map(len, ends)):
                line = "--" if variant in results.noise_floors else "-"
                axis.plot(
                    [0, 1],
                    [e.iloc[0]["mean"] * 100 for e in ends],
                    color=look[variant][0],
                    marker=look[variant][1],
                    markersize=4,
                    linestyle=line,
                )
        axis.set_xticks([0, 1], ["all rows", f"worst group by {attribute}"])
        axis.set_xlim(-0.25, 1.25)
        axis.set_ylabel("accuracy, %")
    handles = [
        Line2D(
            [], [], color=look[v][0], marker=look[v][1], linestyle="--" if v in results.noise_floors else "-", label=v
        )
        for v in shown
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), frameon=False)
    caption = (
        f"{results.title(dataset)}; {place(first)}: mean over seeds of the accuracy of all rows and of the worst group. A line "
        "that falls more steeply than the baseline's costs the worst group more than the average; a line that is lower and "
        "flatter levels down."
    )
    return picture(figure, caption, f"Slope chart from average to worst-group accuracy for {results.title(dataset)}.")
