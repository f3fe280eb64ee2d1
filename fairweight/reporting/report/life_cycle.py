"""Energy of variants over their life cycle: predictions, and making, storing and transferring a model."""

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from fairweight.core.formatting import DASH, TWO_LINES, count, missing, number, significant, with_interval
from fairweight.core.frames import where
from fairweight.core.lineage import CELL
from fairweight.core.shown_measures import measure
from fairweight.inference.profile_columns import DISTURBED_CORES
from fairweight.reporting.report.columns import Column, energy_cell
from fairweight.reporting.report.figures import FULL_WIDTH, panels
from fairweight.reporting.report.page import picture, table
from fairweight.reporting.report.palette import COLOURS
from fairweight.reporting.report.results import Document, Results, place, varying

GRID = ("model", "augmentation", "engine")  # columns that a table shows where they vary


def inference(results: Results, dataset: str) -> HTML | None:
    """Table of the modelled energy of 1,000 predictions of every variant and engine, and its ratio to the baseline's.

    None where nothing was profiled.
    """
    used = results.ordered(where(results.life_cycle, {"dataset": dataset, "stage": "use"}))
    if used.empty:
        return None
    keys = varying(used, GRID)
    joined = used.merge(results.ratios, on=[*CELL, "batch_size"], how="left")
    rows = [
        [
            row["variant"],
            *(row[key] for key in keys),
            f"{row['batch_size']}",
            with_interval(
                *(row[f"energy_j_{bound}"] for bound in ("central", "low", "high")), writer=TWO_LINES, write=significant
            ),
            "baseline"
            if missing(row["ratio"])
            else with_interval(row["ratio"], row["low"], row["high"], 3, writer=TWO_LINES),
            DASH if missing(row["ratio"]) else f"{int(row['not_clean'])} of {int(row['seeds_y'] * row['rounds'])}",
        ]
        for row in joined.to_dict("records")
    ]
    heading = Column("energy_j_per_1000").heading
    header = ["Variant", *map(str.capitalize, keys), "Batch", heading]
    header += ["Ratio to the baseline (modelled)", "Disturbed rounds"]
    caption = f"{results.title(dataset)}: modelled energy of 1,000 predictions."
    notes = with_disturbances(_inference_notes(results), results, dataset)
    return table(header, rows, caption, notes=notes, text_columns=1 + len(keys))


def disturbed_rounds(results: Results, dataset: str) -> str | None:
    """One sentence on how many rounds of the profile of a dataset were disturbed; None if none was.

    It is plain text. A round of a file counts if other processes kept the machine busy and it was not repeated.
    """
    rows = where(results.profiles, {"dataset": dataset})
    known = rows[rows["disturbed_rounds"].notna()] if len(rows) else rows
    if known.empty or not (disturbed := int(known["disturbed_rounds"].sum())):
        return None
    worst = where(results.ratios, {"dataset": dataset})["other_cores"].max() if len(results.ratios) else float("nan")
    most = "" if missing(worst) else f", at worst {number(worst)} cores"
    return (
        f"Other processes kept the machine busy in {disturbed:,} of {int(known['rounds'].sum()):,} rounds of the "
        f"profile (more than {DISTURBED_CORES:g} cores{most}): latency, CPU-seconds and the energy that is modelled "
        "from them are less certain."
    )


def with_disturbances(notes: str, results: Results, dataset: str) -> str:
    """Notes on figures of the profile of a dataset, with the sentence on its disturbed rounds."""
    return " ".join(filter(None, (notes, disturbed_rounds(results, dataset))))


def _inference_notes(results: Results) -> str:
    profile = results.study["profile"]
    rounds, seeds = count(profile["rounds"], "round"), count(results.profiles["seed"].nunique(), "seed")
    return (
        "Energy is modelled from the measured CPU-seconds, without memory; small numbers are the bounds for the "
        "power of a core. The ratio is that of the CPU-seconds: it is the ratio of energies if a busy core draws the "
        f"same power whatever it computes. It is the geometric mean over {rounds} and {seeds}, with its 95 % interval; "
        f"in each round, every variant runs for at least {profile['seconds']:g} CPU-seconds, and variants that are "
        "compared take turns of 10 ms. A round counts as disturbed if other processes kept the machine busy, also when "
        "it was repeated."
    )


def inference_ratios(results: Results, dataset: str) -> HTML | None:
    """Figure of the ratios of modelled inference energy with their intervals, one panel for each batch size.

    None where nothing is compared.
    """
    rows = results.first_combination(results.ratios, dataset)
    if rows.empty:
        return None
    sizes = list(dict.fromkeys(rows["batch_size"]))
    shown = [v for v in results.variant_order if v in set(rows["variant"])]
    figure, axes = panels(len(sizes), height=1.0 + 0.26 * len(shown))
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
        axis.set_xlabel("Ratio to the baseline (modelled)")
    title = results.title(dataset)
    return picture(
        figure,
        f"{title}: modelled energy of a prediction relative to the baseline.",
        f"Dots with intervals: modelled energy of a prediction relative to the baseline for {title}.",
        notes=with_disturbances(
            "Lines are 95 % intervals of the ratio of CPU-seconds, from which energy is modelled. Left of the vertical "
            f"line, a variant uses less than the baseline. Shown: {place(rows.iloc[0])}.",
            results,
            dataset,
        ),
    )


