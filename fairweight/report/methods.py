"""All compression methods in one picture, and what was checked of every file.  Nothing is computed here."""

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fairweight.report import palette
from fairweight.report.figures import panels, plain_log_scale
from fairweight.report.page import DASH, missing, number, picture, table
from fairweight.report.results import Results
from fairweight.summaries import CELL


def method(results: Results, variant: str) -> str:
    """Operation and method of a variant: `prune: global_magnitude`."""
    operation = results.operation(variant)
    recipe = results.study["variants"][variant][operation]
    return f"{operation}: {recipe['method']}" if isinstance(recipe, dict) and "method" in recipe else operation


def trade_off(results: Results, dataset: str) -> HTML | None:
    """Accuracy of every variant against the bytes of its file and its latency, a colour a method, each point named.

    Only augmentation `none` is shown, and no replicates; None where nothing ships.
    """
    if not results.ships(dataset):
        return None
    size = results.study["profile"]["batch_sizes"][0]
    prices = [
        ("bytes of the file, kB (log scale)", results.measured("size_bytes"), 1e-3),
        (f"latency p50 at batch {size}, µs (log scale)", results.measured("latency_p50_ms", None, size), 1e3),
    ]
    quality = results.measured("accuracy")
    quality = quality[(quality["dataset"] == dataset) & (quality["augmentation"] == "none")]
    quality = quality[~quality["variant"].isin(results.noise_floors)]
    groups = list(quality[["model", "engine"]].drop_duplicates().itertuples(index=False))
    figure, axes = panels(len(groups) * len(prices), width=5.2, height=4.0)
    methods = list(dict.fromkeys(method(results, v) for v in results.variant_order))
    for axis, (group, price) in zip(axes, [(g, p) for g in groups for p in prices], strict=True):
        own = quality[(quality["model"] == group.model) & (quality["engine"] == group.engine)]
        _points(axis, results, own.merge(price[1], on=CELL, suffixes=("_y", "_x")), price[2], methods)
        axis.set_title(f"{group.model}, {group.engine}", fontsize=9)
        axis.set_xlabel(price[0])
        axis.set_ylabel("accuracy, %")
    used = {method(results, variant) for variant in quality["variant"]}
    handles = [_mark(axes[0], i, name) for i, name in enumerate(methods) if name in used]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 3), frameon=False)
    caption = (
        f"{results.title(dataset)}: every compressed variant, by method; up and to the left is better. Bytes of a coded variant are "
        "those of its coded file. Points are means over seeds, bars one standard deviation."
    )
    return picture(figure, caption, f"Accuracy against bytes and latency of every method for {results.title(dataset)}.")


def _mark(axis: Axes, position: int, name: str) -> Line2D:
    return axis.plot([], [], linestyle="", label=name, **_look(position))[0]


def _look(position: int) -> dict[str, Any]:
    colour, marker = palette.look(position)
    return {"color": colour, "marker": marker}


def _points(axis: Axes, results: Results, joined: pd.DataFrame, scale: float, methods: list[str]) -> None:
    for _, point in joined.iterrows():
        position = methods.index(method(results, point["variant"]))
        axis.errorbar(
            point["mean_x"] * scale,
            point["mean_y"] * 100,
            yerr=np.nan_to_num(point["sd_y"]) * 100,
            linestyle="",
            **_look(position),
            markersize=6,
            elinewidth=0.8,
        )
        place = (point["mean_x"] * scale, point["mean_y"] * 100)
        axis.annotate(point["variant"], place, xytext=(4, 4), textcoords="offset points", fontsize=6.5)
    plain_log_scale(axis)


def files(results: Results) -> HTML | None:
    """What was checked of every file in every engine: means over seeds, and the worst of them for what must hold."""
    if results.files.empty:
        return None
    keys, rows = ["dataset", "model", "variant", "engine"], []
    for (dataset, model, variant, engine), found in results.ordered(results.files).groupby(keys, sort=False):
        mean = found.mean(numeric_only=True)
        rows.append(
            [
                variant, method(results, variant), dataset, model, engine,
                number(mean["parameters"], 0), number(mean["nonzero_weights"], 0), number(mean["macs"], 0),
                number(mean["integer_share"], 0, 100.0), number(mean["inference_memory_bytes"], 1, 1e-6),
                number(found["batch_invariant_share"].min(), 2, 100.0),
                DASH if missing(found["engine_agreement"].min()) else number(found["engine_agreement"].min(), 2, 100.0),
            ]
        )  # fmt: skip
    header = [
        *("Variant", "Method", "Dataset", "Model", "Engine", "Parameters", "Weights not zero", "MACs a row"),
        *("Integer operators, % of those that multiply", "Memory of inference, MB"),
        *("Same prediction alone and in a batch, %", "Same as onnxruntime, %"),
    ]
    caption = (
        "What was checked of every file, in every engine that runs it: means over seeds; of the last two columns the lowest. MACs "
        "count zeros too, as the engines do. Memory is how far the process grew while it loaded the file and ran it."
    )
    return table(header, rows, caption, text_columns=5)


def layers(results: Results) -> HTML | None:
    """Share of zeros layer by layer of the variants that have any; None where none has."""
    sparse = results.layers.groupby(["dataset", "model", "variant"])["sparsity"].transform("max") > 0.01
    if not sparse.any():
        return None
    keys, rows = ["dataset", "model", "variant"], []
    for (dataset, model, variant), found in results.ordered(results.layers[sparse]).groupby(keys, sort=False):
        shares = found.groupby(["position", "layer"], sort=True)["sparsity"].mean()
        said = ", ".join(f"{layer} {number(share, 1, 100.0)}" for (_, layer), share in shares.items())
        rows.append([variant, dataset, model, said])
    return table(
        ["Variant", "Dataset", "Model", "Zeros by layer, %"], rows,
        "Share of zeros of each weight tensor in the file that ships, means over seeds.", text_columns=4,
    )  # fmt: skip
