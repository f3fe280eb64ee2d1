"""Energy and carbon in the report: of rules, of variants over their lives, of the study. Draws and tells what summaries hold."""

from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fairweight.core.formatting import DASH, NOT_ESTIMABLE, count, missing, number, significant
from fairweight.core.frames import where
from fairweight.reporting.report.figures import panels
from fairweight.reporting.report.page import picture, table
from fairweight.reporting.report.palette import COLOURS
from fairweight.reporting.report.results import Results

MOST_RULES = 12  # with a bar of their own
REST = "#8b939b"
SCOPES = {"making": COLOURS[0], "making and search": COLOURS[1]}


def _within(row: Any, scale: float = 1.0, digits: int = 1, name: str = "energy_j_{}") -> str:
    """Central value with its bounds below it."""
    low, central, high = (number(row[name.format(b)], digits, scale) for b in ("low", "central", "high"))
    return central if central == NOT_ESTIMABLE else f"{central}\n{low} to {high}"


def bars(results: Results) -> HTML:
    """Energy of each rule, stacked by dataset, with the bounds of the model."""
    figure = Figure(figsize=(7.5, 0.9 + 0.28 * min(len(results.rules), MOST_RULES)), layout="constrained")
    caption = stack(figure, results)
    return picture(
        figure, caption, "Stacked bars of energy by rule and dataset, with lines for the bounds of the model."
    )


def stack(figure: Figure, results: Results) -> str:
    """Draw the bars of `bars`, and return the caption."""
    rules = results.rules.dropna(subset="energy_j_central").head(MOST_RULES).iloc[::-1]
    parts = results.steps.pivot_table(index="rule", columns="dataset", values="energy_j_central", aggfunc="sum")
    parts = parts.reindex(rules["rule"]).fillna(0.0)
    left, axis, names = np.zeros(len(rules)), figure.subplots(), [*rules["rule"]]
    for i, dataset in enumerate(parts.columns):
        axis.barh(
            names, parts[dataset] / 1000, left=left, color=COLOURS[i % len(COLOURS)], label=results.label(dataset)
        )
        left += parts[dataset].to_numpy() / 1000
    rest = np.maximum(rules["energy_j_central"].to_numpy() / 1000 - left, 0.0)
    axis.barh(names, rest, left=left, color=REST, label="all datasets, and failed attempts")
    for y, row in enumerate(rules.to_dict("records")):
        axis.plot([row["energy_j_low"] / 1000, row["energy_j_high"] / 1000], [y, y], color="#222", linewidth=0.9)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("energy, kJ")
    axis.legend(frameon=False, loc="lower right")
    return (
        "Where the energy of the study went, by rule: bars are the central value of the model, stacked by dataset; lines reach "
        "from its low to its high bound."
    )


def rules(results: Results) -> HTML:
    """Attempts, CPU-seconds, energy and emissions of each rule and of the study, with the status of each value."""
    rows = [
        [
            row["rule"],
            f"{row['attempts']:,}",
            f"{row['failed']:,}",
            *_used(row),
            DASH if missing(row["metered_j"]) else number(row["metered_j"], 1),
            row["status"],
        ]
        for row in results.rules.to_dict("records")
    ]
    summed = results.rules[["attempts", "failed", "cpu_s", "energy_j_low", "energy_j_central", "energy_j_high", "emissions_g"]].sum(min_count=1)  # fmt: skip
    rows.append(
        ["the study", f"{int(summed['attempts']):,}", f"{int(summed['failed']):,}", *_used(summed), _metered(results.rules), _status(results.rules)]
    )  # fmt: skip
    unknown = int(results.rules["unknown"].sum())
    caption = (
        "Energy and carbon by rule, as the ledger stood before this report was made: every attempt, failed ones and what "
        "Snakemake and Dask used themselves included where the executor tells them. Energy and emissions are modelled from "
        "CPU-seconds and memory, with the bounds of the model below them; metered is what a meter counted above the idle "
        "machine. Emissions are operational only."
    )
    if unknown:
        caption += f" {unknown} attempts ended without telling what they used; they are not in it."
    header = [
        "Rule",
        "Attempts",
        "Not ok",
        "CPU-seconds",
        "Energy, J (modelled)",
        "Emissions, mgCO2e (modelled)",
        "Metered, J",
        "Status",
    ]
    return table(header, rows, caption, breaks={len(rows) - 1})


