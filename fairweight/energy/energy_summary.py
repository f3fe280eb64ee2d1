"""Summarize the energy of a finished or interrupted run from its ledger, and the break-even points of its variants."""

from collections.abc import Collection
from pathlib import Path
from typing import TypedDict

import pandas as pd

from fairweight.core.artifacts import read_frame, write_frame, write_yaml
from fairweight.core.formatting import significant, with_interval
from fairweight.core.recipes import EnergyRecipe
from fairweight.core.resource_usage import machine
from fairweight.energy import energy_model, other_estimators
from fairweight.energy.attribution import Shares
from fairweight.energy.carbon_intensity import Intensity, intensity_of, with_hours
from fairweight.energy.gather_intensity import hours_of
from fairweight.energy.ledger import by_rule, read_ledger
from fairweight.energy.metered_ledger import differing_clocks, meter
from fairweight.energy.sci import embodied_g
from fairweight.energy.wall_meter import read_wall_meter
from fairweight.energy.what_if import elsewhere, span
from fairweight.statistics.break_even import JOINT_CONFIDENCE

LARGE = 1e9  # predictions that are written with an exponent
NAME_WIDTH, POINT_WIDTH = 22, 40  # columns of the break-even points
BUSY_CORES = 0.2  # with more busy cores, the machine is not idle


class Emissions(TypedDict):
    """`co2_eq_emissions` of a model card; emissions in g."""

    emissions: float
    source: str
    training_type: str
    geographical_location: str
    hardware_used: str


class Card(TypedDict):
    """Emissions for a model card, as in summary/carbon.yaml."""

    co2_eq_emissions: Emissions


def account(results: Path, recipe: EnergyRecipe, *, batch: int = 1, replicates: Collection[str] = ()) -> str:
    """Write summary/ledger.parquet and summary/carbon.yaml, and summarize them together with the break-even points.

    Args:
        results: folder of the study.
        recipe: `energy` of the study file.
        batch: rows per call of the break-even points, `decision: batch` of the study file; without it, the smallest.
        replicates: variants that train a recipe again, which have no break-even point.

    Returns:
        The summary as text for a terminal.
    """
    recipe = with_hours(recipe, hours_of(results, recipe))
    wall = read_wall_meter(Path(meter_csv)) if (meter_csv := recipe["meter_csv"]) else None
    table, nodes = meter(read_ledger(results), results / "meter", wall)
    rules = by_rule(table, recipe)
    this_machine = other_estimators.Machine.from_recipe(*machine(), recipe)
    sections = [
        _text_of_rules(table, rules, recipe),
        _text_of_meters(table, nodes),
        *(differing_clocks(results / "meter", wall) if wall else []),
        other_estimators.text(other_estimators.compare(table, recipe, this_machine)),
        _text_of_carbon(table, rules, recipe),
    ]
    write_frame(results / "summary" / "ledger.parquet", table)
    write_yaml(results / "summary" / "carbon.yaml", card(rules, recipe))
    if (path := results / "summary" / "break_even.parquet").exists():  # of a finished study
        repaid = read_frame(path)
        repaid = repaid[~repaid["variant"].isin(replicates)]
        sections += [] if repaid.empty else [_text_of_break_even(repaid, batch)]
    return "\n\n".join(sections)


def card(rules: pd.DataFrame, recipe: EnergyRecipe) -> Card:
    """`co2_eq_emissions` of a Hugging Face model card, without the embodied emissions of the machine.

    Args:
        rules: `ledger.by_rule`.
        recipe: `energy` of the study file.
    """
    intensity, watts = intensity_of(recipe), energy_model.watts_per_core(recipe)
    power = with_interval(watts["central"], watts["low"], watts["high"], write=significant)
    source = (
        f"modelled by fairweight from CPU-seconds, operational only: {power} W per busy core, PUE {recipe['pue']:g}, "
        f"{intensity.g_per_kwh:g} gCO2e/kWh ({intensity.source}{f' {intensity.year}' if intensity.year else ''})"
    )
    return {
        "co2_eq_emissions": {
            "emissions": round(float(rules["emissions_g"].sum()), 4),
            "source": source,
            "training_type": "the whole study: training, compression, evaluation, and failed attempts as far as known",
            "geographical_location": "not stated" if recipe["g_per_kwh"] is not None else intensity.name,
            "hardware_used": recipe["processor"] or "CPU",
        }
    }


