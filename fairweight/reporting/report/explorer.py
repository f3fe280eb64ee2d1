"""The trade-off explorer: every variant as a point, on axes that the reader chooses."""

import math
from html import escape
from typing import Any

import altair as alt
import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import missing
from fairweight.core.frames import by_cell, where
from fairweight.core.lineage import CELL
from fairweight.core.operations import OPERATIONS
from fairweight.core.shown_measures import ShownMeasure
from fairweight.reporting.report.columns import Column
from fairweight.reporting.report.page_scripts import EMBED, SPECIFICATION, vega
from fairweight.reporting.report.palette import COLOURS
from fairweight.reporting.report.results import Results

Point = dict[str, str | float | bool]  # a cell with values, bounds and texts of its measures, as Vega reads it

# measures that an axis can show, in the order of the lists
QUALITIES = (
    "accuracy",
    "worst_group_accuracy",
    "equalized_odds_difference",
    "demographic_parity_difference",
    "accuracy_difference",
    "balanced_accuracy",
    "auc",
    "log_loss",
    "flips",
    "mean_absolute_error",
    "root_mean_squared_error",
    "r2",
    "largest_group_mean_absolute_error",
    "mean_absolute_error_difference",
    "mean_error_difference",
    "coverage",
)
USAGES = ("transfer_bytes", "size_bytes", "latency_p50_ms", "energy_j_per_1000", "making_energy_j")
STYLE = (
    "<style>#explorer { display: flex; flex-direction: column-reverse; width: 100%; }"
    "#explorer .vega-bindings { display: grid; gap: .3rem 1.2rem; margin-bottom: .8rem; font-size: .9rem;"
    " grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); }"
    "#explorer .vega-bind label { display: flex; gap: .5rem; align-items: baseline; justify-content: space-between;"
    " min-width: 0; overflow-wrap: normal; white-space: nowrap; }"
    "#explorer .vega-bind select { max-width: 14rem; min-width: 0; flex: 0 1 14rem; font: inherit; }"
    "#vg-tooltip-element { position: fixed; z-index: 9; background: #fff; color: #1b1f24; border: 1px solid #8b939b;"
    " padding: .5rem .7rem; font-size: .85rem; visibility: hidden; }"
    "#vg-tooltip-element.visible { visibility: visible; }"
    "#vg-tooltip-element td.key { color: #5b6570; padding-right: .6rem; vertical-align: top; }</style>"
)
EVERY = "all"
MOST_LABELS = 16  # points with a name beside them; more names would overlap


def explorer(results: Results) -> HTML | None:
    """An interactive scatter plot of all variants, with its scripts inside; None where nothing was assessed.

    The reader chooses both axes, the dataset and the engine, and can hide the variants that are not proven to keep the
    criteria. Pointing at a point shows its numbers with their spread over seeds.
    """
    columns, points = _points(results)
    if points.empty:
        return None
    names = [column.heading for column in columns]
    usages = [column.heading for column in columns if column.key in USAGES]
    chart = _chart(results, points, names, usages[0] if usages else names[-1])
    caption = (
        "Points are means over seeds, lines one standard deviation. Filled points are proven to keep the criteria of "
        "the study. Choose what the axes show; point at a variant to see its numbers."
    )
    specification = chart.to_json(indent=None).replace("<", "\\u003c")  # only this character could end the script
    return HTML(
        f'<figure class="picture"><figcaption><b>Every variant as it ships.</b> {escape(caption)}</figcaption>{STYLE}'
        f'<div id="explorer"></div><script type="application/json" id="{SPECIFICATION}">{specification}</script>'
        f"<script>{vega()}</script><script>{EMBED}</script></figure>"
    )


def _points(results: Results) -> tuple[list[Column], pd.DataFrame]:
    """The measures that were taken, and one row for each cell with value, bounds and text of each of them."""
    cells = results.ordered(results.variants[CELL].drop_duplicates())[CELL]
    points: list[Point] = [dict(cell) for _, cell in cells.iterrows()]
    columns = _columns(results)
    for column in columns:
        entries = by_cell(column.rows(results))
        for point in points:
            entry = entries.get(tuple(point[key] for key in CELL))
            if entry and not missing(entry["mean"]):
                point.update(_values(column.heading, entry, column.record))
    for point in points:
        point.update(_attributes(results, point))
    return columns, pd.DataFrame(points)


def _columns(results: Results) -> list[Column]:
    """The measures that were taken, for each attribute and batch size.

    Intersections of attributes would make the lists long; the tables show them.
    """
    single = {attribute for dataset in results.study["datasets"].values() for attribute in dataset["groups"]}
    columns = []
    for key in QUALITIES + USAGES:
        rows = results.variants[(results.variants["measure"] == key) & results.variants["group"].isna()]
        for attribute, size in rows.groupby(["attribute", "batch_size"], dropna=False, sort=False).groups:
            by = attribute if isinstance(attribute, str) else None
            if by is None or by in single:
                columns.append(Column(key, by, None if pd.isna(size) else int(size)))
    return columns


def _values(name: str, entry: Any, record: ShownMeasure) -> Point:
    """Value, bounds and text of a measure of one cell."""
    mean, spread = record.scaled(entry["mean"]), 0.0 if missing(entry["sd"]) else record.scaled(entry["sd"])
    text = record.with_spread(entry["mean"], entry["sd"])
    if not missing(entry["change_mean"]):
        text += f" (change {record.with_spread(entry['change_mean'], entry['change_sd'], signed=True)})"
    return {name: mean, f"{name} low": mean - spread, f"{name} high": mean + spread, f"{name} text": text}


