"""Read and write hourly carbon intensities as a CSV file (standard library only)."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from fairweight.core.errors import InputError, quoted
from fairweight.core.run_lock import UNFINISHED
from fairweight.energy.csv_rows import read_rows, read_time

HOUR = timedelta(hours=1)
COLUMNS = ("hour", "g_per_kwh")


@dataclass(frozen=True)
class Hour:
    """Carbon intensity in gCO2e/kWh of the hour that starts at `start` (UTC)."""

    start: datetime
    g_per_kwh: float


def read_hours(path: Path, *, gaps: bool = False) -> list[Hour]:
    """Read hourly carbon intensities from a CSV file.

    Args:
        path: file with the columns `hour` (ISO 8601 with its time zone) and `g_per_kwh`, in order of time.
        gaps: whether hours may be missing between others.

    Raises:
        InputError: there is no such file or it has no hours; an hour has no time zone, or a negative or missing
            intensity; hours are repeated, shorter, missing or out of order.
    """
    rows = read_rows(path, "of hourly carbon intensities")
    if not set(COLUMNS) <= set(next(rows)[0]):
        raise InputError(f"{path}: the first line must name the columns {' and '.join(COLUMNS)}.")
    hours = [_hour(row, place) for row, place in rows]
    if not hours:
        raise InputError(f"{path}: there are no hours in it.")
    for before, after in itertools.pairwise(hours):
        if after.start == before.start:
            raise InputError(f"{path}: the hour {after.start.isoformat()} occurs twice; remove one of them.")
        apart = after.start - before.start
        if timedelta(0) < apart < HOUR:
            raise InputError(
                f"{path}: {after.start.isoformat()} follows {before.start.isoformat()} after {apart.seconds / 60:g} "
                "minutes; give one row for each hour, with the mean of its parts."
            )
        if apart != HOUR and not (gaps and apart > HOUR):
            raise InputError(
                f"{path}: {after.start.isoformat()} follows {before.start.isoformat()}; give every hour once, in order."
            )
    return hours


def upcoming(path: Path, now: datetime) -> list[Hour]:
    """Read the hours of a forecast that have not ended.

    Args:
        path: CSV file, see `read_hours`.
        now: current time.

    Raises:
        InputError: the file has a fault, or all its hours are past.
    """
    hours = read_hours(path)
    ahead = [hour for hour in hours if hour.start + HOUR > now]
    if not ahead:
        raise InputError(
            f"{path} ends at {hours[-1].start + HOUR:%Y-%m-%d %H:%M} UTC, which is past; get a new one (or start at "
            "once, with --no-wait)."
        )
    return ahead


def _hour(row: dict[str, str], place: str) -> Hour:
    start = read_time(row["hour"], place, "2026-11-24T13:00Z")
    try:
        intensity = float(row["g_per_kwh"])
    except ValueError:
        intensity = math.nan
    if not (math.isfinite(intensity) and intensity >= 0):
        raise InputError(f"{place}: g_per_kwh is {quoted(row['g_per_kwh'])}; give grams of CO2e per kWh, 0 or more.")
    return Hour(start, intensity)


def write_hours(path: Path, hours: Iterable[Hour]) -> None:
    """Write a file for `read_hours`; a reader never sees a partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(COLUMNS), *(f"{hour.start.isoformat()},{hour.g_per_kwh:g}" for hour in hours)]
    temporary = path.with_name(f".{path.name}{UNFINISHED}hours")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.replace(path)
