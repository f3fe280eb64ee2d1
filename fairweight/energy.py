"""Energy and carbon, modelled from CPU-seconds (standard library only).

energy = (CPU-seconds x watts of one busy core + memory x its seconds x watts a GB) x PUE; emissions = energy x carbon
intensity of a country's electricity. The terms are those of Green Algorithms (Lannelongue, Grealey and Inouye 2021,
doi:10.1002/advs.202100707), with the CPU-seconds that were used in place of wall time x cores x usage.
No meter is read here: everything that comes out is a model, and carries a low and a high bound.
"""

import functools
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairweight.errors import InputError

BOUNDS = ("low", "central", "high")
J_PER_KWH = 3.6e6
MODEL_ERROR = 0.4
PROCESSORS = Path(__file__).parent.parent / "config" / "processors.json"


@dataclass(frozen=True)
class Intensity:
    """Carbon intensity of electricity, in gCO2e/kWh, with its year and source."""

    country: str
    name: str
    g_per_kwh: float
    year: int | None
    source: str


@functools.cache
def _countries() -> dict[str, Any]:
    # found without importing it: the package starts meters and reads settings when it is imported
    spec = importlib.util.find_spec("codecarbon")
    if spec is None or spec.origin is None:
        raise InputError("energy: the package codecarbon, whose table of carbon intensities is read, is not installed.")
    path = Path(spec.origin).parent / "data" / "private_infra" / "global_energy_mix.json"
    countries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return countries


def intensity(country: str) -> Intensity:
    """Carbon intensity of a country (ISO 3166 alpha-3), from the table that CodeCarbon ships.

    Raises:
        InputError: the table has no such country.
    """
    if country not in _countries():
        legal = ", ".join(sorted(_countries()))
        raise InputError(
            f"energy: country: {country!r} is not in CodeCarbon's table of carbon intensities; it has {legal}."
        )
    entry = _countries()[country]
    return Intensity(
        country,
        entry["country_name"],
        float(entry["carbon_intensity"]),
        int(entry["year"]),
        "CodeCarbon, global_energy_mix",
    )


def watts_per_core(recipe: Mapping[str, Any]) -> dict[str, float]:
    """Low, central and high power in W of one busy core: of the processor that the study names, or as stated.

    Of a named processor the central value is its thermal design power over its cores; the bounds are 40 % away from
    it, the largest error that validations of software meters against wall meters report.

    Raises:
        InputError: the table has no such processor.
    """
    name = recipe.get("processor")
    if name is None:
        return dict(recipe["watts_per_core"])
    table = json.loads(PROCESSORS.read_text(encoding="utf-8"))["processors"]
    if name not in table:
        raise InputError(
            f"energy: processor: {name!r} is not in config/processors.json; it has {', '.join(sorted(table))}. "
            "State watts_per_core instead, or add it there."
        )
    central = table[name]["tdp_w"] / table[name]["cores"]
    return {"low": central * (1 - MODEL_ERROR), "central": central, "high": central * (1 + MODEL_ERROR)}


def modelled(cpu_s: Any, recipe: Mapping[str, Any], memory_gb_s: Any = 0.0) -> dict[str, Any]:
    """Energy in J by bound, and central emissions in gCO2e, of numbers or arrays.

    Args:
        cpu_s: user and system CPU-seconds.
        recipe: `energy` of the study file.
        memory_gb_s: memory held x seconds, in GB s; 0 leaves memory out.
    """
    core, memory, pue = watts_per_core(recipe), recipe["watts_per_gb"], recipe["pue"]
    found = {f"energy_j_{b}": (cpu_s * core[b] + memory_gb_s * memory[b]) * pue for b in BOUNDS}
    return found | {"emissions_g": found["energy_j_central"] / J_PER_KWH * intensity_of(recipe).g_per_kwh}


def intensity_of(recipe: Mapping[str, Any]) -> Intensity:
    """Carbon intensity that a study states, or else that of its country."""
    stated = recipe.get("g_per_kwh")
    if stated is None:
        return intensity(recipe["country"])
    return Intensity(recipe["country"], "stated in the study file", float(stated), None, "energy: g_per_kwh")


def elsewhere(energy_j: float, countries: list[str]) -> list[tuple[Intensity, float]]:
    """What the same energy in J would have emitted in these countries, in gCO2e, least first."""
    found = [(place, energy_j / J_PER_KWH * place.g_per_kwh) for place in map(intensity, countries)]
    return sorted(found, key=lambda pair: pair[1])
