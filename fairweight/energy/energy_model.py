"""Energy and carbon, modelled from CPU-seconds (standard library only).

energy = (CPU-seconds x watts of one busy core + memory x its seconds x watts a GB) x PUE; emissions = energy x carbon
intensity of a country's electricity. The terms are those of Green Algorithms (Lannelongue, Grealey and Inouye 2021,
doi:10.1002/advs.202100707), with the CPU-seconds that were used in place of wall time x cores x usage.
No meter is read here: everything that comes out is a model, and carries a low and a high bound.
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fairweight.core.errors import InputError
from fairweight.energy.carbon_intensity import intensity_of

BOUNDS = ("low", "central", "high")
J_PER_KWH = 3.6e6
MODEL_ERROR = 0.4
# keys of `energy` that energy and emissions follow from
MODEL = (
    *("watts_per_core", "processor", "watts_per_gb", "pue", "country"),
    *("g_per_kwh", "intensity_source", "intensity_year", "cloud_region", "hourly", "electricity_maps"),
)
PROCESSORS = Path(__file__).parents[2] / "config" / "processors.json"


def watts_per_core(recipe: Mapping[str, Any]) -> dict[str, float]:
    """Low, central and high power in W of one busy core: of the processor that the study names, or as stated.

    Of a named processor the central value is its thermal design power over its cores; the bounds are 40 % away from
    it, the largest error that Fischer (2025, arXiv:2509.22092) found of CodeCarbon and others against a wall meter.

    Raises:
        InputError: the table has no such processor.
    """
    name = recipe.get("processor")
    if name is None:
        return dict(recipe["watts_per_core"])
    table = json.loads(PROCESSORS.read_text(encoding="utf-8"))["processors"]
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1)
        hint = f"did you mean {near[0]!r}? It" if near else "it"
        raise InputError(
            f"energy: processor: {name!r} is not in config/processors.json; {hint} has {', '.join(sorted(table))}. "
            "State watts_per_core instead, or add it there."
        )
    central = table[name]["tdp_w"] / table[name]["cores"]
    return {"low": central * (1 - MODEL_ERROR), "central": central, "high": central * (1 + MODEL_ERROR)}


def energy_j(cpu_s: Any, recipe: Mapping[str, Any], memory_gb_s: Any = 0.0) -> dict[str, Any]:
    """Energy in J by bound, of numbers or arrays; see `modelled`."""
    core, memory, pue = watts_per_core(recipe), recipe["watts_per_gb"], recipe["pue"]
    return {bound: (cpu_s * core[bound] + memory_gb_s * memory[bound]) * pue for bound in BOUNDS}


def modelled(
    cpu_s: Any, recipe: Mapping[str, Any], memory_gb_s: Any = 0.0, when: Iterable[tuple[float, float]] | None = None
) -> dict[str, Any]:
    """Energy in J by bound, and central emissions in gCO2e, of numbers or arrays.

    Args:
        cpu_s: user and system CPU-seconds.
        recipe: `energy` of the study file.
        memory_gb_s: memory held x seconds, in GB s; 0 leaves memory out.
        when: start (Unix seconds) and length (s) of each, for hourly intensities; None takes their mean.
    """
    place, joules = intensity_of(recipe), energy_j(cpu_s, recipe, memory_gb_s)
    found = {f"energy_j_{bound}": joules[bound] for bound in BOUNDS}
    g_per_kwh: Any = place.g_per_kwh
    if when is not None and place.hours:
        g_per_kwh = [place.during(started, lasted) for started, lasted in when]
    return found | {"emissions_g": found["energy_j_central"] / J_PER_KWH * g_per_kwh}


def water_l(energy_j: Any, recipe: Mapping[str, Any]) -> Any:
    """Litres of water that the building takes for energy in J, which includes its PUE; None where WUE is not stated.

    Water usage effectiveness is litres for each kWh of the machines alone (ISO/IEC 30134-9), so that the PUE is taken out
    again. What power plants take is not in it.
    """
    wue = recipe.get("wue_l_per_kwh")
    return None if wue is None else energy_j / recipe["pue"] / J_PER_KWH * wue
