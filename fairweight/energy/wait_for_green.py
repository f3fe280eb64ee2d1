"""Wait for the greenest hours of a forecast before a run starts (standard library only)."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fairweight.energy.hourly_intensity import upcoming
from fairweight.energy.start_window import greenest, windows

SHOWN_EVERY_S = 600.0  # if the output is not a terminal


def wait_for_green(
    path: Path,
    hours: float,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until the greenest start in a forecast from now on, and show the time left.

    Args:
        path: CSV file with the columns `hour` and `g_per_kwh`.
        hours: length of the run.
        now: returns the current time.
        sleep: waits for a number of seconds.

    Raises:
        InputError: the forecast has a fault, or has ended.
    """
    ahead = upcoming(path, now())
    first, best = windows(ahead, hours)[0], greenest(ahead, hours)
    if best.start <= now():
        print(f"fairweight: the greenest start is now ({best.g_per_kwh:.0f} gCO2e/kWh).", flush=True)
        return
    print(
        f"fairweight: waiting for the greenest start, {_time(best.start)}: {best.g_per_kwh:.0f} gCO2e/kWh, and "
        f"{first.g_per_kwh:.0f} now. Ctrl-C cancels; --no-wait starts at once.",
        flush=True,
    )
    _count_down(best.start, now, sleep)


def _count_down(until: datetime, now: Callable[[], datetime], sleep: Callable[[float], None]) -> None:
    watched = sys.stdout.isatty()
    while (left := until - now()) > timedelta(0):
        text = f"fairweight: {timedelta(seconds=round(left.total_seconds()))} left"
        print(f"\r{text} ", end="", flush=True) if watched else print(f"{text}.", flush=True)
        sleep(min(left.total_seconds(), 1.0 if watched else SHOWN_EVERY_S))
    if watched:
        print()


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