def making_stages(results: Results, dataset: str) -> HTML | None:
    """Figure of the energy of making each variant, stacked by the stages of its lineage; None where nothing is made."""
    rows = results.first_combination(results.life_cycle, dataset)
    rows = rows[(rows["per"] == "once") & (rows["stage"] != "search")]
    if rows.empty:
        return None
    shown = [v for v in results.variant_order if v in set(rows["variant"])]
    figure = Figure(figsize=(FULL_WIDTH, 1.3 + 0.3 * len(shown)), layout="constrained")
    axis, left = figure.subplots(), np.zeros(len(shown))
    bounds = rows.groupby("variant")[["energy_j_low", "energy_j_high"]].sum().reindex(shown)
    for i, (stage, part) in enumerate(rows.groupby("stage", sort=False)):
        joules = part.set_index("variant")["energy_j_central"].reindex(shown).fillna(0.0).to_numpy()
        if joules.any():
            axis.barh(shown, joules, left=left, color=COLOURS[i % len(COLOURS)], label=stage)
            left += joules
    for y, (low, high) in enumerate(bounds.to_numpy()):
        axis.plot([low, high], [y, y], color="#222", linewidth=0.9)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set_xlabel(Column("making_energy_j").heading)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    title = results.title(dataset)
    return picture(
        figure,
        f"{title}: modelled energy of making one model of each variant, by stage.",
        f"Stacked bars of the modelled energy to make each variant, by stage, for {title}.",
        notes=f"Means over seeds. Lines are the low and high bounds of the energy model. Shown: {place(rows.iloc[0])}.",
    )


def life_cycle(results: Results, dataset: str) -> HTML | None:
    """Table of making, failed attempts, search, storage and transfer of each variant; None where there is none."""
    cells = results.ordered(where(results.life_cycle, {"dataset": dataset}))
    if cells.empty:
        return None
    keys = varying(cells, GRID)
    rows = [[*key, *_stages(part)] for key, part in cells.groupby(["variant", *keys], sort=False)]
    header = [
        "Variant",
        *map(str.capitalize, keys),
        Column("making_energy_j").heading,
        "Emissions to make it, mgCO2e (modelled)",
        "Failed attempts, J (modelled)",
        "Search, kJ (modelled)",
        "Storage for a year, J (stated factor)",
        "One transfer, J (stated factor)",
    ]
    caption = f"{results.title(dataset)}: modelled energy of each variant over its life cycle."
    return table(header, rows, caption, notes=_life_cycle_notes(results.study), text_columns=1 + len(keys))


def _stages(part: pd.DataFrame) -> list[str]:
    """Cells of one variant in the table of `life_cycle`."""
    stages = part.drop_duplicates("stage").set_index("stage")
    once = part[(part["per"] == "once") & ~part["stage"].isin(["search", "failed attempts"])]
    making = once.sum(numeric_only=True)
    bounds = (making[f"energy_j_{bound}"] for bound in ("central", "low", "high"))
    failed = stages.loc["failed attempts"]
    lost = energy_cell(failed) if failed["energy_j_central"] else "0"
    return [
        measure("making_energy_j").with_interval(*bounds, writer=TWO_LINES),
        significant(making["emissions_g"], 1e3),
        lost if failed["status"] == "modelled" else failed["status"],
        energy_cell(stages.loc["search"], 2, 1e-3),
        energy_cell(stages.loc["storage"], 2),
        energy_cell(stages.loc["transfer"], 2),
    ]


def _life_cycle_notes(study: Document) -> str:
    moved, kept = study["life_cycle"]["transfer_kwh_per_gb"], study["life_cycle"]["storage_kwh_per_gb_year"]
    return (
        "Making covers one model along its lineage, data and augmentation included, as a mean over seeds. Failed "
        "attempts are those of the same steps. Search is everything else that the study used for this dataset: other "
        "variants, other seeds, all assessments, and a share of Snakemake and Dask themselves. Transfer is bytes "
        f"x {moved['central']:g} kWh/GB ({moved['low']:g} to {moved['high']:g}; {moved['source']}; for "
        f"{moved['year']}); storage is bytes x {kept['central']:g} kWh/GB per year ({kept['low']:g} to "
        f"{kept['high']:g}; {kept['source']}, {kept['year']}). Small numbers are the bounds."
    )
