"""The report's figures.  They draw what the summaries hold, and compute nothing."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fairweight.report.page import picture
from fairweight.report.results import Results, where
from fairweight.summaries import CELL

# Okabe & Ito 2008: told apart with every kind of colour vision
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#8B6F00"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]

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


def _panels(count: int, width: float = 4.6, height: float = 3.4) -> tuple[Figure, list[Axes]]:
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, axes[:count]


def _style(results: Results) -> dict[str, str]:
    return {variant: COLOURS[i % len(COLOURS)] for i, variant in enumerate(results.variant_order)}


def _legend(figure: Figure, results: Results, cells: pd.DataFrame) -> None:
    colours = _style(results)
    shown = [v for v in results.variant_order if v in set(cells["variant"])]
    handles = [Line2D([], [], marker="o", linestyle="", color=colours[v], label=v) for v in shown]
    augmentations = sorted(cells["augmentation"].unique(), key=lambda a: (a != "none", a))
    if len(augmentations) > 1:
        handles += [
            Line2D([], [], marker=MARKERS[i % len(MARKERS)], linestyle="", color="#555", markerfacecolor="none", label=f"augmentation {a}")
            for i, a in enumerate(augmentations)
        ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), frameon=False)


def curves(results: Results) -> HTML | None:
    """Validation loss over the epochs, a line a seed; None where nothing was trained."""
    if results.curves.empty:
        return None
    trained = [v for v, stated in results.study["variants"].items() if "train" in stated]
    table = results.curves[results.curves["variant"].isin(trained)]
    combinations = results.ordered(table)[["dataset", "augmentation", "model"]].drop_duplicates()
    figure, axes = _panels(len(combinations), height=2.9)
    colours = _style(results)
    for axis, (_, keys) in zip(axes, combinations.iterrows(), strict=True):
        same = table[(table[list(keys.index)] == keys).all(axis=1)]
        for (variant, _), line in same.groupby(["variant", "seed"], sort=False):
            axis.plot(line["epoch"], line["validation_loss"], color=colours[variant], linewidth=0.9, alpha=0.7)
            best = line[line["best"]]
            axis.plot(best["epoch"], best["validation_loss"], "o", color=colours[variant], markersize=3)
        axis.set_title(f"{results.title(keys['dataset'])}, {keys['augmentation']}, {keys['model']}", fontsize=9)
        axis.set_xlabel("epoch")
        axis.set_ylabel("validation loss, nats")
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    shown = [v for v in trained if v in set(table["variant"])]
    figure.legend(
        handles=[Line2D([], [], color=colours[v], label=v) for v in shown],
        loc="outside lower center", ncols=max(1, len(shown)), frameon=False,
    )  # fmt: skip
    caption = "Training: validation loss over the epochs, one line a seed; the dot is the epoch that was kept."
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
    figure, axes = _panels(len(qualities) * len(prices))
    cells = pd.DataFrame()
    for axis, (quality, price) in zip(axes, [(q, p) for q in qualities for p in prices], strict=True):
        cells = _scatter(axis, results, dataset, quality, price)
    _legend(figure, results, cells)
    caption = (
        f"{results.title(dataset)}: what each variant costs and how good it is; up and to the left is better. Points are means "
        "over seeds, bars one standard deviation."
    )
    return picture(figure, caption, f"Scatter plots of accuracy against size and latency for {results.title(dataset)}.")


def _scatter(axis: Axes, results: Results, dataset: str, quality: tuple, price: tuple) -> pd.DataFrame:
    (label_y, above), (label_x, below, scale, logarithmic) = quality, price
    joined = above[above["dataset"] == dataset].merge(below, on=CELL, suffixes=("_y", "_x"))
    colours = _style(results)
    augmentations = sorted(joined["augmentation"].unique(), key=lambda a: (a != "none", a))
    for _, point in joined.iterrows():
        axis.errorbar(
            point["mean_x"] * scale,
            point["mean_y"] * 100,
            xerr=np.nan_to_num(point["sd_x"]) * scale,
            yerr=np.nan_to_num(point["sd_y"]) * 100,
            fmt=MARKERS[augmentations.index(point["augmentation"]) % len(MARKERS)],
            color=colours[point["variant"]],
            markerfacecolor="white" if point["augmentation"] != "none" else colours[point["variant"]],
            markersize=6,
            elinewidth=0.8,
            alpha=0.9,
        )
    if logarithmic:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axis.set_xlabel(label_x)
    axis.set_ylabel(label_y)
    return joined


def groups(results: Results, dataset: str) -> HTML | None:
    """Change of each group's accuracy against the baseline, a dot a seed; None without groups or variants to compare."""
    rows = results.changes[(results.changes["dataset"] == dataset) & (results.changes["measure"] == "accuracy")]
    rows = rows[rows["group"].notna()]
    if rows.empty:
        return None
    # one model, engine and augmentation (the first: none, where there is none): a dot is a seed
    first = results.ordered(rows).iloc[0]
    rows = where(rows, first[["model", "engine", "augmentation"]])
    attributes = list(dict.fromkeys(rows["attribute"]))
    shown = [v for v in results.variant_order if v in set(rows["variant"])]
    most = rows.groupby("attribute")["group"].nunique().max()
    figure, axes = _panels(len(attributes), width=5.2, height=1.0 + (0.16 + 0.11 * len(shown)) * most)
    colours = _style(results)
    for axis, attribute in zip(axes, attributes, strict=True):
        _changes(axis, results, rows[rows["attribute"] == attribute], shown, colours)
        axis.set_title(attribute, fontsize=9)
    figure.legend(
        handles=[Line2D([], [], marker="o", linestyle="", color=colours[v], label=v) for v in shown],
        loc="outside lower center", ncols=min(len(shown), 5), frameon=False,
    )  # fmt: skip
    caption = (
        f"{results.title(dataset)}, test rows; model {first['model']}, engine {first['engine']}, augmentation "
        f"{first['augmentation']}: how much each group's accuracy changes against the baseline of the same seed. A dot is a "
        "seed, a bar their mean; n is the number of test rows of the group."
    )
    return picture(figure, caption, f"Dots of change in accuracy by group and variant for {results.title(dataset)}.")


