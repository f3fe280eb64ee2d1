"""Figures of training and of the trade-off between quality and resource usage. They draw what the summaries hold."""

import itertools
import textwrap
from typing import Literal, get_args

import matplotlib as mpl
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fairweight.core.lineage import CELL
from fairweight.core.shown_measures import measure
from fairweight.reporting.report.columns import Column
from fairweight.reporting.report.page import picture
from fairweight.reporting.report.palette import looks
from fairweight.reporting.report.results import Results

mpl.rcParams.update(
    {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "text.parse_math": False,  # a name with dollar signs is a name
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#e3e7ea",
        "axes.axisbelow": True,
        "svg.hashsalt": "fairweight",
    }
)

Filling = Literal["full", "none", "left", "bottom", "right", "top"]
FILLINGS: tuple[Filling, ...] = get_args(Filling)
FULL_WIDTH = 10.2  # of a figure, in inches
PADDING = {"w_pad": 0.1, "h_pad": 0.1}  # around each panel, in inches
WIDE = 6.0  # ratio of largest to smallest value from which a logarithmic axis has ticks at 1, 2 and 5


def panels(count: int, height: float = 3.4) -> tuple[Figure, list[Axes]]:
    """A figure of the full width of the page, with `count` axes in up to two columns.

    Args:
        count: number of axes.
        height: of one of them, in inches.
    """
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = Figure(figsize=(FULL_WIDTH, height * rows), layout="constrained")
    figure.get_layout_engine().set(**PADDING)  # type: ignore[union-attr]  # `layout` has set it
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, axes[:count]


def _fillings(results: Results, dataset: str) -> dict[str, Filling]:
    """Augmentation -> how markers are filled; colour and marker identify the variant."""
    augmentations = results.variants.loc[results.variants["dataset"] == dataset, "augmentation"].unique()
    in_order = sorted(augmentations, key=lambda a: (a != "none", a))
    return dict(zip(in_order, itertools.cycle(FILLINGS), strict=False))


def _legend(figure: Figure, results: Results, dataset: str, cells: pd.DataFrame) -> None:
    look = looks(results)
    shown = [v for v in results.variant_order if v in set(cells["variant"])]
    handles = [Line2D([], [], marker=look[v][1], linestyle="", color=look[v][0], label=v) for v in shown]
    fillings = _fillings(results, dataset)
    if len(fillings) > 1:
        handles += [
            Line2D(
                [],
                [],
                marker="o",
                linestyle="",
                color="#555",
                markerfacecoloralt="white",
                fillstyle=filling,
                label=f"augmentation {augmentation}",
            )
            for augmentation, filling in fillings.items()
        ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), frameon=False)


def curves(results: Results) -> HTML | None:
    """Figure of the validation loss over the epochs, one line for each seed; None where nothing was trained."""
    trained = results.trained_from_data
    table = results.curves[results.curves["variant"].isin(trained)] if len(results.curves) else results.curves
    if table.empty:
        return None
    combinations = results.ordered(table)[["dataset", "augmentation", "model"]].drop_duplicates()
    figure, axes = panels(len(combinations), height=2.9)
    look = looks(results)
    for axis, (_, keys) in zip(axes, combinations.iterrows(), strict=True):
        _draw_curves(axis, table[(table[list(keys.index)] == keys).all(axis=1)], look)
        title = f"{results.title(keys['dataset'])}, {keys['model']}, augmentation {keys['augmentation']}"
        axis.set_title(textwrap.fill(title, 48), fontsize=9)
    shown = [v for v in trained if v in set(table["variant"])]
    handles = [Line2D([], [], color=look[v][0], marker=look[v][1], markersize=4, label=v) for v in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(shown), 5), frameon=False)
    return picture(
        figure,
        "Validation loss during training.",
        "Lines of validation loss over epochs for each dataset and augmentation.",
        "Each line is one seed; the marker is the epoch whose weights were kept.",
    )


def _draw_curves(axis: Axes, table: pd.DataFrame, look: dict[str, tuple[str, str]]) -> None:
    for (variant, _), line in table.groupby(["variant", "seed"], sort=False):
        colour, marker = look[variant]
        axis.plot(line["epoch"], line["validation_loss"], color=colour, linewidth=0.9, alpha=0.7)
        best = line[line["best"]]
        axis.plot(best["epoch"], best["validation_loss"], marker, color=colour, markersize=4)
    axis.set_xlabel("Epoch")
    axis.set_ylabel(f"Validation loss, {measure('log_loss').unit}")
    axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))


def trade_off(results: Results, dataset: str) -> HTML | None:
    """Figure of accuracy, and of the worst group's, against transfer size and latency; None where nothing ships."""
    if not results.ships(dataset):
        return None
    attributes = list(results.study["datasets"][dataset]["groups"])
    size = results.study["profile"]["batch_sizes"][0]
    qualities = [Column("accuracy")]
    if attributes:
        qualities.append(Column("worst_group_accuracy", attributes[0]))
    usages = [Column("transfer_bytes"), Column("latency_p50_ms", batch_size=size)]
    figure, axes = panels(len(qualities) * len(usages))
    cells = pd.DataFrame()
    for axis, (quality, usage) in zip(axes, itertools.product(qualities, usages), strict=True):
        cells = _scatter(axis, results, dataset, quality, usage)
    for axis in axes[:: len(usages)]:
        plain_log_scale(axis)
    _legend(figure, results, dataset, cells)
    title = results.title(dataset)
    return picture(
        figure,
        f"{title}: accuracy against transfer size and latency.",
        f"Scatter plots of accuracy against size and latency for {title}.",
        "Up and to the left is better. Points are means over seeds, bars one standard deviation.",
    )


def _scatter(axis: Axes, results: Results, dataset: str, quality: Column, usage: Column) -> pd.DataFrame:
    """Draw the variants of a dataset, quality against resource usage, and return their rows."""
    above = quality.rows(results)
    joined = above[above["dataset"] == dataset].merge(usage.rows(results), on=CELL, suffixes=("_y", "_x"))
    look, fillings = looks(results), _fillings(results, dataset)
    for _, point in joined.iterrows():
        colour, marker = look[point["variant"]]
        axis.errorbar(
            usage.record.scaled(point["mean_x"]),
            quality.record.scaled(point["mean_y"]),
            xerr=usage.record.scaled(np.nan_to_num(point["sd_x"])),
            yerr=quality.record.scaled(np.nan_to_num(point["sd_y"])),
            fmt=marker,
            color=colour,
            markerfacecoloralt="white",
            fillstyle=fillings[point["augmentation"]],
            markersize=6,
            elinewidth=0.8,
            alpha=0.9,
        )
    axis.set_xlabel(usage.heading)
    axis.set_ylabel(quality.heading)
    return joined


def plain_log_scale(axis: Axes) -> None:
    """Make the horizontal axis logarithmic, with plain numbers on it; call it after the points are drawn."""
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    ticker = mpl.ticker
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)) if high > WIDE * low else ticker.MaxNLocator(5))
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axis.xaxis.set_minor_locator(ticker.NullLocator())
    axis.set_xlabel(f"{axis.get_xlabel()} (log scale)")
