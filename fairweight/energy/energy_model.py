"""Energy and carbon, modelled from CPU-seconds (standard library only).

energy = (CPU-seconds x watts of one busy core + memory x time x watts per GB) x PUE; emissions = energy x carbon
intensity of a country's electricity. The terms are those of Green Algorithms (Lannelongue, Grealey and Inouye 2021,
doi:10.1002/advs.202100707), with the CPU-seconds that were used in place of wall time x cores x usage.
No meter is read here: every result is modelled and has a low and a high bound.
"""

import json
from collections.abc import Iterable
from typing import Any, Literal

from fairweight.core.components import WORKFLOW
from fairweight.core.errors import InputError, did_you_mean, listed, quoted
from fairweight.core.recipes import Bounds, EnergyRecipe
from fairweight.energy.carbon_intensity import intensity_of

Bound = Literal["low", "central", "high"]
Number = Any  # a number, or an array or column of numbers
Amounts = dict[str, Number]  # energy_j_low, energy_j_central, energy_j_high (J) and emissions_g (gCO2e)

BOUNDS: tuple[Bound, ...] = ("low", "central", "high")
J_PER_KWH = 3.6e6
MODEL_ERROR = 0.4
# keys of `energy` that determine energy and emissions
MODEL = (
    *("watts_per_core", "processor", "watts_per_gb", "pue", "country"),
    *("g_per_kwh", "intensity_source", "intensity_year", "cloud_region", "hourly", "electricity_maps"),
)
PROCESSORS = WORKFLOW / "config" / "processors.json"


def watts_per_core(recipe: EnergyRecipe) -> Bounds:
    """Low, central and high power in W of one busy core: of the processor that the study names, or as stated.

    For a named processor the central value is its thermal design power divided by its cores. The bounds are 40 % below
    and above it, the largest error of CodeCarbon and others against a wall meter in Fischer (2025, arXiv:2509.22092).

    Args:
        recipe: `energy` of the study file.

    Raises:
        InputError: the table has no such processor.
    """
    name = recipe.get("processor")
    if name is None:
        return {**recipe["watts_per_core"]}
    table = json.loads(PROCESSORS.read_text(encoding="utf-8"))["processors"]
    if name not in table:
        raise InputError(
            f"energy: processor: {quoted(name)} is not in config/processors.json{did_you_mean(name, table)}; it has "
            f"{listed(sorted(table))}; state watts_per_core instead, or add the processor to the file."
        )
    central = table[name]["tdp_w"] / table[name]["cores"]
    return {"low": central * (1 - MODEL_ERROR), "central": central, "high": central * (1 + MODEL_ERROR)}


def energy_j(cpu_s: Number, recipe: EnergyRecipe, memory_gb_s: Number = 0.0) -> dict[Bound, Number]:
    """Energy in J by bound, of numbers or arrays; arguments as in `modelled`."""
    core, memory, pue = watts_per_core(recipe), recipe["watts_per_gb"], recipe["pue"]
    return {bound: (cpu_s * core[bound] + memory_gb_s * memory[bound]) * pue for bound in BOUNDS}


def modelled(
    cpu_s: Number, recipe: EnergyRecipe, memory_gb_s: Number = 0.0, when: Iterable[tuple[float, float]] | None = None
) -> Amounts:
    """Energy in J by bound, and central emissions in gCO2e, of numbers or arrays.

    Args:
        cpu_s: user and system CPU-seconds.
        recipe: `energy` of the study file.
        memory_gb_s: memory held x time, in GB s; 0 leaves memory out.
        when: start (Unix seconds) and length (s) of each, for hourly intensities; None takes their mean.

    Returns:
        `energy_j_low`, `energy_j_central`, `energy_j_high` and `emissions_g`.
    """
    place, joules = intensity_of(recipe), energy_j(cpu_s, recipe, memory_gb_s)
    amounts = {f"energy_j_{bound}": joules[bound] for bound in BOUNDS}
    g_per_kwh: Number = place.g_per_kwh
    if when is not None and place.hours:
        g_per_kwh = [place.during(started, lasted) for started, lasted in when]
    return amounts | {"emissions_g": amounts["energy_j_central"] / J_PER_KWH * g_per_kwh}


def water_l(energy_j: Number, recipe: EnergyRecipe) -> Number:
    """Litres of water that the building uses for energy in J that includes its PUE; None where WUE is not stated.

    Water usage effectiveness is litres per kWh of the machines alone (ISO/IEC 30134-9), so the PUE is divided out
    again. The water of power plants is not included.
    """
    wue = recipe.get("wue_l_per_kwh")
    return None if wue is None else energy_j / recipe["pue"] / J_PER_KWH * wue
