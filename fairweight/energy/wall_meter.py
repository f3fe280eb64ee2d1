"""Read the CSV file of a wall meter and compare its clock with that of the machine (NumPy and pandas)."""

import csv
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairweight.core.errors import InputError
from fairweight.energy.attribution import LONGEST_GAP_S
from fairweight.energy.energy_model import J_PER_KWH

# a clock that is off by more moves energy from one step to the next
LARGEST_OFFSET_S = 2.0
SEARCHED_S = 120
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
    if not path.is_file():
        raise InputError(f"energy: meter_csv: there is no file {path}.")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        names = set(rows.fieldnames or ())
        column = next((name for name in ("watts", "kwh") if name in names), None)
        if "time" not in names or column is None:
            raise InputError(f"{path}: the first line must name the columns time, and watts or kwh.")
        read = [
            (_time(row["time"], place := f"{path}, line {rows.line_num}"), _reading(row[column], column, place))
            for row in rows
        ]
    if len(read) < 2:
        raise InputError(f"{path}: a meter needs two readings or more.")
    time, value = (np.array(values, float) for values in zip(*read, strict=True))
    steps = np.diff(time)
    if (steps <= 0).any():
        line = int(np.argmax(steps <= 0)) + 3
        kind = "is repeated" if steps[line - 3] == 0 else "goes back: its clock has jumped"
        raise InputError(f"{path}, line {line}: the time {kind}; fix the file, or use the part before this line.")
    if column == "kwh" and (np.diff(value) < 0).any():
        line = int(np.argmax(np.diff(value) < 0)) + 3
        raise InputError(f"{path}, line {line}: kwh decreases; it must be a counter that only grows.")
    joules = value * J_PER_KWH if column == "kwh" else np.append(0.0, np.cumsum((value[1:] + value[:-1]) / 2 * steps))
    silent = np.flatnonzero(steps > max(LONGEST_GAP_S, 3 * float(np.median(steps))))
    return WallMeter(time, joules, [(float(time[i]), float(time[i + 1])) for i in silent])


def _time(text: str | None, place: str) -> float:
    try:
        return float(text or "")
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        raise InputError(f"{place}: {text!r} is not a time such as 2026-11-24T13:00:00Z, or Unix seconds.") from None
    if time.tzinfo is None:
        raise InputError(f"{place}: {text!r} has no time zone; write {text}Z for UTC, or an offset such as +01:00.")
    return time.timestamp()


def _reading(text: str | None, column: str, place: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{place}: {column} is {text!r}; give a number, 0 or more.")
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
