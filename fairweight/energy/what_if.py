"""Carbon of the same run in other places and hours, and per functional unit (SCI)."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.artifacts import read_frame, write_frame
from fairweight.core.lineage import CELL
from fairweight.energy import energy_model
from fairweight.energy.carbon_intensity import HOUR_S, Intensity, intensity_of, somewhere
from fairweight.energy.sci import embodied_g, sci_g

CELLS = [*CELL, "batch_size"]
HERE = "here"
COLUMNS = ["place", "kind", "intensity_g_per_kwh", "source", "year", "carbon_g", "carbon_low_g", "carbon_high_g"]
STARTS = 48  # hours of a day and the next, which is what a forecast or a choice of tonight is about


def write_tables(
    steps: str | Path, profiles: str | Path, recipe: dict[str, Any], what_if: str | Path, sci: str | Path
) -> None:
    """Write both tables from those of a study.

    Args:
        steps: summary/steps.parquet, a row a step.
        profiles: summary/profiles.parquet, a row a seed, file, engine and batch size.
        recipe: `energy` of the study file; `hours` names a file of hourly intensities.
        what_if: table to write, see `elsewhere`.
        sci: table to write, see `functional_units`.
    """
    used = read_frame(steps)
    joules = {bound: float(used[f"energy_j_{bound}"].sum()) for bound in energy_model.BOUNDS}
    write_frame(what_if, elsewhere(joules, float(used["emissions_g"].sum()), span(used), recipe))
    write_frame(sci, functional_units(used, read_frame(profiles), recipe))


def span(steps: pd.DataFrame) -> tuple[float, float]:
    """When the first step started (Unix seconds), and how many seconds later the last one ended."""
    began = float(steps["started"].min())
    return began, float((steps["started"] + steps["wall_s"]).max()) - began


def elsewhere(
    joules: dict[str, float], emitted_g: float, run: tuple[float, float], recipe: dict[str, Any]
) -> pd.DataFrame:
    """Emissions in gCO2e of the same energy in other places, and at other hours where hourly intensities are known.

    Columns: place; kind (here, country, region or hour); intensity_g_per_kwh; source; year (missing where the source does
    not tell); carbon_g and its bounds, those of the energy model. PUE and machine are kept as they are. An hour is a start,
    from which the run takes the time that it took from its first step to its last, drawing the same power all the time.

    Args:
        joules: energy of the run by bound.
        emitted_g: gCO2e of the run, hour by hour where the intensity is known so.
        run: its start in Unix seconds, and its length in s, from the first step to the last.
        recipe: `energy` of the study file.
    """
    here = intensity_of(recipe)
    met = emitted_g / joules["central"] * energy_model.J_PER_KWH if joules["central"] else here.g_per_kwh
    rows = [_row(here.name, HERE, met, here, joules)]
    places = sorted(map(somewhere, recipe["elsewhere"]), key=lambda place: place.g_per_kwh)
    rows += [_row(p.name, "region" if "/" in p.place else "country", p.g_per_kwh, p, joules) for p in places]
    for start, g_per_kwh in _starts(here, *run):
        rows.append(_row(f"{start:%Y-%m-%d %H:%M} UTC", "hour", g_per_kwh, here, joules, start.year))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"year": "Int64"})


def _row(
    place: str, kind: str, g_per_kwh: float, told: Intensity, joules: dict[str, float], year: int | None = None
) -> dict[str, Any]:
    grams = {bound: value / energy_model.J_PER_KWH * g_per_kwh for bound, value in joules.items()}
    return {
        "place": place, "kind": kind, "intensity_g_per_kwh": g_per_kwh, "source": told.source, "year": year or told.year,
        "carbon_g": grams["central"], "carbon_low_g": grams["low"], "carbon_high_g": grams["high"],
    }  # fmt: skip


def _starts(here: Intensity, began: float, lasted: float) -> list[tuple[datetime, float]]:
    """Starts on full hours from which all hours are known: up to 48 from the run's own, else the last ones known."""
    if not here.hours or math.isnan(began):
        return []
    needed = range(max(1, math.ceil(lasted / HOUR_S)))
    whole = [hour for hour in sorted(here.hours) if all(hour + i in here.hours for i in needed)]
    later = [hour for hour in whole if hour >= int(began // HOUR_S)][:STARTS]
    chosen = later if len(later) >= STARTS // 2 else whole[-STARTS:]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return [(epoch + timedelta(hours=hour), here.during(hour * HOUR_S, lasted)) for hour in chosen]


def functional_units(steps: pd.DataFrame, profiles: pd.DataFrame, recipe: dict[str, Any]) -> pd.DataFrame:
    """Software Carbon Intensity: gCO2e for one functional unit, with its parts.

    The units are `study`, all steps of its summary table once, and `1,000 predictions` of each variant, engine and batch size,
    the mean over its profiled seeds, the processor's energy alone. Columns: functional_unit; the cell; energy_j, operational_g,
    embodied_g and sci_g, each with _low and _high; water_l; boundary. Embodied emissions that are not known are missing and not in sci_g, and
    `boundary` says `operational only`.

    Args:
        steps: wall_s, threads, energy_j_{bound} and emissions_g of each step.
        profiles: cell, batch_size and cpu_s_per_1000 of each profiled seed.
        recipe: `energy` of the study file.
    """
    joules = {bound: float(steps[f"energy_j_{bound}"].sum()) for bound in energy_model.BOUNDS}
    core_s = float((steps["wall_s"] * steps["threads"].astype(float)).sum())
    met = float(steps["emissions_g"].sum()) / joules["central"] * energy_model.J_PER_KWH if joules["central"] else 0.0
    rows = [{"functional_unit": "study", **_unit(joules, met, core_s, recipe)}]
    if len(profiles):
        g_per_kwh = intensity_of(recipe).g_per_kwh
        for key, cpu_s in profiles.groupby(CELLS, dropna=False)["cpu_s_per_1000"].mean().items():
            modelled = energy_model.modelled(float(cpu_s), recipe)
            joules = {bound: modelled[f"energy_j_{bound}"] for bound in energy_model.BOUNDS}
            cell = dict(zip(CELLS, key, strict=True))
            rows.append(
                {"functional_unit": "1,000 predictions", **cell, **_unit(joules, g_per_kwh, float(cpu_s), recipe)}
            )
    table = pd.DataFrame(rows).reindex(columns=_UNIT_COLUMNS)
    return table.astype({"batch_size": "Int64", "water_l": float})


_PARTS = ("energy_j", "operational_g", "embodied_g", "sci_g")
_UNIT_COLUMNS = [
    "functional_unit",
    *CELLS,
    *(f"{part}{suffix}" for part in _PARTS for suffix in ("", "_low", "_high")),
    *("water_l", "boundary"),
]


def _unit(joules: dict[str, float], g_per_kwh: float, core_s: float, recipe: dict[str, Any]) -> dict[str, Any]:
    made = embodied_g(core_s, recipe["embodied"])
    parts = {
        "energy_j": joules,
        "operational_g": sci_g(joules, g_per_kwh, None),
        "embodied_g": made or dict.fromkeys(energy_model.BOUNDS, float("nan")),
        "sci_g": sci_g(joules, g_per_kwh, made),
    }
    suffixes = {"central": "", "low": "_low", "high": "_high"}
    found = {f"{part}{suffixes[bound]}": parts[part][bound] for part in _PARTS for bound in energy_model.BOUNDS}
    boundary = "operational and embodied" if made else "operational only"
    return {**found, "water_l": energy_model.water_l(joules["central"], recipe), "boundary": boundary}
