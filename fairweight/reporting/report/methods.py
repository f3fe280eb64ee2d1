"""All compression methods in one figure, and the checks of every file. Nothing is computed here."""

import itertools

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fairweight.core.formatting import DASH, missing, number
from fairweight.core.lineage import CELL
from fairweight.core.shown_measures import measure
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.reporting.report import palette
from fairweight.reporting.report.columns import Column
from fairweight.reporting.report.figures import panels, plain_log_scale
from fairweight.reporting.report.labels import number_points
from fairweight.reporting.report.page import picture, table
from fairweight.reporting.report.results import STANDARDISATION, Results, varying

MEMORY = measure("inference_memory_bytes")


def method(results: Results, variant: str) -> str:
    """Operation and method of a variant: `prune: global_magnitude`."""
    operation = results.operation(variant)
    recipe = results.study["variants"][variant][operation]
    return f"{operation}: {recipe['method']}" if isinstance(recipe, dict) and "method" in recipe else operation


def trade_off(results: Results, dataset: str) -> HTML | None:
    """Figure of the accuracy of every variant against file size and latency, with numbered points coloured by method.

    Only augmentation `none` is shown, or the first one of a study without it, and no replicates; None where nothing
    ships.
    """
    if not results.ships(dataset):
        return None
    size = results.study["profile"]["batch_sizes"][0]
    usages = [Column("size_bytes"), Column("latency_p50_ms", batch_size=size)]
    rows = Column("accuracy").rows(results)
    rows = results.plain(rows[rows["dataset"] == dataset])
    rows = rows[~rows["variant"].isin(results.noise_floors)]
    groups = list(rows[["model", "engine"]].drop_duplicates().itertuples(index=False))
    figure, axes = panels(len(groups) * len(usages), height=4.0)
    methods = list(dict.fromkeys(method(results, v) for v in results.variant_order))
    shown = [v for v in results.variant_order if v in set(rows["variant"])]
    looks = {v: palette.look(methods.index(method(results, v))) for v in shown}
    points: dict[Axes, list[tuple[str, float, float]]] = {}
    for axis, (group, usage) in zip(axes, itertools.product(groups, usages), strict=True):
        quality = rows[(rows["model"] == group.model) & (rows["engine"] == group.engine)]
        drawn = _points(axis, quality.merge(usage.rows(results), on=CELL, suffixes=("_y", "_x")), usage, looks)
        points[axis] = [(str(1 + shown.index(variant)), x, y) for variant, x, y in drawn]
        axis.set_title(f"{group.model}, {group.engine}", fontsize=9)
    names = [f"{position} {v} ({method(results, v)})" for position, v in enumerate(shown, 1)]
    handles = [
        Line2D([], [], linestyle="", color=looks[v][0], marker=looks[v][1], label=name)
        for v, name in zip(shown, names, strict=True)
    ]
    columns = 1 if len(axes) == 1 else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=8)
    number_points(figure, points)
    title = results.title(dataset)
    return picture(
        figure,
        f"{title}: accuracy of every compressed variant against file size and latency.",
        f"Accuracy against bytes and latency of every method for {title}.",
        "Numbers identify variants, colours methods; up and to the left is better. The file size of a variant with "
        "storage coding is that of its coded file. Points are means over seeds, bars one standard deviation.",
    )


def _points(
    axis: Axes, joined: pd.DataFrame, usage: Column, looks: dict[str, tuple[str, str]]
) -> list[tuple[str, float, float]]:
    """Draw the accuracy of variants against a resource usage, and return (variant, x, y) of each."""
    quality, drawn = Column("accuracy"), []
    for _, point in joined.iterrows():
        colour, marker = looks[point["variant"]]
        at = (usage.record.scaled(point["mean_x"]), quality.record.scaled(point["mean_y"]))
        axis.errorbar(
            *at,
            yerr=quality.record.scaled(np.nan_to_num(point["sd_y"])),
            linestyle="",
            color=colour,
            marker=marker,
            markersize=6,
            elinewidth=0.8,
        )
        drawn.append((point["variant"], *at))
    axis.set_xlabel(usage.heading)
    axis.set_ylabel(quality.heading)
    plain_log_scale(axis)
    return drawn


def files(results: Results) -> HTML | None:
    """Table of the checks of every file in every engine; None where no file was checked."""
    if results.files.empty:
        return None
    shown, rows = varying(results.files, ("dataset", "model", "engine")), []
    keys = ["dataset", "model", "variant", "engine"]
    for _, checks in results.ordered(results.files).groupby(keys, sort=False):
        mean = checks.mean(numeric_only=True)
        lowest = checks[["batch_invariant_share", "engine_agreement"]].min()
        rows.append(
            [
                checks.iloc[0]["variant"],
                method(results, checks.iloc[0]["variant"]),
                *(checks.iloc[0][key] for key in shown),
                number(mean["parameters"], 0),
                number(mean["nonzero_weights"], 0),
                number(mean["macs"], 0),
                number(mean["integer_share"], 0, 100.0),
                MEMORY.text(mean[MEMORY.key]),
                *(DASH if missing(share) else number(share, 2, 100.0) for share in lowest),
            ]
        )
    header = ["Variant", "Method", *map(str.capitalize, shown), "Parameters", "Nonzero weights", "MACs per row"]
    header += ["Integer products, %", MEMORY.heading, "Same prediction in a batch, %", f"Same as {REFERENCE_ENGINE}, %"]
    notes = (
        "Means over seeds; the last two columns show the lowest value, and do not apply to likelihoods. MACs include "
        "products with zeros, as the engines compute them, and are not estimable where an operator's products are "
        "unknown or depend on the length of a text. Integer products is the share of the operators that multiply by "
        "weights which do so in integers. Memory is the growth of the process while it loads the file and runs it. "
        "Same prediction in a batch is the share of rows whose prediction is the same alone and in a batch."
    )
    return table(
        header, rows, "Checks of every file in every engine that runs it.", notes=notes, text_columns=2 + len(shown)
    )


def layers(results: Results) -> HTML | None:
    """Table of the share of zeros by layer, of the variants that have zeros; None where none has."""
    weights = results.layers[~results.layers["layer"].isin(STANDARDISATION)]
    sparse = weights.groupby(["dataset", "model", "variant"])["sparsity"].transform("max") > 0.01
    if not sparse.any():
        return None
    keys, rows = ["dataset", "model", "variant"], []
    for (dataset, model, variant), tensors in results.ordered(weights[sparse]).groupby(keys, sort=False):
        shares = tensors.groupby(["position", "layer"], sort=True)["sparsity"].mean()
        by_layer = ", ".join(
            f"{layer.removesuffix('_quantized').removesuffix('_Transposed')} {number(share, 1, 100.0)}"
            for (_, layer), share in shares.items()
        )
        rows.append([variant, dataset, model, by_layer])
    header = ["Variant", "Dataset", "Model", "Zeros by layer, %"]
    caption = "Share of zeros in each weight tensor of the file that ships."
    return table(header, rows, caption, notes="Means over seeds.", text_columns=4)
