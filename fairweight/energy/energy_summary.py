"""What a finished or broken run used, as far as its ledger tells, and when its variants repay what they cost."""

from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.artifacts import read_frame, write_frame, write_yaml
from fairweight.core.formatting import significant
from fairweight.core.resource_usage import machine
from fairweight.energy import energy_model, life_cycle, other_estimators
from fairweight.energy.attribution import Shares
from fairweight.energy.carbon_intensity import intensity_of, with_hours
from fairweight.energy.gather_intensity import hours_of
from fairweight.energy.ledger import by_rule, read_ledger
from fairweight.energy.metered_ledger import differing_clocks, meter
from fairweight.energy.sci import embodied_g
from fairweight.energy.wall_meter import read_wall_meter
from fairweight.energy.what_if import elsewhere, span

BUSY_CORES = 0.2  # more than that is no idle machine


def account(results: Path, recipe: dict[str, Any]) -> str:
    """Write summary/ledger.parquet and summary/carbon.yaml, and tell what is in them and in summary/break_even.parquet.

    Args:
        results: folder of the study.
        recipe: `energy` of the study file.

    Returns:
        What was found, as text.
    """
    recipe = with_hours(recipe, hours_of(results, recipe))
    wall = read_wall_meter(Path(recipe["meter_csv"])) if recipe["meter_csv"] else None
    table, nodes = meter(read_ledger(results), results / "meter", wall)
    rules = by_rule(table, recipe)
    told = [
        _text_of_rules(table, rules, recipe),
        _text_of_meters(table, nodes),
        *(differing_clocks(results / "meter", wall) if wall else []),
        other_estimators.text(other_estimators.compare(table, recipe, other_estimators.Machine.of(*machine(), recipe))),
        _text_of_carbon(table, rules, recipe),
    ]
    write_frame(results / "summary" / "ledger.parquet", table)
    write_yaml(results / "summary" / "carbon.yaml", card(rules, recipe))
    if (repaid := results / "summary" / "break_even.parquet").exists():  # of a finished study
        told.append(life_cycle.text(read_frame(repaid)))
    return "\n\n".join(told)


def card(rules: pd.DataFrame, recipe: dict[str, Any]) -> dict[str, Any]:
    """`co2_eq_emissions` of a Hugging Face model card, in grams; the embodied share of the machine is not in it."""
    intensity, watts = intensity_of(recipe), energy_model.watts_per_core(recipe)
    source = (
        f"modelled by fairweight from CPU-seconds, operational only: {watts['central']:.3g} W per busy core "
        f"({watts['low']:.3g} to {watts['high']:.3g}), PUE {recipe['pue']:g}, {intensity.g_per_kwh:g} gCO2e/kWh "
        f"({intensity.source}{f' {intensity.year}' if intensity.year else ''})"
    )
    return {
        "co2_eq_emissions": {
            "emissions": round(float(rules["emissions_g"].sum()), 4),
            "source": source,
            "training_type": "the whole study: training, compression, evaluation, and failed attempts as far as known",
            "geographical_location": "not told" if recipe["g_per_kwh"] is not None else intensity.name,
            "hardware_used": recipe["processor"] or "CPU",
        }
    }


def _text_of_rules(table: pd.DataFrame, rules: pd.DataFrame, recipe: dict[str, Any]) -> str:
    lines = [f"{'rule':<18}{'attempts':>9}{'not ok':>8}{'CPU-s':>10}   energy, J (modelled, low to high)     gCO2e"]
    for row in rules.itertuples():
        about = f"{row.rule:<18}{row.attempts:>9}{row.failed:>8}"
        if pd.isna(row.cpu_s):
            lines.append(f"{about}          not attributable")
            continue
        power = f"{row.energy_j_central:.0f} ({row.energy_j_low:.0f} to {row.energy_j_high:.0f})"
        lines.append(f"{about}{row.cpu_s:>10.1f}   {power:<34}{significant(row.emissions_g):>9}")
    total = rules[["cpu_s", "energy_j_low", "energy_j_central", "energy_j_high", "emissions_g"]].sum()
    power = f"{total['energy_j_central']:.0f} ({total['energy_j_low']:.0f} to {total['energy_j_high']:.0f})"
    lines.append(f"{'together':<35}{total['cpu_s']:>10.1f}   {power:<34}{significant(total['emissions_g']):>9}")
    if unknown := int(rules["unknown"].sum()):
        lines.append(f"{unknown} attempts ended without telling what they used; they are not in the sums.")
    lines += _unknown(table)
    place = intensity_of(recipe)
    kind = "on average " if place.hours else ""
    lines.append(
        f"Operational only, at {kind}{place.g_per_kwh:.4g} gCO2e/kWh ({place.name}, {place.source}, {place.year or 'no year told'})."
    )
    if place.hours:
        spans = table[["started", "wall_s"]].dropna()
        unknown = sum(not place.knows(started, lasted) for started, lasted in spans.itertuples(index=False))
        if unknown:
            lines.append(f"{unknown} attempts ran in hours of which no intensity is known; the mean stands in.")
    return "\n".join(lines)