def _text_of_rules(table: pd.DataFrame, rules: pd.DataFrame, recipe: EnergyRecipe) -> str:
    """Table of the rules, sums, what is not known, and the carbon intensity."""
    lines = [f"{'rule':<18}{'attempts':>9}{'not ok':>8}{'CPU-s':>10}   energy, J (modelled, low to high)     gCO2e"]
    for row in rules.to_dict("records"):
        start = f"{row['rule']:<18}{row['attempts']:>9}{row['failed']:>8}"
        if pd.isna(row["cpu_s"]):
            lines.append(f"{start}          not attributable")
        else:
            lines.append(start + _amounts(row))
    total = rules[["cpu_s", "energy_j_low", "energy_j_central", "energy_j_high", "emissions_g"]].sum()
    lines.append(f"{'together':<35}{_amounts(total)}")
    if unknown := int(rules["unknown"].sum()):
        lines.append(f"{unknown} attempts ended without a record of their usage; they are not in the sums.")
    return "\n".join([*lines, *_unknown(table), *_text_of_intensity(table, intensity_of(recipe))])


def _amounts(row: "pd.Series | dict[str, float]") -> str:
    """CPU-seconds, energy and emissions of a rule, in columns."""
    energy = with_interval(row["energy_j_central"], row["energy_j_low"], row["energy_j_high"], digits=0)
    return f"{row['cpu_s']:>10.1f}   {energy:<34}{significant(row['emissions_g']):>9}"


def _text_of_intensity(table: pd.DataFrame, intensity: Intensity) -> list[str]:
    """Sentences about the carbon intensity that emissions are computed with."""
    mean = "on average " if intensity.hours else ""
    year = intensity.year or "year not stated"
    lines = [
        f"Operational only, at {mean}{intensity.g_per_kwh:.4g} gCO2e/kWh "
        f"({intensity.name}, {intensity.source}, {year})."
    ]
    if intensity.hours:
        spans = table[["started", "wall_s"]].dropna()
        if unknown := sum(not intensity.knows(started, lasted) for started, lasted in spans.itertuples(index=False)):
            lines.append(f"{unknown} attempts ran in hours of unknown intensity; the mean is used for them.")
    return lines


def _unknown(table: pd.DataFrame) -> list[str]:
    """What the ledger cannot know, one sentence each."""
    steps, lines = table[table["kind"] == "step"], []
    if alone := int((steps["recorded_by"] == "step").sum()):
        lines.append(f"{alone} steps are known from their usage files only: failed attempts at them are not known.")
    runs = table[table["kind"] == "run"]
    if open_ended := int((runs["complete"] == False).sum()):  # noqa: E712 - unknown is not False
        lines.append(
            f"{open_ended} runs are under way or were killed: what Snakemake and Dask used after their last record is "
            "not in the sums."
        )
    recorded = set(runs["session"])
    if silent := len(set(steps["session"].dropna()) - recorded):
        lines.append(f"{silent} runs ended without a record of what Snakemake and Dask used themselves.")
    elif not recorded:
        lines.append("What Snakemake used itself is not known: only the executor `dask` records it.")
    return lines


def _text_of_meters(table: pd.DataFrame, nodes: list[tuple[str, Shares]]) -> str:
    """Number of attempts by status, and the measured energy of each node."""
    if not nodes:
        return "No meter was read, or no sampler ran (`fairweight run` starts one): all energy is modelled."
    counts = table.loc[table["kind"] == "step", "energy_status"].value_counts()
    lines = ["By attempt, energy is " + ", ".join(f"{name}: {count}" for name, count in counts.items()) + "."]
    for host, node in nodes:
        steps = node.metered_j - node.idle_j - node.others_j - node.unattributed_j
        lines.append(
            f"{host}: measured {node.metered_j:.0f} J, of which the idle machine {node.idle_j:.0f}, steps {steps:.0f}, "
            f"other processes {node.others_j:.0f}, not attributable {node.unattributed_j:.0f}."
        )
        if node.idle_busy_cores > BUSY_CORES:
            lines.append(
                f"{host} was not idle when its idle power was measured ({node.idle_busy_cores:.1f} cores busy): the "
                "energy of steps is too low."
            )
    return "\n".join(lines)


