"""Read the CSV file of a wall meter and compare its clock with that of the machine (NumPy and pandas)."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairweight.core.errors import InputError, quoted
from fairweight.energy.attribution import LONGEST_GAP_S
from fairweight.energy.csv_rows import read_rows, read_time
from fairweight.energy.energy_model import J_PER_KWH

# a clock that is off by more moves energy from one step to the next
LARGEST_OFFSET_S = 2.0
SEARCHED_S = 120
LATEST_S = 7e9  # in the year 2191
CLEARLY = 0.1  # how much better the correlation must be at another offset


@dataclass(frozen=True)
class WallMeter:
    """Readings of a wall meter.

    Attributes:
        time: Unix seconds, increasing.
        energy_j: cumulative energy in J at these times.
        gaps: pairs of times between which the meter was silent, for more than 30 s and three of its intervals.
    """

    time: NDArray[np.float64]
    energy_j: NDArray[np.float64]
    gaps: list[tuple[float, float]]

    def at(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cumulative energy in J at Unix seconds; NaN before the first reading, after the last, and in a gap."""
        energy = np.interp(time, self.time, self.energy_j, left=np.nan, right=np.nan)
        for before, after in self.gaps:
            energy[(time > before) & (time < after)] = np.nan
        return energy


def read_wall_meter(path: Path) -> WallMeter:
    """Read a CSV file with the columns `time`, and `watts` or `kwh`.

    Times are ISO 8601 with a time zone, or Unix seconds. Watts are integrated by the trapezoidal rule; kWh are the
    meter's own counter, which never decreases.

    Raises:
        InputError: there is no such file; a time has no zone, is repeated or out of order; a reading is not a number;
            a counter decreases.
    """
    rows = read_rows(path, "of a wall meter (energy: meter_csv)")
    names = set(next(rows)[0])
    column = next((name for name in ("watts", "kwh") if name in names), None)
    if "time" not in names or column is None:
        raise InputError(f"{path}: the first line must name the columns time, and watts or kwh.")
    read = [(_time(row["time"], place), _reading(row[column], column, place), place) for row, place in rows]
    if len(read) < 2:
        raise InputError(f"{path}: a meter needs two readings or more.")
    time, value = (np.array(values, float) for values in list(zip(*read, strict=True))[:2])
    steps = np.diff(time)
    if (steps <= 0).any():
        position = int(np.argmax(steps <= 0))
        kind = "is repeated" if steps[position] == 0 else "goes back: its clock has jumped"
        place = read[position + 1][2]
        raise InputError(f"{place}: the time {kind}; fix the file, or use the part before this line.")
    if column == "kwh" and (np.diff(value) < 0).any():
        place = read[int(np.argmax(np.diff(value) < 0)) + 1][2]
        raise InputError(f"{place}: kwh decreases; it must be a counter that only grows.")
    joules = value * J_PER_KWH if column == "kwh" else np.append(0.0, np.cumsum((value[1:] + value[:-1]) / 2 * steps))
    silent = np.flatnonzero(steps > max(LONGEST_GAP_S, 3 * float(np.median(steps))))
    return WallMeter(time, joules, [(float(time[i]), float(time[i + 1])) for i in silent])


def _time(text: str, place: str) -> float:
    """Seconds since 1970."""
    try:
        seconds = float(text)
    except ValueError:
        return read_time(text, place, "2026-11-24T13:00:00Z, or Unix seconds").timestamp()
    if not 0 <= seconds < LATEST_S:
        raise InputError(f"{place}: {quoted(text)} is no number of seconds since 1970.")
    return seconds


def _reading(text: str, column: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{place}: {column} is {quoted(text)}; give a number, 0 or more.")
    return value


def join(samples: pd.DataFrame, meter: WallMeter) -> pd.DataFrame:
    """Replace the energy of the machine's samples (columns time, energy_j) by that of the wall meter."""
    return samples.assign(energy_j=meter.at(samples["time"].to_numpy(float)))


def clock_offset_s(samples: pd.DataFrame, meter: WallMeter) -> float | None:
    """Estimate by how many seconds the meter's clock is ahead of the machine's.

    A busier machine draws more power. The watts of the meter are therefore correlated with the busy cores of the
    machine, second by second, at offsets of up to two minutes. An offset counts if it is longer than 2 s and its
    correlation is higher by 0.1 than without one.

    Args:
        samples: time (Unix seconds), clock (monotonic, s) and busy_cpu_s (cumulative) of the machine.
        meter: readings of the wall meter.

    Returns:
        The offset in s; None if the clocks agree or cannot be compared.
    """
    run = samples.dropna(subset=["busy_cpu_s"])
    if len(run) < 3:
        return None
    seconds = np.arange(math.ceil(run["time"].min()), math.floor(run["time"].max()))
    if len(seconds) < 10:
        return None
    busy = np.diff(np.interp(seconds, run["time"], run["busy_cpu_s"]))
    offsets = np.arange(-SEARCHED_S, SEARCHED_S + 1)
    correlations = np.array([_correlation(busy, np.diff(meter.at(seconds + float(offset)))) for offset in offsets])
    if not np.isfinite(correlations).any():
        return None
    best = int(np.nanargmax(correlations))
    highest, alike = correlations[best], correlations[SEARCHED_S]
    off = abs(offsets[best]) > LARGEST_OFFSET_S and (not np.isfinite(alike) or highest > alike + CLEARLY)
    return float(offsets[best]) if off and highest > 0.5 else None


def _correlation(busy: NDArray[np.float64], watts: NDArray[np.float64]) -> float:
    known = np.isfinite(watts)
    # with little overlap, any two series correlate
    if known.sum() < max(10, 0.5 * len(busy)) or busy[known].std() == 0 or watts[known].std() == 0:
        return float("nan")
    return float(np.corrcoef(busy[known], watts[known])[0, 1])