def _unknown(table: pd.DataFrame) -> list[str]:
    """What the ledger cannot know, a sentence each."""
    steps, lines = table[table["kind"] == "step"], []
    if alone := int((steps["recorded_by"] == "step").sum()):
        lines.append(f"{alone} steps are known from their usage files only: failed attempts at them are not known.")
    told = set(table.loc[table["kind"] == "run", "session"])
    if silent := len(set(steps["session"].dropna()) - told):
        lines.append(f"{silent} runs ended without telling what Snakemake and Dask used themselves.")
    elif not told:
        lines.append("What Snakemake used itself is not known: only the executor `dask` tells it.")
    return lines


def _text_of_meters(table: pd.DataFrame, nodes: list[tuple[str, Shares]]) -> str:
    """What meters counted: of each node, and of how many attempts."""
    if not nodes:
        return "No meter was read, or no sampler ran beside it (`fairweight run` starts one): all energy is modelled."
    counts = table.loc[table["kind"] == "step", "energy_status"].value_counts()
    lines = ["By attempt, energy is " + ", ".join(f"{name}: {count}" for name, count in counts.items()) + "."]
    for host, node in nodes:
        steps = node.metered_j - node.idle_j - node.others_j - node.unattributed_j
        lines.append(
            f"{host}: measured {node.metered_j:.0f} J, of which the idle machine {node.idle_j:.0f}, steps {steps:.0f}, other "
            f"processes {node.others_j:.0f}, not attributable {node.unattributed_j:.0f}."
        )
        if node.idle_busy_cores > BUSY_CORES:
            lines.append(
                f"{host} was not idle when that was measured ({node.idle_busy_cores:.1f} cores busy): the energy of steps is "
                "too low."
            )
    return "\n".join(lines)


def _text_of_carbon(table: pd.DataFrame, rules: pd.DataFrame, recipe: dict[str, Any]) -> str:
    """Water, what making the machine emitted, and the same run elsewhere."""
    water = energy_model.water_l(float(rules["energy_j_central"].sum()), recipe)
    lines = [] if water is None else [f"Water of the building, by its WUE: {water:.3g} l."]
    steps = table[table["kind"] == "step"].dropna(subset=["wall_s", "threads"])
    made = embodied_g(float((steps["wall_s"] * steps["threads"].astype(float)).sum()), recipe["embodied"])
    if made:
        share = f"{made['central']:.3g} gCO2e ({made['low']:.3g} to {made['high']:.3g})"
        lines.append(
            f"The share of the steps in making the machine, by cores and time: {share}; it is not in the sums above."
        )
    lines.append("The same energy elsewhere:")
    joules = {bound: float(rules[f"energy_j_{bound}"].sum()) for bound in energy_model.BOUNDS}
    found = elsewhere(joules, float(rules["emissions_g"].sum()), span(table[table["kind"] == "step"]), recipe)
    hours = found[found["kind"] == "hour"].sort_values("carbon_g")
    for row in pd.concat([found[found["kind"].isin(["country", "region"])], hours[:1], hours[1:][-1:]]).itertuples():
        year = f", {row.year}" if pd.notna(row.year) else ""
        place = f"here, from {row.place}" if row.kind == "hour" else row.place
        lines.append(
            f"  {place:<44}{significant(row.carbon_g):>9} gCO2e  ({row.intensity_g_per_kwh:.4g} gCO2e/kWh{year})"
        )
    return "\n".join(lines)
