"""When to start a run: the hours of a forecast in which electricity is cleanest (standard library only)."""

import math
from dataclasses import dataclass
from datetime import datetime

from fairweight.core.errors import InputError
from fairweight.energy.hourly_intensity import Hour


@dataclass(frozen=True)
class Window:
    """A time to start, and the mean carbon intensity in gCO2e/kWh while the run lasts."""

    start: datetime
    g_per_kwh: float


def windows(forecast: list[Hour], hours: float) -> list[Window]:
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


def greenest(forecast: list[Hour], hours: float) -> Window:
    """The start with the lowest mean intensity; the earliest of equal ones."""
    return min(windows(forecast, hours), key=lambda window: window.g_per_kwh)
