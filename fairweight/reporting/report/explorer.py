"""The trade-off explorer: every variant as a point, on axes that the reader chooses."""

import json
import math
from html import escape
from importlib.metadata import version
from typing import Any

import altair as alt
import pandas as pd
import vl_convert
from IPython.display import HTML

from fairweight.core.artifacts import atomic
from fairweight.core.formatting import missing, with_spread
from fairweight.core.frames import by_cell, where
from fairweight.core.lineage import CELL
from fairweight.core.operations import OPERATIONS
from fairweight.data.fetch import cache_folder
from fairweight.reporting.report.palette import COLOURS
from fairweight.reporting.report.results import Results

# measure -> words, unit, scale, digits; in this order in the lists
QUALITIES = {
    "accuracy": ("Accuracy", "%", 100.0, 2),
    "worst_group_accuracy": ("Worst group's accuracy by {}", "%", 100.0, 2),
    "equalized_odds_difference": ("Equalized odds gap by {}", "points", 100.0, 2),
    "demographic_parity_difference": ("Demographic parity gap by {}", "points", 100.0, 2),
    "accuracy_difference": ("Accuracy gap by {}", "points", 100.0, 2),
    "balanced_accuracy": ("Balanced accuracy", "%", 100.0, 2),
    "auc": ("AUC", "", 1.0, 4),
    "log_loss": ("Log loss", "nats", 1.0, 4),
    "flips": ("Flips against the baseline", "%", 100.0, 2),
}
PRICES = {
    "transfer_bytes": ("Bytes to transfer", "kB", 1e-3, 1),
    "size_bytes": ("File", "kB", 1e-3, 1),
    "latency_p50_ms": ("Latency p50, batch {}", "µs", 1e3, 1),
    "energy_j_per_1000": ("Energy per 1,000 predictions, batch {}, modelled", "J", 1.0, 4),
    "making_energy_j": ("Energy to make it, modelled", "J", 1.0, 1),
}
EMBEDDED = {"renderer": "svg", "actions": False, "mode": "vega-lite", "defaultStyle": False}
STYLE = (
    "<style>#explorer { display: flex; flex-direction: column-reverse; width: 100%; }"
    "#explorer .vega-bindings { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); gap: .3rem 1.2rem;"
    " margin-bottom: .8rem; font-size: .9rem; }"
    "#explorer .vega-bind label { display: flex; gap: .5rem; align-items: baseline; justify-content: space-between; min-width: 0; overflow-wrap: normal; }"
    "#explorer .vega-bind select { max-width: 14rem; min-width: 0; flex: 0 1 14rem; font: inherit; }"
    "#vg-tooltip-element { position: fixed; z-index: 9; background: #fff; color: #1b1f24; border: 1px solid #8b939b;"
    " padding: .5rem .7rem; font-size: .85rem; visibility: hidden; } #vg-tooltip-element.visible { visibility: visible; }"
    "#vg-tooltip-element td.key { color: #5b6570; padding-right: .6rem; vertical-align: top; }</style>"
)
EVERY = "all"
MOST_LABELS = 16  # points with a name beside them; more would cover each other


def explorer(results: Results) -> HTML | None:
    """An interactive scatter plot of all variants, with its scripts inside; None where nothing was assessed.

    The reader chooses both axes, the dataset, the engine, and whether only variants that are proven to keep the criteria
    are shown; a point tells its numbers with their spread over seeds when it is pointed at.
    """
    names, points = _points(results)
    if points.empty:
        return None
    prices = [
        name for name in names if name.startswith(tuple(words.partition(" {}")[0] for words, *_ in PRICES.values()))
    ]
    horizontal = prices[0] if prices else names[-1]
    chart = _chart(results, points, names, horizontal)
    caption = (
        "Every variant as it ships. Choose what the axes show; point at a variant for its numbers. Points are means over "
        "seeds, lines one standard deviation. Filled points are proven to keep the criteria of the study."
    )
    # in a script, only this sign could end it
    specification = chart.to_json(indent=None).replace("<", "\\u003c")
    return HTML(
        f'<figure class="picture"><figcaption>{escape(caption)}</figcaption>{STYLE}<div id="explorer"></div>'
        f"<script>{_scripts()}</script>"
        f"<script>vegaEmbed('#explorer', {specification}, {json.dumps(EMBEDDED)}).catch(console.error);</script></figure>"
    )


