"""Total of a study at the end of a run, from its ledger (standard library only)."""

import atexit
import math
import sys
from pathlib import Path
from typing import NamedTuple

from fairweight.core.errors import InputError
from fairweight.core.recipes import EnergyRecipe
from fairweight.energy import energy_model
from fairweight.energy.carbon_intensity import Intensity, intensity_of, with_hours
from fairweight.energy.energy_model import Bound
from fairweight.energy.gather_intensity import hours_of
from fairweight.energy.ledger_entries import LedgerEntry, read_entries


class Amounts(NamedTuple):
    """CPU-seconds of an attempt or of a study, with energy (J) and emissions (gCO2e) modelled from it."""

    cpu_s: float
    joules: dict[Bound, float]
    grams: float


def amounts_of(entry: LedgerEntry, recipe: EnergyRecipe, place: Intensity) -> Amounts | None:
    """What an attempt used, charged by the hours in which it ran; None if its CPU-seconds are not known.

    Args:
        entry: line of the ledger.
        recipe: `energy` of the study file.
        place: carbon intensity of the recipe.
    """
    cpu_s, started = _number(entry.get("cpu_s")), _number(entry.get("started"))
    if cpu_s is None:
        return None
    wall_s = _number(entry.get("wall_s")) or 0.0
    held = (_number(entry.get("peak_memory_bytes")) or 0.0) / 1e9 * wall_s
    joules = energy_model.energy_j(cpu_s, recipe, held)
    g_per_kwh = place.during(math.nan if started is None else started, wall_s)
    return Amounts(cpu_s, joules, joules["central"] / energy_model.J_PER_KWH * g_per_kwh)


def total(results: Path, recipe: EnergyRecipe) -> Amounts:
    """What all runs of a study used together, Snakemake and Dask themselves included.

    Args:
        results: folder of the study.
        recipe: `energy` of the study file.

    Raises:
        InputError: there is no ledger, or hourly intensities cannot be read.
    """
    recipe = with_hours(recipe, hours_of(results, recipe))
    place = intensity_of(recipe)
    used = [amounts for entry in read_entries(results) if (amounts := amounts_of(entry, recipe, place))]
    joules = {bound: math.fsum(a.joules[bound] for a in used) for bound in energy_model.BOUNDS}
    return Amounts(math.fsum(a.cpu_s for a in used), joules, math.fsum(a.grams for a in used))


def print_total(results: Path, recipe: EnergyRecipe) -> None:
    """Print the total in one line; nothing if it is not known.

    Args:
        results: folder of the study.
        recipe: `energy` of the study file.
    """
    try:
        used = total(results, recipe)
    except InputError:
        return
    low, central, high = (f"{used.joules[bound] / 1000:.3g}" for bound in energy_model.BOUNDS)
    print(
        f"fairweight: all runs of this study together have used {used.cpu_s:,.0f} CPU-seconds, {central} kJ ({low} to "
        f"{high}) and {used.grams:.3g} gCO2e (modelled); `fairweight energy` lists them.",
        file=sys.stderr,
    )


def print_total_at_exit(results: Path, recipe: EnergyRecipe) -> None:
    """Print the total when this process ends, after what was registered since then, so that the sum is complete.

    Args:
        results: folder of the study.
        recipe: `energy` of the study file.
    """
    atexit.register(print_total, results, recipe)


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
