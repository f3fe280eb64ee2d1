"""When to start a run: the hours of a forecast in which electricity is cleanest (standard library only)."""

import csv
import itertools
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fairweight.errors import InputError

HOUR = timedelta(hours=1)
COLUMNS = ("hour", "g_per_kwh")


@dataclass(frozen=True)
class Window:
    """A time to start, and the mean carbon intensity in gCO2e/kWh while the run lasts."""

    start: datetime
    g_per_kwh: float


def read_forecast(path: Path) -> list[Window]:
    """Hourly carbon intensities of a CSV file with the columns `hour` (ISO 8601; UTC unless it says so) and `g_per_kwh`.

    Raises:
        InputError: not such a file, a negative or missing intensity, a gap, an hour told twice or out of order.
    """
    if not path.is_file():
        raise InputError(f"there is no forecast {path}.")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if not set(COLUMNS) <= set(rows.fieldnames or ()):
            raise InputError(f"{path}: the first line must name the columns {' and '.join(COLUMNS)}.")
        hours = [_hour(row, f"{path}, line {rows.line_num}") for row in rows]
    if not hours:
        raise InputError(f"{path}: there are no hours in it.")
    for before, after in itertools.pairwise(hours):
        if after.start - before.start != HOUR:
            raise InputError(
                f"{path}: {after.start.isoformat()} follows {before.start.isoformat()}; give every hour once, in order."
            )
    return hours


def _hour(row: dict[str, str | None], place: str) -> Window:
    try:
        start = datetime.fromisoformat(row["hour"] or "")
    except ValueError:
        raise InputError(f"{place}: {row['hour']!r} is not a time such as 2026-11-24T13:00Z.") from None
    try:
        intensity = float(row["g_per_kwh"] or "")
    except ValueError:
        intensity = math.nan
    if not (math.isfinite(intensity) and intensity >= 0):
        raise InputError(f"{place}: g_per_kwh is {row['g_per_kwh']!r}; give grams of CO2e per kWh, 0 or more.")
    start = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
    return Window(start, intensity)


def windows(forecast: list[Window], hours: float) -> list[Window]:
    """Every start on a full hour from which the forecast covers a run of so many hours, in order of time.

    The run is taken to draw the same power all the time.

    Raises:
        InputError: the run is not longer than 0 hours, or longer than the forecast.
    """
    if not (math.isfinite(hours) and hours > 0):
        raise InputError(f"a run of {hours:g} hours cannot be placed; give --hours above 0.")
    if hours > len(forecast):
        raise InputError(f"the forecast covers {len(forecast)} hours, and the run takes {hours:g}; get a longer one.")
    needed = math.ceil(hours)
    shares = [min(1.0, hours - hour) for hour in range(needed)]
    return [
        Window(
            forecast[first].start,
            sum(s * forecast[first + i].g_per_kwh for i, s in enumerate(shares)) / hours,
        )
        for first in range(len(forecast) - needed + 1)
    ]


def greenest(forecast: list[Window], hours: float) -> Window:
    """The start with the lowest mean intensity; the earliest of equal ones."""
    return min(windows(forecast, hours), key=lambda window: window.g_per_kwh)
