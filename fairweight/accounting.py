"""What a finished or broken run used, as far as its ledger tells, and when its variants repay what they cost."""

from pathlib import Path
from typing import Any

import pandas as pd

from fairweight import energy, estimators, lifecycle
from fairweight.artifacts import read_frame, write_frame, write_yaml
from fairweight.attribution import Shares
from fairweight.cost import machine
from fairweight.ledger import by_rule, read_ledger
from fairweight.metering import meter

BUSY_CORES = 0.2  # more than that is no idle machine


def account(results: Path, recipe: dict[str, Any], countries: list[str]) -> str:
    """Write summary/ledger.parquet and summary/carbon.yaml, and tell what is in them and in summary/break_even.parquet.

    Args:
        results: folder of the study.
        recipe: `energy` of the study file.
        countries: where else the run is imagined, ISO 3166 alpha-3.

    Returns:
        What was found, as text.
    """
    table, nodes = meter(read_ledger(results), results / "meter")
    rules = by_rule(table, recipe)
    told = [
        _text_of_rules(table, rules, recipe),
        _text_of_meters(table, nodes),
        estimators.text(estimators.compare(table, recipe, estimators.Machine.of(*machine(), recipe))),
        _elsewhere(rules, countries),
    ]
    write_frame(results / "summary" / "ledger.parquet", table)
    write_yaml(results / "summary" / "carbon.yaml", card(rules, recipe))
    if (repaid := results / "summary" / "break_even.parquet").exists():  # of a finished study
        told.append(lifecycle.text(read_frame(repaid)))
    return "\n\n".join(told)


def card(rules: pd.DataFrame, recipe: dict[str, Any]) -> dict[str, Any]:
    """`co2_eq_emissions` of a Hugging Face model card, in grams; the embodied share of the machine is not in it."""
    intensity, watts = energy.intensity_of(recipe), energy.watts_per_core(recipe)
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
            "geographical_location": intensity.name if intensity.year else "not told",
            "hardware_used": recipe["processor"] or "CPU",
        }
    }


def _text_of_rules(table: pd.DataFrame, rules: pd.DataFrame, recipe: dict[str, Any]) -> str:
    lines = [f"{'rule':<18}{'attempts':>9}{'not ok':>8}{'CPU-s':>10}   energy, J (modelled, low to high)   gCO2e"]
    for row in rules.itertuples():
        power = f"{row.energy_j_central:.0f} ({row.energy_j_low:.0f} to {row.energy_j_high:.0f})"
        lines.append(
            f"{row.rule:<18}{row.attempts:>9}{row.failed:>8}{row.cpu_s:>10.1f}   {power:<34}{row.emissions_g:>7.3f}"
        )
    total = rules[["cpu_s", "energy_j_low", "energy_j_central", "energy_j_high", "emissions_g"]].sum()
    power = f"{total['energy_j_central']:.0f} ({total['energy_j_low']:.0f} to {total['energy_j_high']:.0f})"
    lines.append(f"{'together':<35}{total['cpu_s']:>10.1f}   {power:<34}{total['emissions_g']:>7.3f}")
    if unknown := int(rules["unknown"].sum()):
        lines.append(f"{unknown} attempts ended without telling what they used; they are not in the sums.")
    lines += _unknown(table)
    place = energy.intensity_of(recipe)
    lines.append(
        f"Operational only, at {place.g_per_kwh:g} gCO2e/kWh ({place.name}, {place.source}, {place.year or 'no year told'})."
    )
    return "\n".join(lines)


def _unknown(table: pd.DataFrame) -> list[str]:
    """What the ledger cannot know, a sentence each."""
    steps, lines = table[table["kind"] == "step"], []
    if alone := int((steps["recorded_by"] == "step").sum()):
        lines.append(f"{alone} steps are known from their cost files only: failed attempts at them are not known.")
    told = set(table.loc[table["kind"] == "run", "session"])
    if silent := len(set(steps["session"].dropna()) - told):
        lines.append(f"{silent} runs ended without telling what Snakemake and Dask used themselves.")
    elif not told:
        lines.append("What Snakemake used itself is not known: only the executor `dask` tells it.")
    return lines


def _text_of_meters(table: pd.DataFrame, nodes: list[tuple[str, Shares]]) -> str:
    """What meters counted: of each node, and of how many attempts."""
    if not nodes:
        return "No meter was read: all energy is modelled."
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


def _elsewhere(rules: pd.DataFrame, countries: list[str]) -> str:
    joules = float(rules["energy_j_central"].sum())
    lines = ["The same energy elsewhere:"]
    for place, grams in energy.elsewhere(joules, countries):
        lines.append(f"  {place.name:<20}{grams:>9.3f} gCO2e  ({place.g_per_kwh:g} gCO2e/kWh, {place.year})")
    return "\n".join(lines)