def _scripts() -> str:
    """Vega in one script; to bundle it takes two seconds, so that it is kept for this version of the package."""
    kept = cache_folder(None) / "scripts" / f"vega-{version('vl-convert-python')}.js"
    if not kept.exists():
        bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub does not know the default
        with atomic(kept) as temporary:
            temporary.write_text(bundle, encoding="utf-8")
    return kept.read_text(encoding="utf-8")


def _points(results: Results) -> tuple[list[str], pd.DataFrame]:
    """Names of the measures, and one row a cell with value, bounds and text of each of them."""
    cells = results.ordered(results.variants[CELL].drop_duplicates())[CELL]
    rows: list[dict[str, Any]] = [dict(cell) for _, cell in cells.iterrows()]
    names: list[str] = []
    single = {attribute for dataset in results.study["datasets"].values() for attribute in dataset["groups"]}
    for measure, (words, unit, scale, digits) in (QUALITIES | PRICES).items():
        found = results.variants[(results.variants["measure"] == measure) & results.variants["group"].isna()]
        for (attribute, size), of in found.groupby(["attribute", "batch_size"], dropna=False, sort=False):
            if isinstance(attribute, str) and attribute not in single:
                continue  # intersections would make the lists long; they stand in the tables
            about = attribute if isinstance(attribute, str) else "" if pd.isna(size) else str(size)
            name = f"{words.format(about)}{f', {unit}' if unit else ''}"
            names.append(name)
            entries = by_cell(of)
            for row in rows:
                entry = entries.get(tuple(row[key] for key in CELL))
                if entry and not missing(entry["mean"]):
                    row.update(_values(name, entry, scale, digits))
    for row in rows:
        row.update(_about(results, row))
    return names, pd.DataFrame(rows)


def _values(name: str, entry: Any, scale: float, digits: int) -> dict[str, Any]:
    mean, spread = entry["mean"] * scale, 0.0 if missing(entry["sd"]) else entry["sd"] * scale
    text = with_spread(entry["mean"], entry["sd"], digits, scale)
    if not missing(entry["change_mean"]):
        text += f" (change {with_spread(entry['change_mean'], entry['change_sd'], digits, scale, signed=True)})"
    return {name: mean, f"{name} low": mean - spread, f"{name} high": mean + spread, f"{name} text": text}


def _about(results: Results, row: dict[str, Any]) -> dict[str, Any]:
    decided = where(results.decisions, {key: row[key] for key in CELL})
    verdict = decided.iloc[0]["verdict"] if len(decided) else None
    baseline = where(results.variants, {key: row[key] for key in CELL}).iloc[0]["baseline"] == row["variant"]
    told = verdict if isinstance(verdict, str) else "baseline" if baseline else "not tested"
    return {"dataset": results.label(row["dataset"]), "made by": results.operation(row["variant"]), "verdict": told,
            "label": "" if row["variant"] in results.noise_floors else row["variant"],  # it lies on its twin
            "kept": told in ("proven", "baseline")}  # fmt: skip


def _choice(name: str, label: str, options: list[str], value: str) -> alt.Parameter:
    return alt.param(name=name, value=value, bind=alt.binding_select(options=options, name=f"{label} "))


