"""Figures of an article: one column wide, with text as text. They draw what the summaries hold and compute nothing."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fairweight.core.artifacts import atomic
from fairweight.core.formatting import count, missing
from fairweight.core.frames import where
from fairweight.core.lineage import CELL, COMPARISON
from fairweight.core.shown_measures import MEASURES
from fairweight.reporting.report import palette
from fairweight.reporting.report.labels import short
from fairweight.reporting.report.results import Results

WIDTH = 3.35  # inches: a column of the common two-column layouts
# for letters that DejaVu lacks, where they are installed
FALLBACKS = ("Droid Sans Fallback", "Noto Sans CJK SC", "Noto Sans CJK JP", "Symbola", "Noto Emoji")
LONGEST = 30  # characters of a name before it is cut
LONGEST_GROUP = 22
POWERS = {1.0: "1", 1e3: "1k", 1e6: "1M", 1e9: "1G", 1e12: "1T"}  # labels of an axis of predictions
MOST_PREDICTIONS = max(POWERS)
ACCURACY, SIZE = MEASURES["accuracy"], MEASURES["transfer_bytes"]


def style() -> Any:
    """Settings under which figures are drawn and saved."""
    _look_for_fonts()
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return {
        "font.family": ["DejaVu Sans", *(f for f in FALLBACKS if f in installed)],
        "font.size": 7,
        "axes.titlesize": 7,
        "legend.fontsize": 6.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e3e7ea",
        "grid.linewidth": 0.5,
        "lines.markersize": 4,
        "text.parse_math": False,  # a name with dollar signs is a name
        "pdf.fonttype": 42,  # TrueType: text that can be searched and copied
        "svg.fonttype": "none",
        "svg.hashsalt": "fairweight",
    }


@functools.cache
def _look_for_fonts() -> None:
    """Register fallback fonts that were installed after Matplotlib made its list."""
    stems = tuple(name.replace(" ", "").removesuffix("SC").removesuffix("JP") for name in FALLBACKS)
    for path in font_manager.findSystemFonts():
        if Path(path).stem.replace("-", "").startswith(stems):
            font_manager.fontManager.addfont(path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PDF and SVG beside each other, the same bytes each time."""
    without_dates = {".pdf": {"CreationDate": None, "Creator": None, "Producer": None}, ".svg": {"Date": None}}
    for suffix, metadata in without_dates.items():
        with atomic(path.with_suffix(suffix)) as temporary, mpl.rc_context(style()):
            figure.savefig(temporary, format=suffix[1:], metadata=metadata)


def figures(results: Results, dataset: str) -> Iterator[tuple[str, Figure, str]]:
    """(name, figure, caption) of every figure of a dataset."""
    with mpl.rc_context(style()):
        for name, draw in (("trade-off", trade_off), ("who-pays", who_pays), ("winners", winners)):
            if drawn := draw(results, dataset):
                yield name, *drawn


def first_cell(results: Results, dataset: str) -> pd.Series:
    """Model, engine and augmentation that the figures of a dataset show: the first; augmentation `none` comes first."""
    cells = results.variants[results.variants["dataset"] == dataset][CELL].drop_duplicates()
    return results.ordered(cells).iloc[0][COMPARISON]


def _over_seeds(seeds: int) -> str:
    return f"over {count(seeds, 'seed')}"


# ---- the winner by the number of predictions


