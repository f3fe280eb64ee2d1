"""The CSV file of a meter in the wall, and whether its clock is that of the machine (NumPy and pandas)."""

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

J_PER_KWH = 3.6e6
# a clock that is off by more than that moves energy from one step to the next
LARGEST_OFFSET_S = 2.0
SEARCHED_S = 120
CLEARLY = 0.1  # by so much the correlation must be better at another offset


@dataclass(frozen=True)
class WallMeter:
    """Readings of a meter.

    Attributes:
        time: Unix seconds, growing.
        energy_j: cumulative energy in J at these times.
        gaps: pairs of times between which the meter was silent for longer than 30 s and three of its intervals.
    """

    time: NDArray[np.float64]
    energy_j: NDArray[np.float64]
    gaps: list[tuple[float, float]]

    def at(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cumulative energy in J at Unix seconds; NaN before the first reading, after the last, and in a gap."""
        found = np.interp(time, self.time, self.energy_j, left=np.nan, right=np.nan)
        for before, after in self.gaps:
            found[(time > before) & (time < after)] = np.nan
        return found


def read_wall_meter(path: Path) -> WallMeter:
    """Readings of a CSV file with the columns `time` and `watts`, or `kwh`.

    Times are ISO 8601 with a time zone, or Unix seconds. Watts are integrated by the trapezoidal rule; kWh are the meter's
    own counter, which only grows.

    Raises:
        InputError: not such a file; a time without zone, told twice or out of order; a reading that is none; a counter that
            falls.
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
        kind = "is told twice" if steps[line - 3] == 0 else "goes back: its clock has jumped"
        raise InputError(f"{path}, line {line}: the time {kind}; mend the file, or use the part before it.")
    if column == "kwh" and (np.diff(value) < 0).any():
        raise InputError(f"{path}, line {int(np.argmax(np.diff(value) < 0)) + 3}: kwh falls; a counter only grows.")
    joules = value * J_PER_KWH if column == "kwh" else np.append(0.0, np.cumsum((value[1:] + value[:-1]) / 2 * steps))
    silent = np.flatnonzero(steps > max(LONGEST_GAP_S, 3 * float(np.median(steps))))
    return WallMeter(time, joules, [(float(time[i]), float(time[i + 1])) for i in silent])


def _time(text: str | None, place: str) -> float:
    try:
        return float(text or "")
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        raise InputError(f"{place}: {text!r} is not a time such as 2026-11-24T13:00:00Z, or Unix seconds.") from None
    if found.tzinfo is None:
        raise InputError(f"{place}: {text!r} has no time zone; write {text}Z for UTC, or +01:00, say.")
    return found.timestamp()


def _reading(text: str | None, column: str, place: str) -> float:
    try:
        found = float(text or "")
    except ValueError:
        found = math.nan
    if not (math.isfinite(found) and found >= 0):
        raise InputError(f"{place}: {column} is {text!r}; give a number, 0 or more.")
    return found


def join(samples: pd.DataFrame, meter: WallMeter) -> pd.DataFrame:
    """Samples of the machine (columns time, energy_j) with the energy of the meter in place of theirs."""
    return samples.assign(energy_j=meter.at(samples["time"].to_numpy(float)))


def clock_offset_s(samples: pd.DataFrame, meter: WallMeter) -> float | None:
    """Seconds by which the meter's clock is ahead of the machine's; None where the two cannot be told apart or are alike.

    A machine that works harder draws more. So the watts of the meter are correlated with the busy cores of the machine, at
    offsets of up to two minutes, both second by second. An offset counts if it is longer than 2 s and its correlation is
    better by 0.1 than without one.

    Args:
        samples: time (Unix seconds), clock (monotonic, s) and busy_cpu_s (cumulative) of the machine.
        meter: readings.
    """
    run = samples.dropna(subset=["busy_cpu_s"])
    if len(run) < 3:
        return None
    seconds = np.arange(math.ceil(run["time"].min()), math.floor(run["time"].max()))
    if len(seconds) < 10:
        return None
    busy = np.diff(np.interp(seconds, run["time"], run["busy_cpu_s"]))
    offsets = np.arange(-SEARCHED_S, SEARCHED_S + 1)
    found = np.array([_correlation(busy, np.diff(meter.at(seconds + float(offset)))) for offset in offsets])
    if not np.isfinite(found).any():
        return None
    best = int(np.nanargmax(found))
    alike = found[SEARCHED_S]
    off = abs(offsets[best]) > LARGEST_OFFSET_S and (not np.isfinite(alike) or found[best] > alike + CLEARLY)
    return float(offsets[best]) if off and found[best] > 0.5 else None


def _correlation(busy: NDArray[np.float64], watts: NDArray[np.float64]) -> float:
    known = np.isfinite(watts)
    # with little overlap anything correlates
    if known.sum() < max(10, 0.5 * len(busy)) or busy[known].std() == 0 or watts[known].std() == 0:
        return float("nan")
    return float(np.corrcoef(busy[known], watts[known])[0, 1])
