"""Carbon of the same run in other places and hours, and per functional unit (SCI)."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from fairweight.core.artifacts import read_frame, write_frame
from fairweight.core.lineage import CELL
from fairweight.core.recipes import EnergyRecipe
from fairweight.energy import energy_model
from fairweight.energy.amounts import Footprint, of_study
from fairweight.energy.carbon_intensity import HOUR_S, Intensity, intensity_of, somewhere
from fairweight.energy.energy_model import BOUNDS, Bound
from fairweight.energy.sci import embodied_g, sci_g

CELLS = [*CELL, "batch_size"]
HERE = "here"
COLUMNS = ["place", "kind", "intensity_g_per_kwh", "source", "year", "carbon_g", "carbon_low_g", "carbon_high_g"]
STARTS = 48  # hours of today and tomorrow, the period of a forecast or of a choice of tonight's start

Joules = Mapping[Bound, float]  # energy in J by bound
UnitRow = dict[str, Any]  # a row of the table of functional units; its keys are columns of UNIT_COLUMNS


class PlaceRow(TypedDict):
    """A row of the table of places and hours: columns of COLUMNS."""

    place: str
    kind: str
    intensity_g_per_kwh: float
    source: str
    year: int | None
    carbon_g: float
    carbon_low_g: float
    carbon_high_g: float


def write_tables(
    *,
    rules: str | Path,
    steps: str | Path,
    profiles: str | Path,
    recipe: EnergyRecipe,
    what_if: str | Path,
    sci: str | Path,
) -> None:
    """Write the tables of other places and hours and of functional units.

    Args:
        rules: summary/rules.parquet, one row per rule, whose sum is the study.
        steps: summary/steps.parquet, one row per step.
        profiles: summary/profiles.parquet, one row per seed, file, engine and batch size.
        recipe: `energy` of the study file; `hours` names a file of hourly intensities.
        what_if: table to write, see `elsewhere`.
        sci: table to write, see `functional_units`.
    """
    used, ran = of_study(read_frame(rules)), read_frame(steps)
    write_frame(what_if, elsewhere(_joules(used), used.emissions_g, span(ran), recipe))
    write_frame(sci, functional_units(used, ran, read_frame(profiles), recipe))


def _joules(used: Footprint) -> dict[Bound, float]:
    return {"low": used.energy_j_low, "central": used.energy_j, "high": used.energy_j_high}


def span(steps: pd.DataFrame) -> tuple[float, float]:
    """Start of the first step (Unix seconds), and the time in s from it to the end of the last step."""
    began = float(steps["started"].min())
    return began, float((steps["started"] + steps["wall_s"]).max()) - began


def elsewhere(joules: Joules, emitted_g: float, run: tuple[float, float], recipe: EnergyRecipe) -> pd.DataFrame:
    """Emissions in gCO2e of the same energy in other places, and at other hours if hourly intensities are known.

    PUE and machine stay as they are. A row of an hour is a start: the run takes as long as it took from its first step
    to its last, and draws the same power all the time.

    Args:
        joules: energy of the run in J by bound.
        emitted_g: gCO2e of the run, hour by hour if the intensity is known by hour.
        run: its start in Unix seconds, and its length in s, from the first step to the last.
        recipe: `energy` of the study file.

    Returns:
        Columns place; kind (here, country, region or hour); intensity_g_per_kwh; source; year (missing if the source
        gives none); carbon_g and its bounds, those of the energy model.
    """
    intensity = intensity_of(recipe)
    effective = emitted_g / joules["central"] * energy_model.J_PER_KWH if joules["central"] else intensity.g_per_kwh
    rows = [_row(intensity.name, HERE, effective, intensity, joules)]
    places = sorted(map(somewhere, recipe["elsewhere"]), key=lambda place: place.g_per_kwh)
    rows += [_row(p.name, "region" if "/" in p.place else "country", p.g_per_kwh, p, joules) for p in places]
    for start, g_per_kwh in _starts(intensity, *run):
        rows.append(_row(f"{start:%Y-%m-%d %H:%M} UTC", "hour", g_per_kwh, intensity, joules, start.year))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"year": "Int64"})


def _row(
    place: str, kind: str, g_per_kwh: float, intensity: Intensity, joules: Joules, year: int | None = None
) -> PlaceRow:
    grams = {bound: value / energy_model.J_PER_KWH * g_per_kwh for bound, value in joules.items()}
    return {
        "place": place,
        "kind": kind,
        "intensity_g_per_kwh": g_per_kwh,
        "source": intensity.source,
        "year": year or intensity.year,
        "carbon_g": grams["central"],
        "carbon_low_g": grams["low"],
        "carbon_high_g": grams["high"],
    }


def _starts(intensity: Intensity, began: float, lasted: float) -> list[tuple[datetime, float]]:
    """Hours from which all hours of the run are known: up to 48 from the run's own start, else the last known."""
    if not intensity.hours or math.isnan(began):
        return []
    needed = range(max(1, math.ceil(lasted / HOUR_S)))
    whole = [hour for hour in sorted(intensity.hours) if all(hour + i * HOUR_S in intensity.hours for i in needed)]
    later = [hour for hour in whole if hour + HOUR_S > began][:STARTS]
    chosen = later if len(later) >= STARTS // 2 else whole[-STARTS:]
    return [(datetime.fromtimestamp(hour, UTC), intensity.during(hour, lasted)) for hour in chosen]