def winners(results: Results, dataset: str) -> tuple[Figure, str] | None:
    """Variant with the least life-cycle energy by the number of predictions; None where no file ships."""
    rows = results.crossings[results.crossings["dataset"] == dataset]
    if rows.empty:
        return None
    places = {place: part.sort_values("predictions") for place, part in rows.groupby(list(COMPARISON), sort=False)}
    figure = Figure(figsize=(WIDTH, 0.95 + 0.3 * len(places)), layout="constrained")
    axis = figure.subplots()
    shown: dict[str, str] = {}  # winner -> colour
    ordered = sorted(places.items(), key=lambda item: (*item[0][2:], item[0][1] != "none", item[0][1]))
    for y, (_, part) in enumerate(ordered):
        ends = [*part["predictions"].iloc[1:], MOST_PREDICTIONS]
        for winner, start, end in zip(part["winner"], part["predictions"], ends, strict=True):
            colour = shown.setdefault(winner, _colour(results, winner))
            axis.barh(y, end - start, left=start, height=0.6, color=colour, linewidth=0)
    assumed = results.study["decision"]["predictions"]
    axis.axvline(max(assumed, 1), color="#222", linewidth=0.8, linestyle="--")
    axis.set_xscale("log")
    axis.set_xlim(1, MOST_PREDICTIONS)
    axis.set_xticks(list(POWERS), list(POWERS.values()))
    axis.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    keys = [i for i, name in enumerate(COMPARISON) if name != "dataset" and rows[name].nunique() > 1]
    axis.set_yticks(range(len(ordered)), [short(", ".join(place[i] for i in keys), LONGEST) for place, _ in ordered])
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("Predictions (log scale)")
    handles = [Patch(color=colour, label=short(winner, LONGEST)) for winner, colour in shown.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 3), frameon=False)
    return figure, (
        f"{results.title(dataset)}: the winner by modelled life-cycle energy, by the number of predictions, among the "
        "proven variants and the baseline. The dashed line is the number that the study assumes."
    )


def _colour(results: Results, winner: str) -> str:
    """Colour of a winner; one with another augmentation has its augmentation in parentheses."""
    looks = palette.looks(results)
    return looks[winner if winner in looks else winner.rpartition(" (")[0]][0]


# ---- the trade-off of accuracy and size


def trade_off(results: Results, dataset: str) -> tuple[Figure, str] | None:
    """Accuracy of all rows, and of the worst group, against bytes to transfer; None where nothing ships."""
    if not results.ships(dataset):
        return None
    shown = _accuracies(results, dataset)
    size = where(results.measured(SIZE.key), first_cell(results, dataset))
    figure = Figure(figsize=(WIDTH, 1.65 * len(shown) + 0.55), layout="constrained")
    axes = figure.subplots(len(shown), sharex=True, squeeze=False)[:, 0]
    for axis, (title, table) in zip(axes, shown.items(), strict=True):
        _points(axis, results, table.merge(size, on=CELL, suffixes=("", "_x")))
        axis.set_ylabel(f"{ACCURACY.heading}\n{title}")
    _size_axis(axes[-1], size["mean"])
    looks = palette.looks(results)
    variants = [v for v in results.variant_order if v in set(size["variant"])]
    handles = [
        Line2D([], [], linestyle="", marker=looks[v][1], color=looks[v][0], label=short(v, LONGEST)) for v in variants
    ]
    columns = 2 if max(len(v) for v in variants) > 12 else 3
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), columns), frameon=False)
    seeds = int(next(iter(shown.values()))["n"].max())
    return figure, (
        f"{results.title(dataset)}: accuracy on test rows against bytes to transfer (zstd, level 19); up and to the "
        f"left is better. Points are means {_over_seeds(seeds)}, bars one standard deviation; a ring marks the variant "
        "that is recommended."
    )


def _accuracies(results: Results, dataset: str) -> dict[str, pd.DataFrame]:
    """Title of each panel -> accuracies: of all rows, and of the worst group by the first attribute that has one."""
    key = first_cell(results, dataset)
    shown = {"all rows": where(results.measured(ACCURACY.key), key)}
    for attribute in results.study["datasets"][dataset]["groups"]:
        worst = where(results.measured("worst_group_accuracy", attribute), key).dropna(subset="mean")
        if len(worst):
            return shown | {f"worst group by {short(attribute, LONGEST)}": worst}
    return shown


def _points(axis: Axes, results: Results, table: pd.DataFrame) -> None:
    """A point for each variant, with a ring around the one that is recommended."""
    looks, decided = palette.looks(results), results.decisions
    recommended = set(where(decided[decided["recommended"].astype(bool)], table.iloc[0][COMPARISON])["variant"])
    for _, point in table.iterrows():
        colour, marker = looks[point["variant"]]
        size, accuracy = SIZE.scaled(point["mean_x"]), ACCURACY.scaled(point["mean"])
        spread = ACCURACY.scaled(np.nan_to_num(point["sd"]))
        axis.errorbar(size, accuracy, yerr=spread, fmt=marker, color=colour, elinewidth=0.7)
        if point["variant"] in recommended:
            axis.plot(size, accuracy, "o", markersize=9, markerfacecolor="none", color="#222", markeredgewidth=0.8)


