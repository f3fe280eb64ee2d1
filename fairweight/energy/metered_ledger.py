"""What the samplers of a run's nodes wrote, joined with its ledger."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from fairweight.core.errors import InputError
from fairweight.energy.attribution import Shares, share
from fairweight.energy.wall_meter import WallMeter, clock_offset_s, join

COLUMNS = ("phase", "time", "clock", "busy_cpu_s", "energy_j")


def read_samples(path: Path) -> pd.DataFrame:
    """Samples of one node and run: columns of COLUMNS, energy summed over its domains (J, cumulative).

    Raises:
        InputError: a line, but for a last one cut short, is not a sample.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            energy = entry["energy_j"]
            rows.append({**entry, "energy_j": None if energy is None else sum(energy.values())})
        except (json.JSONDecodeError, KeyError, TypeError):
            if number < len(lines):  # the machine may go down while a last line is written
                raise InputError(f"{path}, line {number}: this is not a sample; take the line out.") from None
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype(dict.fromkeys(COLUMNS[1:], float))


def meter(
    table: pd.DataFrame, folder: Path, wall: WallMeter | None = None
) -> tuple[pd.DataFrame, list[tuple[str, Shares]]]:
    """Add `metered_j` and `energy_status` to a ledger, and tell where the energy of each node went.

    A step has metered energy where its node's sampler covered it. Else its energy is modelled, if its CPU-seconds are known,
    and not attributable if not.

    Args:
        table: a ledger (`ledger.read_ledger`).
        folder: where the samplers wrote, one file a node and run.
        wall: a meter that kept a file of its own; it stands in where a sampler read none.
    """
    status = table["cpu_s"].isna().map({True: "not attributable", False: "modelled"})
    found = table.assign(metered_j=float("nan"), energy_status=status)
    nodes = []
    for path in sorted(folder.glob("*.meter.jsonl")):
        host = path.name.removesuffix(".meter.jsonl").split(".", 1)[1]
        samples = _with(read_samples(path), wall)
        run = samples[samples["phase"] == "run"]
        if len(run) < 2:
            continue
        of = found[(found["kind"] == "step") & (found["host"] == host)].dropna(subset=["started", "wall_s", "cpu_s"])
        of = of[(of["started"] < run["time"].max()) & (of["started"] + of["wall_s"] > run["time"].min())]
        shares = share(samples, of)
        measured = [s == "measured" for s in shares.status]
        index = of.index[measured]
        found.loc[index, "metered_j"] = shares.jobs[measured]
        found.loc[index, "energy_status"] = "measured"
        nodes.append((host, shares))
    return found, nodes


def _with(samples: pd.DataFrame, wall: WallMeter | None) -> pd.DataFrame:
    return join(samples, wall) if wall is not None and samples["energy_j"].isna().all() else samples


def differing_clocks(folder: Path, wall: WallMeter) -> list[str]:
    """A sentence for each run in which the clock of a meter in the wall is not that of the machine, or it saw nothing."""
    told = []
    for path in sorted(folder.glob("*.meter.jsonl")):
        samples = read_samples(path)
        if not samples["energy_j"].isna().all():
            continue
        name, first, last = path.name.split(".", 1)[0], samples["time"].min(), samples["time"].max()
        covered = join(samples, wall)["energy_j"].notna().mean()
        offset = clock_offset_s(samples, wall)
        if offset is not None:
            told.append(
                f"Run {name}: the clock of the meter is about {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} that of the "
                "machine, as the watts follow its busy cores; set it right, or shift the times of the file."
            )
        elif not covered:
            told.append(
                f"Run {name}: the meter's file has nothing of that time ({_utc(first)} to {_utc(last)}); it reaches from "
                f"{_utc(wall.time[0])} to {_utc(wall.time[-1])}: is its time zone right?"
            )
        elif covered < 1:
            told.append(f"Run {name}: the meter was silent for {1 - covered:.0%} of it; that is not attributable.")
    return told


def _utc(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC"