def _used(row: Any) -> list[str]:
    """CPU-seconds, energy and emissions; none are told of attempts that were all lost."""
    if missing(row["cpu_s"]):
        return [DASH] * 3
    return [number(row["cpu_s"], 1), _within(row), significant(row["emissions_g"], 1e3)]


def _metered(rules: pd.DataFrame) -> str:
    found = rules["metered_j"].sum(min_count=1)
    return DASH if missing(float(found)) else number(found, 1)


def _status(rules: pd.DataFrame) -> str:
    counts = {name: int(rules[name].sum()) for name in ("measured", "modelled", "not attributable")}
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items() if count)


def estimators(results: Results) -> HTML:
    """The same steps by CodeCarbon and Green Algorithms, and why they differ."""
    found = results.estimators.to_dict("records")
    rows = [
        [f"{row['estimator']}\n{row['mode']}", number(row["energy_j"], 2, 1e-3) + _range(row), number(row["ratio"], 2)]
        for row in found
    ]
    caption = (
        "The energy of the same steps by other estimators: their formulas, with their own constants, on this study's ledger. "
        "All of them are models. CodeCarbon is taken not to know the processor, unless the study names it."
    )
    why = "".join(f"<li>{escape(row['estimator'])}, {escape(row['mode'])}: {escape(row['why'])}</li>" for row in found)
    return HTML(f"{table(['Estimator', 'Energy, kJ (modelled)', 'Times ours'], rows, caption).data}<ul>{why}</ul>")


def _range(row: Any) -> str:
    return (
        ""
        if missing(row["energy_j_low"])
        else f"\n{number(row['energy_j_low'], 2, 1e-3)} to {number(row['energy_j_high'], 2, 1e-3)}"
    )


def what_if(results: Results) -> HTML:
    """The same run elsewhere and at other hours."""
    rows = []
    places = results.what_if.sort_values("carbon_g")
    told = places.round({"intensity_g_per_kwh": 6})  # where the study ran stands there once
    places = places[~((told["kind"] == "country") & told.duplicated(["place", "intensity_g_per_kwh"], keep=False))]
    for row in places.to_dict("records"):
        source = " ".join(str(row[key]) for key in ("source", "year") if not missing(row[key]))
        low, grams, high = (significant(row[name]) for name in ("carbon_low_g", "carbon_g", "carbon_high_g"))
        rows.append(
            [
                f"{row['place']}\n{source}",
                row["kind"],
                number(row["intensity_g_per_kwh"], 0),
                f"{grams}\n{low} to {high}",
            ]
        )
    caption = "The same energy elsewhere and at other hours: emissions by the electricity there, with the bounds of the energy model. Modelled."
    return table(["Place or hour", "Kind", "Intensity, gCO2e/kWh", "Emissions, gCO2e"], rows, caption, text_columns=2)


def sci(results: Results) -> HTML:
    """Carbon of a functional unit: the study, and 1,000 predictions of each variant at the first batch size."""
    size = results.study["profile"]["batch_sizes"][0]
    of_study = results.sci[results.sci["variant"].isna()]
    used = where(results.sci[results.sci["variant"].notna()], {"batch_size": size})
    units = pd.concat([of_study, *(_first(results, used, dataset) for dataset in results.datasets)])
    parts = {"operational_g": "Operational, mgCO2e (modelled)"}
    if units["embodied_g"].notna().any():
        parts |= {"embodied_g": "Embodied, mgCO2e (stated)", "sci_g": "Together, mgCO2e"}
    rows = [
        [
            *(["the study", ""] if missing(row["variant"]) else [f"1,000 of {row['variant']}", results.title(row["dataset"])]),
            *(_of_unit(row, part) for part in parts),
        ]
        for row in units.to_dict("records")
    ]  # fmt: skip
    shown = units[units["variant"].notna()].drop_duplicates("dataset")
    places = "; ".join(f"{results.title(row['dataset'])}: {_place(row)}" for row in shown.to_dict("records"))
    embodied = (
        "What making the machine emitted is in it as the study states it."
        if len(parts) > 1
        else "It is operational only: what making the machine emitted is not known (`energy: embodied`)."
    )
    caption = (
        f"Software Carbon Intensity (ISO/IEC 21031), for the study and for 1,000 predictions at batch {size}{f' ({places})' if places else ''}, "
        f"with the bounds of the model below. {embodied}"
    )
    return table(["Functional unit", "Dataset", *parts.values()], rows, caption, text_columns=2)