def _size_axis(axis: Axes, sizes: pd.Series) -> None:
    axis.set_xscale("log")
    wide = sizes.max() > 8 * sizes.min()
    axis.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5) if wide else (1, 1.5, 2, 3, 4, 5, 6, 8)))
    axis.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axis.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axis.margins(x=0.08)
    axis.set_xlabel(f"{SIZE.heading} (log scale)")


# ---- who pays


def who_pays(results: Results, dataset: str) -> tuple[Figure, str] | None:
    """Change of each group's accuracy with its interval, over the noise floor; None where nothing is compared."""
    rows = results.compared(dataset)
    attributes = list(results.study["datasets"][dataset]["groups"])
    if len(rows):
        rows = rows[(rows["metric"] == "accuracy") & rows["group"].notna() & rows["attribute"].isin(attributes)]
    if rows.empty:
        return None
    groups = list(dict.fromkeys(zip(rows["attribute"], rows["group"], strict=True)))
    variants = list(dict.fromkeys(rows["variant"]))
    height = 0.75 + len(groups) * (0.14 + 0.085 * len(variants))
    figure = Figure(figsize=(WIDTH, min(height, 8.5)), layout="constrained")
    axis = figure.subplots()
    labels = []
    for y, (attribute, group) in enumerate(groups):
        group_rows = rows[(rows["attribute"] == attribute) & (rows["group"] == group)]
        _intervals(axis, results, y, group_rows, variants)
        labels.append(f"{short(group, LONGEST_GROUP)} (n = {int(group_rows.iloc[0]['n']):,})")
    axis.set_yticks(range(len(groups)), labels)
    _style_groups(axis, [attribute for attribute, _ in groups])
    has_floor = bool(rows["floor_low"].notna().any())
    handles = _legend_of_variants(results, variants, has_floor)
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    band = (
        " The grey band is the 95 % prediction interval of one model that is only trained again; it is about single "
        "models, the points are means."
        if has_floor
        else ""
    )
    return figure, (
        f"{results.title(dataset)}: change of each group's accuracy against the baseline of the same seed, mean "
        f"{_over_seeds(int(rows['seeds'].max()))} with 95 % intervals over seeds and test rows, by "
        f"{', '.join(attributes)}.{band} Hollow: too few rows to be ranked."
    )


def _intervals(axis: Axes, results: Results, y: int, rows: pd.DataFrame, variants: list[str]) -> None:
    """Change of one group's accuracy by each variant, over the noise floor."""
    looks, first = palette.looks(results), rows.iloc[0]
    if not missing(first["floor_low"]):
        low, high = (ACCURACY.scaled(first[f"floor_{end}"]) for end in ("low", "high"))
        axis.fill_betweenx([y - 0.44, y + 0.44], low, high, color=palette.FLOOR, linewidth=0)
    for _, row in rows.iterrows():
        if missing(row["value"]):
            continue
        colour, marker = looks[row["variant"]]
        at = y + (variants.index(row["variant"]) - (len(variants) - 1) / 2) * 0.78 / len(variants)
        value, low, high = (ACCURACY.scaled(row[key]) for key in ("value", "low", "high"))
        axis.plot([low, high], [at, at], color=colour, linewidth=0.9)
        face = colour if row["status"] == "ok" else "white"
        axis.plot(value, at, marker, color=colour, markerfacecolor=face, markersize=3)


def _style_groups(axis: Axes, attributes: list[str]) -> None:
    """Limits and lines of an axis with a row for each group, given the attribute of each."""
    axis.set_ylim(len(attributes) - 0.45, -0.55)
    axis.grid(axis="y", visible=False)
    axis.axvline(0, color="#444", linewidth=0.7)
    for y in range(1, len(attributes)):
        if attributes[y] != attributes[y - 1]:
            axis.axhline(y - 0.5, color="#999", linewidth=0.5)
    axis.set_xlabel("Change of accuracy, points")


def _legend_of_variants(results: Results, variants: list[str], has_floor: bool) -> list[Any]:
    looks = palette.looks(results)
    handles: list[Any] = [
        Line2D([], [], marker=looks[v][1], color=looks[v][0], label=short(v, LONGEST)) for v in variants
    ]
    return handles + ([Patch(color=palette.FLOOR, label="one retraining")] if has_floor else [])