def _text_of_carbon(table: pd.DataFrame, rules: pd.DataFrame, recipe: EnergyRecipe) -> str:
    """Water, embodied emissions of the machine, and the same run in other places and hours."""
    water = energy_model.water_l(float(rules["energy_j_central"].sum()), recipe)
    lines = [] if water is None else [f"Water of the building, by its WUE: {water:.3g} l."]
    steps = table[table["kind"] == "step"].dropna(subset=["wall_s", "threads"])
    made = embodied_g(float((steps["wall_s"] * steps["threads"].astype(float)).sum()), recipe["embodied"])
    if made:
        share = with_interval(made["central"], made["low"], made["high"], write=significant)
        lines.append(
            f"Embodied emissions of the machine, shared by cores and time: {share} gCO2e; not in the sums above."
        )
    lines.append("The same energy elsewhere:")
    joules = {bound: float(rules[f"energy_j_{bound}"].sum()) for bound in energy_model.BOUNDS}
    emitted_g, run = float(rules["emissions_g"].sum()), span(table[table["kind"] == "step"])
    rows = elsewhere(joules, emitted_g, run, recipe)
    hours = rows[rows["kind"] == "hour"].sort_values("carbon_g")
    for row in pd.concat([rows[rows["kind"].isin(["country", "region"])], hours[:1], hours[1:][-1:]]).itertuples():
        year = f", {row.year}" if pd.notna(row.year) else ""
        place = f"here, from {row.place}" if row.kind == "hour" else row.place
        lines.append(
            f"  {place:<44}{significant(row.carbon_g):>9} gCO2e  ({row.intensity_g_per_kwh:.4g} gCO2e/kWh{year})"
        )
    return "\n".join(lines)


def _text_of_break_even(table: pd.DataFrame, batch: int) -> str:
    """Break-even points of the variants at one batch size, a line for each variant."""
    sizes = sorted(table["batch_size"].unique())
    size = batch if batch in sizes else sizes[0]
    lines = [
        f"Predictions at batch {size} after which a variant has saved the extra energy of making it (modelled;",
        f"intervals hold with at least {JOINT_CONFIDENCE:.0%}):",
    ]
    table = table[table["batch_size"] == size]
    name_width = min(NAME_WIDTH, table["variant"].str.len().max())
    for place, rows in table.groupby(["dataset", "augmentation", "model", "engine"], sort=False):
        lines.append(", ".join(map(str, place)))
        lines.append(f"  {'':<{name_width}}  {'making one model':<{POINT_WIDTH}}  with the whole search")
        for variant, by_scope in rows.groupby("variant", sort=False):
            points = by_scope.set_index("scope").apply(_break_even, axis=1)
            first, second = points["making"], points["making and search"]
            lines += [f"  {variant}"] if len(str(variant)) > name_width else []  # a long name has its own line
            name = "" if len(str(variant)) > name_width else variant
            lines.append(f"  {name:<{name_width}}  {first:<{POINT_WIDTH}}  {second}")
    return "\n".join(lines)


def _break_even(row: "pd.Series") -> str:
    """One break-even point with its interval, in at most POINT_WIDTH characters."""
    if row["status"] == "undecided" and row["low"]:
        return f"undecided, from {_rounded(row['low'])}"
    if row["status"] != "after":
        return str(row["status"])
    text = with_interval(row["predictions"], row["low"], row["high"], write=_rounded)
    return text if row["predictions"] else text.replace("0", "at once", 1)


def _rounded(predictions: float) -> str:
    return f"{predictions:.3g}" if predictions >= LARGE else significant(predictions)
