"""Break-even of variants: the number of predictions after which a variant has saved the extra energy of making it."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fairweight.core.formatting import TWO_LINES, Writer, missing, significant, with_interval
from fairweight.core.frames import where
from fairweight.reporting.report.figures import panels
from fairweight.reporting.report.page import picture, table
from fairweight.reporting.report.palette import COLOURS
from fairweight.reporting.report.results import Results, place, varying
from fairweight.statistics.break_even import JOINT_CONFIDENCE

SCOPES = {"making": COLOURS[0], "making and search": COLOURS[1]}
MEANING = "predictions after which a variant has saved the extra energy of making it (modelled)"
JOINT = f"{JOINT_CONFIDENCE:.0%}".replace("%", "\N{NO-BREAK SPACE}%")
AT_ONCE = Writer(interval=TWO_LINES.interval.replace("{value}", "at once"))  # for an estimate of 0 predictions


def intervals(results: Results, dataset: str) -> HTML | None:
    """Figure of the break-even of each variant, one panel for each batch size; None where nothing is compared."""
    rows = results.first_combination(results.break_even, dataset)
    rows = rows[~rows["variant"].isin(results.noise_floors)]
    if rows.empty:
        return None
    sizes = list(dict.fromkeys(rows["batch_size"]))
    shown = [v for v in results.variant_order if v in set(rows["variant"])]
    figure, axes = panels(len(sizes), height=1.1 + 0.42 * len(shown))
    known = rows[["low", "predictions", "high"]].to_numpy(float)
    known = known[np.isfinite(known) & (known > 0)]
    start, end = (known.min() / 10, known.max() * 100) if len(known) else (1.0, 1e6)
    for axis, size in zip(axes, sizes, strict=True):
        _draw(axis, rows[rows["batch_size"] == size], shown, start, end)
        axis.set_title(f"batch {size}", fontsize=9)
    handles: list[Any] = [Line2D([], [], marker="o", color=colour, label=scope) for scope, colour in SCOPES.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    notes = (
        f"Lines hold with at least {JOINT}. The extra cost is that of making one model, or that of the whole search "
        "for it. A line that ends in an arrow has no upper bound: it is undecided whether a prediction saves energy. "
        f"Shown: {place(rows.iloc[0])}."
    )
    title = results.title(dataset)
    return picture(
        figure, f"{title}: {MEANING}.", f"Intervals of the break-even of each variant for {title}.", notes=notes
    )


def _draw(axis: Axes, rows: pd.DataFrame, shown: list[str], start: float, end: float) -> None:
    """Draw the break-even of the variants at one batch size, between `start` and `end` predictions."""
    for row in rows.to_dict("records"):
        y = shown.index(row["variant"]) + (-0.17 if row["scope"] == "making" else 0.17)
        colour, low = SCOPES[row["scope"]], max(start, 0.0 if missing(row["low"]) else row["low"])
        if row["status"] == "after":
            axis.plot([low, max(row["high"], start)], [y, y], color=colour, linewidth=1.4)
            axis.plot(max(row["predictions"], start), y, "o", color=colour, markersize=4.5)
        elif row["status"] == "undecided":
            axis.annotate("", (end, y), (low, y), arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.0})
        elif row["status"] == "at once":
            axis.plot(start, y, "o", color=colour, markersize=4.5)
            axis.text(start * 1.6, y, "at once", fontsize=8, va="center", color="#222")
        else:
            axis.text(end, y, row["status"], fontsize=8, va="center", ha="right", color="#222")
    axis.set_xscale("log")
    axis.set_xlim(start * 0.7, end * 1.4)
    axis.xaxis.set_major_locator(mpl.ticker.LogLocator(numticks=6))
    axis.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(_abbreviated))
    axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axis.set_yticks(range(len(shown)), shown)
    axis.set_ylim(len(shown) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("Predictions")


def _abbreviated(value: float, _: int) -> str:
    """A large number with a letter for its power of ten: 1k, 1M, 1G, 1T."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def predictions(results: Results, dataset: str) -> HTML | None:
    """Table of the break-even of every variant; None where nothing is compared."""
    rows = results.ordered(where(results.break_even, {"dataset": dataset}))
    rows = rows[~rows["variant"].isin(results.noise_floors)]
    if rows.empty:
        return None
    keys = varying(rows, ("model", "augmentation", "engine"))
    cells = [
        [*key[:-1], f"{key[-1]}", *(in_words(where(part, {"scope": scope}).iloc[0]) for scope in SCOPES)]
        for key, part in rows.groupby(["variant", *keys, "batch_size"], sort=False)
    ]
    factors = results.study["life_cycle"] | results.study.get("decision", {})
    notes = (
        'Energy is modelled from CPU-seconds. "At once": the variant costs no more than its baseline. "Never": a '
        'prediction does not save energy. "Undecided": the interval of the ratio of a prediction\'s energy to the '
        "baseline's includes 1; the number is then the earliest break-even. What a prediction saves is the baseline's "
        "energy x (1 - ratio), with the bounds of that ratio; the extra cost has a t interval over seeds. Each of the "
        f"two holds with 95 %, so that small numbers, the interval of their quotient, hold with at least {JOINT}. "
        f"Storage and transfer are included (years: {factors['years']:g}, downloads: {factors['downloads']:g})."
    )
    header = ["Variant", *map(str.capitalize, keys), "Batch", "Making one model", "With the whole search"]
    caption = f"{results.title(dataset)}: {MEANING}."
    return table(header, cells, caption, notes=notes, text_columns=1 + len(keys))


def in_words(row: Any) -> str:
    """A break-even in words; what follows a line break is its interval."""
    if row["status"] == "undecided" and row["low"]:
        return f"undecided\nfrom {significant(row['low'])}"
    if row["status"] != "after":
        return str(row["status"])
    writer = TWO_LINES if row["predictions"] else AT_ONCE
    return with_interval(row["predictions"], row["low"], row["high"], writer=writer, write=significant)