def _changes(axis: Axes, results: Results, rows: pd.DataFrame, shown: list[str], colours: dict[str, str]) -> None:
    test = results.assessments
    same = (test["dataset"] == rows["dataset"].iloc[0]) & (test["attribute"] == rows["attribute"].iloc[0])
    sizes = (
        test[same & (test["part"] == "test") & (test["metric"] == "accuracy")]
        .drop_duplicates("group")
        .set_index("group")["n"]
    )
    means = results.variants[results.variants["measure"] == "accuracy"]
    levels = list(dict.fromkeys(rows["group"]))
    for i, variant in enumerate(shown):
        offset = (i - (len(shown) - 1) / 2) * 0.8 / len(shown)
        for y, level in enumerate(levels):
            cell = rows[(rows["variant"] == variant) & (rows["group"] == level)]
            axis.plot(
                cell["value"] * 100,
                np.full(len(cell), y + offset),
                ".",
                color=colours[variant],
                markersize=4,
                alpha=0.6,
            )
            mean = means.merge(cell[[*CELL, "attribute", "group"]].drop_duplicates())
            axis.plot(
                mean["change_mean"] * 100,
                np.full(len(mean), y + offset),
                "|",
                color=colours[variant],
                markersize=8,
                mew=1.8,
            )
    axis.axvline(0, color="#444", linewidth=0.8)
    axis.set_yticks(range(len(levels)), [f"{level} (n = {sizes[level]:,})" for level in levels])
    axis.set_ylim(len(levels) - 0.45, -0.55)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("change of accuracy, points")


def costs(results: Results) -> HTML:
    """Energy of each kind of step, a bar a dataset."""
    table = results.costs.pivot_table(
        index="rule", columns="dataset", values="energy_j_central", aggfunc="sum", sort=False
    )
    table = table.fillna(0).loc[lambda t: t.sum(axis=1).sort_values().index] / 1000
    figure = Figure(figsize=(7.5, 0.6 + 0.28 * len(table)), layout="constrained")
    axis = figure.subplots()
    left = np.zeros(len(table))
    for i, dataset in enumerate(table.columns):
        axis.barh(table.index, table[dataset], left=left, color=COLOURS[i % len(COLOURS)], label=results.title(dataset))
        left += table[dataset].to_numpy()
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("energy, kJ (modelled from CPU-seconds, central value)")
    axis.legend(frameon=False, loc="lower right")
    return picture(figure, "Where the energy of the study went, by kind of step.", "Bars of energy by kind of step.")