def _attributes(results: Results, point: Point) -> Point:
    """What the explorer shows of a cell beyond its measures: names, operation, verdict."""
    variant, cell = str(point["variant"]), {key: point[key] for key in CELL}
    decided = where(results.decisions, cell)
    verdict = decided.iloc[0]["verdict"] if len(decided) else None
    if not isinstance(verdict, str):
        baseline = where(results.variants, cell).iloc[0]["baseline"] == variant
        verdict = "baseline" if baseline else "not tested"
    return {
        "dataset": results.label(str(point["dataset"])),
        "made by": results.operation(variant),
        "verdict": verdict,
        "label": "" if variant in results.noise_floors else variant,  # a replicate lies on its baseline
        "kept": verdict in ("proven", "baseline"),
    }


def _choice(name: str, label: str, options: list[str], value: str) -> alt.Parameter:
    return alt.param(name=name, value=value, bind=alt.binding_select(options=options, name=f"{label} "))


def _parameters(points: pd.DataFrame, names: list[str], horizontal: str) -> list[alt.Parameter]:
    """The lists and the checkbox above the chart."""
    datasets, engines, augmentations = (
        list(dict.fromkeys(points[name])) for name in ("dataset", "engine", "augmentation")
    )
    strict = alt.binding_checkbox(name="Only variants proven to keep the criteria ")
    return [
        _choice("vertical", "Vertical axis", names, names[0]),
        _choice("horizontal", "Horizontal axis", names, horizontal),
        _choice("shown", "Dataset", datasets, datasets[0]),
        _choice("engine", "Engine", [EVERY, *engines], EVERY),
        _choice("augmentation", "Augmentation", [EVERY, *augmentations], augmentations[0]),
        alt.param(name="strict", value=False, bind=strict),
    ]


def _base(points: pd.DataFrame) -> alt.Chart:
    """The points that the reader has chosen, with the chosen measures as x and y."""
    records = [
        {k: v for k, v in row.items() if not (isinstance(v, float) and math.isnan(v))}
        for row in points.to_dict(orient="records")
    ]
    return (
        alt.Chart(alt.Data(values=records))
        .transform_filter(
            "datum.dataset == shown"
            f" && (engine == '{EVERY}' || datum.engine == engine)"
            f" && (augmentation == '{EVERY}' || datum.augmentation == augmentation)"
            " && (!strict || datum.kept) && isValid(datum[horizontal]) && isValid(datum[vertical])"
        )
        .transform_calculate(
            x="datum[horizontal]",
            x1="datum[horizontal + ' low']",
            x2="datum[horizontal + ' high']",
            y="datum[vertical]",
            y1="datum[vertical + ' low']",
            y2="datum[vertical + ' high']",
            across="horizontal + ': ' + datum[horizontal + ' text']",
            up="vertical + ': ' + datum[vertical + ' text']",
        )
    )


def _layers(points: pd.DataFrame) -> list[alt.Chart]:
    """Bars of the spread, points, and names beside them."""
    base, augmentations = _base(points), list(dict.fromkeys(points["augmentation"]))
    # no measure is below 0, where the padding may reach
    scale, ticks = alt.Scale(zero=False, padding=20), alt.Axis(labelExpr="datum.value < 0 ? '' : datum.label")
    x, y = alt.X("x:Q", title=None, scale=scale, axis=ticks), alt.Y("y:Q", title=None, scale=scale, axis=ticks)
    operations = [name for name in OPERATIONS if name in set(points["made by"])]
    colour = alt.Color("made by:N", scale=alt.Scale(domain=operations, range=COLOURS[: len(operations)]))
    shape = alt.Shape("augmentation:N", sort=augmentations)
    tips = [alt.Tooltip(f"{name}:N") for name in ("variant", "dataset", "model", "augmentation", "engine", "verdict")]
    tips += [alt.Tooltip("up:N", title="vertical"), alt.Tooltip("across:N", title="horizontal")]
    bars = base.mark_rule(opacity=0.6, aria=False)
    layers = [
        bars.encode(x=alt.X("x1:Q", title=None), x2="x2:Q", y=y, color=colour),
        bars.encode(x=x, y=alt.Y("y1:Q", title=None), y2="y2:Q", color=colour),
    ]
    for kept in (True, False):
        part = base.transform_filter("datum.kept" if kept else "!datum.kept")
        marks = part.mark_point(size=90, strokeWidth=1.8, filled=kept, opacity=1)
        layers.append(marks.encode(x=x, y=y, color=colour, shape=shape, tooltip=tips))
    if points.groupby("dataset").size().max() <= MOST_LABELS * len(augmentations):
        layers.append(base.mark_text(dy=-11, fontSize=10.5, aria=False).encode(x=x, y=y, text="label:N"))
    return layers


def _chart(results: Results, points: pd.DataFrame, names: list[str], horizontal: str) -> alt.LayerChart:
    title = alt.TitleParams(
        text=alt.ExprRef("[vertical + ' (vertical)', 'against ' + horizontal + ' (horizontal)']"),
        anchor="start",
        fontSize=13,
    )
    description = f"Scatter plot of the variants of {results.study['name']}; the tables below hold all its numbers."
    return (
        alt.layer(*_layers(points))
        .add_params(*_parameters(points, names, horizontal))
        .properties(
            width="container",
            height=340,
            title=title,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            description=description,
        )
        .configure(background="white", font="DejaVu Sans, sans-serif")
        .configure_axis(gridColor="#e3e7ea", domainColor="#1b1f24", tickColor="#1b1f24", labelFontSize=11)
        .configure_legend(orient="bottom", columns=4)
        .configure_view(stroke=None)
    )
