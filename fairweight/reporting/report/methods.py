"""All compression methods in one picture, and what was checked of every file.  Nothing is computed here."""

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from fairweight.core.formatting import DASH, missing, number
from fairweight.core.lineage import CELL
from fairweight.reporting.report import palette
from fairweight.reporting.report.figures import panels, plain_log_scale
from fairweight.reporting.report.labels import number_points
from fairweight.reporting.report.page import picture, table
from fairweight.reporting.report.results import ENCODING, Results


def method(results: Results, variant: str) -> str:
    """Operation and method of a variant: `prune: global_magnitude`."""
    operation = results.operation(variant)
    recipe = results.study["variants"][variant][operation]
    return f"{operation}: {recipe['method']}" if isinstance(recipe, dict) and "method" in recipe else operation


def trade_off(results: Results, dataset: str) -> HTML | None:
    """Accuracy of every variant against the bytes of its file and its latency, a colour a method, each point numbered.

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
    shown = [v for v in results.variant_order if v in set(quality["variant"])]
    looks = {v: palette.look(methods.index(method(results, v))) for v in shown}
    points: dict[Axes, list[tuple[str, float, float]]] = {}
    for axis, (group, price) in zip(axes, [(g, p) for g in groups for p in prices], strict=True):
        own = quality[(quality["model"] == group.model) & (quality["engine"] == group.engine)]
        drawn = _points(axis, own.merge(price[1], on=CELL, suffixes=("_y", "_x")), price[2], looks)
        points[axis] = [(str(1 + shown.index(variant)), x, y) for variant, x, y in drawn]
        axis.set_title(f"{group.model}, {group.engine}", fontsize=9)
        axis.set_xlabel(price[0])
        axis.set_ylabel("accuracy, %")
    handles = [
        Line2D(
            [], [], linestyle="", color=looks[v][0], marker=looks[v][1], label=f"{position} {v} ({method(results, v)})"
        )
        for position, v in enumerate(shown, 1)
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=1 if len(axes) == 1 else 2, frameon=False, fontsize=8
    )
    number_points(figure, points)
    caption = (
        f"{results.title(dataset)}: every compressed variant by its number, a colour a method; up and to the left is better. Bytes of "
        "a coded variant are those of its coded file. Points are means over seeds, bars one standard deviation."
    )
    return picture(figure, caption, f"Accuracy against bytes and latency of every method for {results.title(dataset)}.")


def _points(
    axis: Axes, joined: pd.DataFrame, scale: float, looks: dict[str, tuple[str, str]]
) -> list[tuple[str, float, float]]:
    """Draw variants, and tell (variant, x, y) of each."""
    drawn = []
    for _, point in joined.iterrows():
        colour, marker = looks[point["variant"]]
        place = (point["mean_x"] * scale, point["mean_y"] * 100)
        axis.errorbar(
            *place, yerr=np.nan_to_num(point["sd_y"]) * 100,
            linestyle="", color=colour, marker=marker, markersize=6, elinewidth=0.8,
        )  # fmt: skip
        drawn.append((point["variant"], *place))
    plain_log_scale(axis)
    return drawn


def files(results: Results) -> HTML | None:
    """What was checked of every file in every engine: means over seeds, and the worst of them for what must hold."""
    if results.files.empty:
        return None
    keys, rows = ["dataset", "model", "variant", "engine"], []
    for (dataset, model, variant, engine), found in results.ordered(results.files).groupby(keys, sort=False):
        mean = found.mean(numeric_only=True)
        lowest = found[["batch_invariant_share", "engine_agreement"]].min()
        rows.append(
            [
                variant, method(results, variant), dataset, model, engine,
                number(mean["parameters"], 0), number(mean["nonzero_weights"], 0), number(mean["macs"], 0),
                number(mean["integer_share"], 0, 100.0), number(mean["inference_memory_bytes"], 1, 1e-6),
                *(DASH if missing(least) else number(least, 2, 100.0) for least in lowest),
            ]
        )  # fmt: skip
    header = [
        *("Variant", "Method", "Dataset", "Model", "Engine", "Parameters", "Weights not zero", "MACs a row"),
        *("Integer operators, % of those that multiply", "Memory of inference, MB"),
        *("Same prediction alone and in a batch, %", "Same as onnxruntime, %"),
    ]
    caption = (
        "What was checked of every file, in every engine that runs it: means over seeds; of the last two columns the lowest, which likelihoods "
        "have not. MACs count zeros too, as the engines do. Memory is how far the process grew while it loaded the file and ran it."
    )
    return table(header, rows, caption, text_columns=5)


def layers(results: Results) -> HTML | None:
    """Share of zeros layer by layer of the variants that have any; None where none has."""
    weights = results.layers[~results.layers["layer"].isin(ENCODING)]
    sparse = weights.groupby(["dataset", "model", "variant"])["sparsity"].transform("max") > 0.01
    if not sparse.any():
        return None
    keys, rows = ["dataset", "model", "variant"], []
    for (dataset, model, variant), found in results.ordered(weights[sparse]).groupby(keys, sort=False):
        shares = found.groupby(["position", "layer"], sort=True)["sparsity"].mean()
        said = ", ".join(
            f"{layer.removesuffix('_quantized').removesuffix('_Transposed')} {number(share, 1, 100.0)}"
            for (_, layer), share in shares.items()
        )
        rows.append([variant, dataset, model, said])
    return table(
        ["Variant", "Dataset", "Model", "Zeros by layer, %"], rows,
        "Share of zeros of each weight tensor in the file that ships, means over seeds.", text_columns=4,
    )  # fmt: skip
