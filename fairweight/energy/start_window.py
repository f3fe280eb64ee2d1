"""Find the start of a run with the cleanest electricity in a forecast (standard library only)."""

import math
from dataclasses import dataclass
from datetime import datetime

from fairweight.core.errors import InputError
from fairweight.energy.hourly_intensity import Hour


@dataclass(frozen=True)
class Window:
    """A start time, and the mean carbon intensity in gCO2e/kWh during the run."""

    start: datetime
    g_per_kwh: float


def windows(forecast: list[Hour], hours: float) -> list[Window]:
    """List every start at the begin of an hour from which the forecast covers the run, in order of time.

    The run is assumed to draw the same power all the time.

    Args:
        forecast: hours in order, without gaps.
        hours: length of the run.

    Raises:
        InputError: the run is not longer than 0 hours, or is longer than the forecast.
    """
    if not (math.isfinite(hours) and hours > 0):
        raise InputError(f"a run of {hours:g} hours cannot be placed; set --hours above 0.")
    if hours > len(forecast):
        raise InputError(f"the forecast covers {len(forecast)} hours, and the run takes {hours:g}; get a longer one.")
    needed = math.ceil(hours)
    shares = [min(1.0, hours - hour) for hour in range(needed)]
    return [
        Window(forecast[first].start, sum(s * forecast[first + i].g_per_kwh for i, s in enumerate(shares)) / hours)
        for first in range(len(forecast) - needed + 1)
    ]


def greenest(forecast: list[Hour], hours: float) -> Window:
    """Find the start with the lowest mean intensity; of equal starts, the earliest."""
    return min(windows(forecast, hours), key=lambda window: window.g_per_kwh)
