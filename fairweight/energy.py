"""Energy and carbon, modelled from CPU-seconds (standard library only).

energy = CPU-seconds x watts of one busy core x PUE; emissions = energy x carbon intensity of a country's electricity.
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


@dataclass(frozen=True)
class Intensity:
    """Carbon intensity of electricity, in gCO2e/kWh, with its year and source."""

    country: str
    name: str
    g_per_kwh: float
    year: int
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


def energy_j(cpu_s: Any, watts_per_core: float, pue: float) -> Any:
    """Energy in J of CPU-seconds (a number or an array) at so many watts per busy core and that PUE."""
    return cpu_s * watts_per_core * pue


def modelled(cpu_s: Any, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Energy in J by bound, and central emissions in gCO2e, of CPU-seconds (a number or an array).

    Args:
        cpu_s: user and system CPU-seconds.
        recipe: `energy` of the study file.
    """
    found = {f"energy_j_{b}": energy_j(cpu_s, recipe["watts_per_core"][b], recipe["pue"]) for b in BOUNDS}
    return found | {"emissions_g": found["energy_j_central"] / J_PER_KWH * intensity(recipe["country"]).g_per_kwh}