def _of_unit(row: Any, part: str) -> str:
    if missing(row[part]):
        return "not known"
    central, low, high = (significant(row[f"{part}{suffix}"], 1e3) for suffix in ("", "_low", "_high"))
    return f"{central}\n{low} to {high}"


# ---- variants


def _first(results: Results, rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Rows of a dataset's first model, engine and augmentation, which pictures show."""
    ordered = results.ordered(where(rows, {"dataset": dataset}))
    return where(ordered, ordered.iloc[0][["model", "engine", "augmentation"]]) if len(ordered) else ordered


def _place(row: Any) -> str:
    return f"model {row['model']}, engine {row['engine']}, augmentation {row['augmentation']}"


def _names(rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Columns besides the variant that tell rows apart, and their titles."""
    keys = [key for key in ("model", "augmentation", "engine") if rows[key].nunique() > 1]
    return keys, [key.capitalize() for key in keys]


def inference(results: Results, dataset: str) -> HTML | None:
    """Energy of 1,000 predictions of every variant and engine, as a ratio to the baseline's with its interval."""
    used = results.ordered(where(results.life_cycle, {"dataset": dataset, "stage": "use"}))
    if used.empty:
        return None
    keys, titles = _names(used)
    cell = ["dataset", "augmentation", "model", "variant", "engine", "batch_size"]
    joined = used.merge(results.ratios, on=cell, how="left")
    rows = [
        [
            row["variant"],
            *(row[key] for key in keys),
            f"{row['batch_size']}",
            _within(row, 1e3, 2),
            "baseline" if missing(row["ratio"]) else f"{number(row['ratio'], 3)}\n{_bounds(row)}",
            DASH if missing(row["ratio"]) else f"{int(row['not_clean'])} of {int(row['seeds_y'] * row['rounds'])}",
        ]
        for row in joined.to_dict("records")
    ]
    profile = results.study["profile"]
    caption = (
        f"{results.title(dataset)}: energy of 1,000 predictions, modelled from the CPU-seconds that were measured, memory left "
        "out; below it the bounds of the watts. The ratio to the baseline does not depend on the watts: geometric mean of "
        f"{count(profile['rounds'], 'round')} and {count(results.profiles['seed'].nunique(), 'seed')}, each of {profile['seconds']:g} CPU-seconds or more, in which "
        "variants that are compared took turns of 10 ms; below it its 95 % interval. A round is not clean if other processes "
        "kept the machine busy, also when it was measured again."
    )
    header = [
        "Variant",
        *titles,
        "Batch",
        "Energy of 1,000 predictions, mJ",
        "Times the baseline's",
        "Rounds not clean",
    ]
    return table(header, rows, caption, text_columns=1 + len(keys))


def _bounds(row: Any) -> str:
    return NOT_ESTIMABLE if missing(row["low"]) else f"{number(row['low'], 3)} to {number(row['high'], 3)}"


def ratios(results: Results, dataset: str) -> HTML | None:
    """Ratios of inference energy with their intervals, a panel a batch size; None where nothing is compared."""
    rows = _first(results, results.ratios, dataset)
    if rows.empty:
        return None
    sizes = list(dict.fromkeys(rows["batch_size"]))
    shown = [v for v in results.variant_order if v in set(rows["variant"])]
    figure, axes = panels(len(sizes), width=4.2, height=1.0 + 0.26 * len(shown))
    for axis, size in zip(axes, sizes, strict=True):
        for row in rows[rows["batch_size"] == size].to_dict("records"):
            y = shown.index(row["variant"])
            if not missing(row["low"]):
                axis.plot([row["low"], row["high"]], [y, y], color=COLOURS[0], linewidth=1.4)
            axis.plot(row["ratio"], y, "o", color=COLOURS[0], markersize=5)
        axis.axvline(1, color="#444", linewidth=0.8)
        axis.set_yticks(range(len(shown)), shown)
        axis.set_ylim(len(shown) - 0.5, -0.5)
        axis.grid(axis="y", visible=False)
        axis.set_title(f"batch {size}", fontsize=9)
        axis.set_xlabel("times the baseline's")
    caption = (
        f"{results.title(dataset)}; {_place(rows.iloc[0])}: energy of a prediction against the baseline's, with its 95 % interval; "
        "left of the line a variant takes less."
    )
    return picture(figure, caption, f"Dots with intervals: energy of a prediction against the baseline's for {results.title(dataset)}.")  # fmt: skip


def life(results: Results, dataset: str) -> HTML | None:
    """Energy of making each variant, stacked by the stages of its lineage."""
    rows = _first(results, results.life_cycle, dataset)
    rows = rows[(rows["per"] == "once") & (rows["stage"] != "search")]
    if rows.empty:
        return None
    shown = [v for v in results.variant_order if v in set(rows["variant"])]
    figure = Figure(figsize=(7.5, 1.3 + 0.3 * len(shown)), layout="constrained")
    axis, left, ends = figure.subplots(), np.zeros(len(shown)), {}
    for bound in ("low", "high"):
        ends[bound] = rows.groupby("variant")[f"energy_j_{bound}"].sum().reindex(shown)
    for i, (stage, of) in enumerate(rows.groupby("stage", sort=False)):
        joules = of.set_index("variant")["energy_j_central"].reindex(shown).fillna(0.0).to_numpy()
        if joules.any():
            axis.barh(shown, joules, left=left, color=COLOURS[i % len(COLOURS)], label=stage)
            left += joules
    for y, variant in enumerate(shown):
        axis.plot([ends["low"][variant], ends["high"][variant]], [y, y], color="#222", linewidth=0.9)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("energy of making one model, J")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    caption = (
        f"{results.title(dataset)}; {_place(rows.iloc[0])}: energy of making one model of each variant, by the stages of its lineage; "
        "mean over seeds, modelled. Lines reach from the low to the high bound of the model."
    )
    return picture(figure, caption, f"Stacked bars of making energy by stage and variant for {results.title(dataset)}.")


def lives(results: Results, dataset: str) -> HTML | None:
    """Making, failed attempts, search, storage and transfer of each variant, in J and gCO2e."""
    of = results.ordered(where(results.life_cycle, {"dataset": dataset}))
    if of.empty:
        return None
    keys, titles = _names(of)
    rows = []
    for key, mine in of.groupby(["variant", *keys], sort=False):
        stages = mine.drop_duplicates("stage").set_index("stage")
        making = mine[(mine["per"] == "once") & ~mine["stage"].isin(["search", "failed attempts"])].sum(
            numeric_only=True
        )
        others = [_within(stages.loc[name], 1.0, 2) for name in ("storage", "transfer")]
        failed = stages.loc["failed attempts"]
        rows.append(
            [*key, _within(making, 1.0, 1), significant(making["emissions_g"], 1e3),
             failed["status"] if failed["status"] != "modelled" else _within(failed) if failed["energy_j_central"] else "0",
             _within(stages.loc["search"], 1e-3, 2), *others]
        )  # fmt: skip
    stated = results.study["life_cycle"]
    moved, kept = stated["transfer_kwh_per_gb"], stated["storage_kwh_per_gb_year"]
    caption = (
        f"{results.title(dataset)}: what a variant takes over its life, modelled, with the bounds of the model. Making is one model along "
        "its lineage, data and augmentation included, mean over seeds; failed are attempts at those steps that came to nothing; search "
        "is all else that the study used for this dataset, other variants and seeds and every assessment. Transfer is bytes x "
        f"{moved['central']:g} kWh/GB ({moved['low']:g} to {moved['high']:g}; {moved['source']}; for {moved['year']}), storage bytes x "
        f"{kept['central']:g} kWh/GB a year ({kept['low']:g} to {kept['high']:g}; {kept['source']}, {kept['year']})."
    )
    header = ["Variant", *titles, "Making, J (modelled)", "Making, mgCO2e (modelled)", "Failed attempts, J", "Search, kJ (modelled)", "Storage for a year, J (stated factor)", "A transfer, J (stated factor)"]  # fmt: skip
    return table(header, rows, caption, text_columns=1 + len(keys))


# ---- break-even


def repaid(results: Results, dataset: str) -> HTML | None:
    """After how many predictions each variant has repaid itself, a panel a batch size; None where nothing is compared."""
    rows = _first(results, results.break_even, dataset)
    rows = rows[~rows["variant"].isin(results.noise_floors)]
    if rows.empty:
        return None
    sizes = list(dict.fromkeys(rows["batch_size"]))
    shown = [v for v in results.variant_order if v in set(rows["variant"])]
    figure, axes = panels(len(sizes), width=4.6, height=1.1 + 0.42 * len(shown))
    known = rows[["low", "predictions", "high"]].to_numpy(float)
    known = known[np.isfinite(known) & (known > 0)]
    start, end = (known.min() / 10, known.max() * 100) if len(known) else (1.0, 1e6)
    for axis, size in zip(axes, sizes, strict=True):
        _repaid(axis, rows[rows["batch_size"] == size], shown, start, end)
        axis.set_title(f"batch {size}", fontsize=9)
    handles: list[Any] = [Line2D([], [], marker="o", color=colour, label=scope) for scope, colour in SCOPES.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    caption = (
        f"{results.title(dataset)}; {_place(rows.iloc[0])}: predictions after which a variant has repaid what it cost more than its "
        "baseline, with the 95 % interval; once for making one model, once with the whole search for it. A line that ends in an arrow has "
        "no upper bound: whether a prediction saves anything is undecided."
    )
    return picture(figure, caption, f"Intervals of the break-even of each variant for {results.title(dataset)}.")


def _repaid(axis: Axes, rows: pd.DataFrame, shown: list[str], start: float, end: float) -> None:
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
    axis.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(_short))
    axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axis.set_yticks(range(len(shown)), shown)
    axis.set_ylim(len(shown) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("predictions")


def _short(value: float, _: int) -> str:
    """A power of ten as people say it."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def repayments(results: Results, dataset: str) -> HTML | None:
    """The break-even of every variant in words and numbers."""
    rows = results.ordered(where(results.break_even, {"dataset": dataset}))
    rows = rows[~rows["variant"].isin(results.noise_floors)]
    if rows.empty:
        return None
    keys, titles = _names(rows)
    told = [
        [key[0], *key[1:-1], f"{key[-1]}", *(said(where(of, {"scope": scope}).iloc[0]) for scope in SCOPES)]
        for key, of in rows.groupby(["variant", *keys, "batch_size"], sort=False)
    ]
    stated = results.study["life_cycle"]
    caption = (
        f"{results.title(dataset)}: predictions after which a variant has repaid what it cost more than its baseline, with the 95 % interval. "
        "At once: it costs no more. Never: a prediction does not take less. Undecided: the interval of what a prediction saves holds 0; "
        f"the number is then the earliest. Its bytes count with downloads: {stated['downloads']:g} and years: {stated['years']:g}."
    )
    return table(["Variant", *titles, "Batch", "Making one model", "With the whole search"], told, caption, text_columns=1 + len(keys))  # fmt: skip


def said(row: Any) -> str:
    """A break-even in words; what follows a line break is its interval."""
    if row["status"] == "after":
        repaid = significant(row["predictions"]) if row["predictions"] else "at once"
        return f"{repaid}\n{significant(row['low'])} to {significant(row['high'])}"
    return (
        f"undecided\nfrom {significant(row['low'])}"
        if row["status"] == "undecided" and row["low"]
        else str(row["status"])
    )
