"""The report's figures.  They draw what the summaries hold, and compute nothing."""

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


def panels(count: int, width: float = 4.6, height: float = 3.4) -> tuple[Figure, list[Axes]]:
    """A figure with so many axes, two beside each other; sizes in inches."""
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, axes[:count]


def _fillings(results: Results, dataset: str) -> dict[str, Filling]:
    """Augmentation -> how markers are filled; colour and marker tell variants apart."""
    found = results.variants.loc[results.variants["dataset"] == dataset, "augmentation"].unique()
    return dict(zip(sorted(found, key=lambda a: (a != "none", a)), itertools.cycle(FILLINGS), strict=False))


def _legend(figure: Figure, results: Results, dataset: str, cells: pd.DataFrame) -> None:
    look = looks(results)
    shown = [v for v in results.variant_order if v in set(cells["variant"])]
    handles = [Line2D([], [], marker=look[v][1], linestyle="", color=look[v][0], label=v) for v in shown]
    fillings = _fillings(results, dataset)
    if len(fillings) > 1:
        handles += [
            Line2D([], [], marker="o", linestyle="", color="#555", markerfacecoloralt="white", fillstyle=fill, label=f"augmentation {a}")
            for a, fill in fillings.items()
        ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), frameon=False)


def curves(results: Results) -> HTML | None:
    """Validation loss over the epochs, a line a seed; None where nothing was trained."""
    if results.curves.empty:
        return None
    trained = [v for v, stated in results.study["variants"].items() if "train" in stated]
    table = results.curves[results.curves["variant"].isin(trained)]
    if table.empty:
        return None
    combinations = results.ordered(table)[["dataset", "augmentation", "model"]].drop_duplicates()
    figure, axes = panels(len(combinations), height=2.9)
    look = looks(results)
    for axis, (_, keys) in zip(axes, combinations.iterrows(), strict=True):
        same = table[(table[list(keys.index)] == keys).all(axis=1)]
        for (variant, _), line in same.groupby(["variant", "seed"], sort=False):
            colour, marker = look[variant]
            axis.plot(line["epoch"], line["validation_loss"], color=colour, linewidth=0.9, alpha=0.7)
            best = line[line["best"]]
            axis.plot(best["epoch"], best["validation_loss"], marker, color=colour, markersize=4)
        title = f"{results.title(keys['dataset'])}, {keys['augmentation']}, {keys['model']}"
        axis.set_title(textwrap.fill(title, 48), fontsize=9)
        axis.set_xlabel("epoch")
        axis.set_ylabel("validation loss, nats")
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    shown = [v for v in trained if v in set(table["variant"])]
    figure.legend(
        handles=[Line2D([], [], color=look[v][0], marker=look[v][1], markersize=4, label=v) for v in shown],
        loc="outside lower center", ncols=min(len(shown), 5), frameon=False,
    )  # fmt: skip
    caption = "Training: validation loss over the epochs, one line a seed; the marker is the epoch that was kept."
    return picture(figure, caption, "Lines of validation loss over epochs for each dataset and augmentation.")


def trade_off(results: Results, dataset: str) -> HTML | None:
    """Accuracy, and that of the worst group, against bytes to transfer and latency; None where nothing ships."""
    if not results.ships(dataset):
        return None
    attributes = list(results.study["datasets"][dataset]["groups"])
    size = results.study["profile"]["batch_sizes"][0]
    qualities = [("accuracy, %", results.measured("accuracy"))]
    if attributes:
        qualities.append(
            (f"worst group by {attributes[0]}: accuracy, %", results.measured("worst_group_accuracy", attributes[0]))
        )
    prices = [
        ("bytes to transfer, kB (log scale)", results.measured("transfer_bytes"), 1e-3, True),
        (f"latency p50 at batch {size}, µs", results.measured("latency_p50_ms", None, size), 1e3, False),
    ]
    figure, axes = panels(len(qualities) * len(prices))
    cells = pd.DataFrame()
    for axis, (quality, price) in zip(axes, [(q, p) for q in qualities for p in prices], strict=True):
        cells = _scatter(axis, results, dataset, quality, price)
    _legend(figure, results, dataset, cells)
    caption = (
        f"{results.title(dataset)}: what each variant costs and how good it is; up and to the left is better. Points are means "
        "over seeds, bars one standard deviation."
    )
    return picture(figure, caption, f"Scatter plots of accuracy against size and latency for {results.title(dataset)}.")


def _scatter(axis: Axes, results: Results, dataset: str, quality: tuple, price: tuple) -> pd.DataFrame:
    (label_y, above), (label_x, below, scale, logarithmic) = quality, price
    joined = above[above["dataset"] == dataset].merge(below, on=CELL, suffixes=("_y", "_x"))
    look, fillings = looks(results), _fillings(results, dataset)
    for _, point in joined.iterrows():
        colour, marker = look[point["variant"]]
        axis.errorbar(
            point["mean_x"] * scale,
            point["mean_y"] * 100,
            xerr=np.nan_to_num(point["sd_x"]) * scale,
            yerr=np.nan_to_num(point["sd_y"]) * 100,
            fmt=marker,
            color=colour,
            markerfacecoloralt="white",
            fillstyle=fillings[point["augmentation"]],
            markersize=6,
            elinewidth=0.8,
            alpha=0.9,
        )
    if logarithmic:
        plain_log_scale(axis)
    axis.set_xlabel(label_x)
    axis.set_ylabel(label_y)
    return joined


def plain_log_scale(axis: Axes) -> None:
    """Make the horizontal axis logarithmic, with plain numbers on it."""
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