def functional_units(
    used: Footprint, steps: pd.DataFrame, profiles: pd.DataFrame, recipe: EnergyRecipe
) -> pd.DataFrame:
    """Software Carbon Intensity: gCO2e of one functional unit, with its parts.

    There are two kinds of units. `study` is all that the study used; the machine's own making is shared by the cores
    and the time of its steps. `1,000 predictions` is one row for
    each variant, engine and batch size: the mean over its profiled seeds, with the processor's energy only.

    Args:
        used: footprint of the study.
        steps: wall_s and threads of each step.
        profiles: cell, batch_size and cpu_s_per_1000 of each profiled seed.
        recipe: `energy` of the study file.

    Returns:
        Columns functional_unit; the cell and batch_size; energy_j, operational_g, embodied_g and sci_g, each with _low
        and _high; water_l; boundary. Unknown embodied emissions are missing and not included in sci_g; `boundary` is
        then `operational only`.
    """
    joules = _joules(used)
    core_s = float((steps["wall_s"] * steps["threads"].astype(float)).sum())
    effective = used.emissions_g / used.energy_j * energy_model.J_PER_KWH if used.energy_j else 0.0
    rows: list[UnitRow] = [{"functional_unit": "study", **_unit(joules, effective, core_s, recipe)}]
    if len(profiles):
        g_per_kwh = intensity_of(recipe).g_per_kwh
        for key, cpu_s in profiles.groupby(CELLS, dropna=False)["cpu_s_per_1000"].mean().items():
            modelled = energy_model.modelled(float(cpu_s), recipe)
            joules = {bound: modelled[f"energy_j_{bound}"] for bound in BOUNDS}
            cell = dict(zip(CELLS, key, strict=True))
            unit = _unit(joules, g_per_kwh, float(cpu_s), recipe)
            rows.append({"functional_unit": "1,000 predictions", **cell, **unit})
    table = pd.DataFrame(rows).reindex(columns=UNIT_COLUMNS)
    return table.astype({"batch_size": "Int64", "water_l": float})


_PARTS = ("energy_j", "operational_g", "embodied_g", "sci_g")
UNIT_COLUMNS = [
    "functional_unit",
    *CELLS,
    *(f"{part}{suffix}" for part in _PARTS for suffix in ("", "_low", "_high")),
    *("water_l", "boundary"),
]


def _unit(joules: Joules, g_per_kwh: float, core_s: float, recipe: EnergyRecipe) -> UnitRow:
    made = embodied_g(core_s, recipe["embodied"])
    parts: dict[str, Joules] = {
        "energy_j": joules,
        "operational_g": sci_g(joules, g_per_kwh, None),
        "embodied_g": made or dict.fromkeys(BOUNDS, float("nan")),
        "sci_g": sci_g(joules, g_per_kwh, made),
    }
    suffixes: dict[Bound, str] = {"central": "", "low": "_low", "high": "_high"}
    columns = {f"{part}{suffixes[bound]}": parts[part][bound] for part in _PARTS for bound in BOUNDS}
    boundary = "operational and embodied" if made else "operational only"
    return {**columns, "water_l": energy_model.water_l(joules["central"], recipe), "boundary": boundary}