def _chart(results: Results, points: pd.DataFrame, names: list[str], horizontal: str) -> alt.LayerChart:
    datasets, engines = list(dict.fromkeys(points["dataset"])), list(dict.fromkeys(points["engine"]))
    augmentations = list(dict.fromkeys(points["augmentation"]))
    parameters = [
        _choice("vertical", "Vertical axis", names, names[0]),
        _choice("horizontal", "Horizontal axis", names, horizontal),
        _choice("shown", "Dataset", datasets, datasets[0]),
        _choice("engine", "Engine", [EVERY, *engines], EVERY),
        _choice("augmentation", "Augmentation", [EVERY, *augmentations], augmentations[0]),
        alt.param(
            name="strict", value=False, bind=alt.binding_checkbox(name="Only variants proven to keep the criteria ")
        ),
    ]
    records = [
        {k: v for k, v in row.items() if not (isinstance(v, float) and math.isnan(v))}
        for row in points.to_dict(orient="records")
    ]
    base = (
        alt.Chart(alt.Data(values=records))
        .transform_filter(
            "datum.dataset == shown"
            f" && (engine == '{EVERY}' || datum.engine == engine)"
            f" && (augmentation == '{EVERY}' || datum.augmentation == augmentation)"
            " && (!strict || datum.kept) && isValid(datum[horizontal]) && isValid(datum[vertical])"
        )
        .transform_calculate(
            x="datum[horizontal]", x1="datum[horizontal + ' low']", x2="datum[horizontal + ' high']",
            y="datum[vertical]", y1="datum[vertical + ' low']", y2="datum[vertical + ' high']",
            across="horizontal + ': ' + datum[horizontal + ' text']", up="vertical + ': ' + datum[vertical + ' text']",
        )
    )  # fmt: skip
    # no measure is below 0, where the padding may reach
    ends: dict[str, Any] = {
        "scale": alt.Scale(zero=False, padding=20),
        "axis": alt.Axis(labelExpr="datum.value < 0 ? '' : datum.label"),
    }
    x, y = alt.X("x:Q", title=None, **ends), alt.Y("y:Q", title=None, **ends)
    operations = [o for o in OPERATIONS if o in set(points["made by"])]
    colour = alt.Color("made by:N", scale=alt.Scale(domain=operations, range=COLOURS[: len(operations)]))
    shape = alt.Shape("augmentation:N", sort=augmentations)
    tips = [alt.Tooltip(f"{name}:N") for name in ("variant", "dataset", "model", "augmentation", "engine", "verdict")]
    tips += [alt.Tooltip("up:N", title="up"), alt.Tooltip("across:N", title="across")]
    layers = [
        base.mark_rule(opacity=0.6, aria=False).encode(x=alt.X("x1:Q", title=None), x2="x2:Q", y=y, color=colour),
        base.mark_rule(opacity=0.6, aria=False).encode(x=x, y=alt.Y("y1:Q", title=None), y2="y2:Q", color=colour),
    ]
    for kept in (True, False):
        of = base.transform_filter("datum.kept" if kept else "!datum.kept")
        points_of = of.mark_point(size=90, strokeWidth=1.8, filled=kept, opacity=1)
        layers.append(points_of.encode(x=x, y=y, color=colour, shape=shape, tooltip=tips))
    if points.groupby("dataset").size().max() <= MOST_LABELS * len(augmentations):
        layers.append(base.mark_text(dy=-11, fontSize=10.5, aria=False).encode(x=x, y=y, text="label:N"))
    title = alt.TitleParams(
        text=alt.ExprRef("[vertical + '  (up)', 'against ' + horizontal + '  (across)']"),
        anchor="start", fontSize=13,
    )  # fmt: skip
    return (
        alt.layer(*layers)
        .add_params(*parameters)
        .properties(width="container", height=380, title=title, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
                    description=f"Scatter plot of the variants of {results.study['name']}; all numbers stand in the tables below.")
        .configure(background="white", font="DejaVu Sans, sans-serif")
        .configure_legend(orient="bottom", columns=4)
        .configure_view(stroke=None)
    )  # fmt: skip
