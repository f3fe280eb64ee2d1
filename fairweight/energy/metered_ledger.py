"""Join the ledger of a run with the samples of its nodes' energy meters."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from fairweight.core.errors import InputError
from fairweight.energy.attribution import Shares, share
from fairweight.energy.json_lines import read_lines
from fairweight.energy.wall_meter import WallMeter, clock_offset_s, join

COLUMNS = ("phase", "time", "clock", "busy_cpu_s", "energy_j")


def read_samples(path: Path) -> pd.DataFrame:
    """Read the samples of one node and run: columns of COLUMNS, energy summed over its domains (J, cumulative).

    Raises:
        InputError: a line is not a sample. A truncated last line is skipped.
    """
    rows = []
    for entry, place in read_lines(path):
        try:
            energy = entry["energy_j"]
            row = {**entry, "energy_j": None if energy is None else sum(energy.values())}
            numbers = [None if row.get(name) is None else float(row[name]) for name in COLUMNS[1:]]
        except (KeyError, TypeError, AttributeError, ValueError):
            raise InputError(f"{place}: this is not a sample; remove the line.") from None
        rows.append([row.get("phase"), *numbers])
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype(dict.fromkeys(COLUMNS[1:], float))


def meter(
    table: pd.DataFrame, folder: Path, wall: WallMeter | None = None
) -> tuple[pd.DataFrame, list[tuple[str, Shares]]]:
    """Add `metered_j` and `energy_status` to a ledger.

    The energy of a step is `measured` if its node's sampler covered it. Otherwise it is `modelled` if its CPU-seconds
    are known, and `not attributable` if they are not.

    Args:
        table: a ledger (`ledger.read_ledger`).
        folder: where the samplers wrote, one file per node and run.
        wall: a meter that kept a file of its own; it is used where a sampler read no meter.

    Returns:
        The ledger, and for each node and run its host and where its energy went.
    """
    status = table["cpu_s"].isna().map({True: "not attributable", False: "modelled"})
    metered = table.assign(metered_j=float("nan"), energy_status=status)
    nodes = []
    for path in sorted(folder.glob("*.meter.jsonl")):
        host = path.name.removesuffix(".meter.jsonl").partition(".")[2]
        samples = _with(read_samples(path), wall)
        run = samples[samples["phase"] == "run"]
        if len(run) < 2:
            continue
        steps = metered[(metered["kind"] == "step") & (metered["host"] == host)]
        steps = steps.dropna(subset=["started", "wall_s", "cpu_s"])
        began, ended = run["time"].min(), run["time"].max()
        steps = steps[(steps["started"] < ended) & (steps["started"] + steps["wall_s"] > began)]
        shares = share(samples, steps)
        measured = [s == "measured" for s in shares.status]
        index = steps.index[measured]
        metered.loc[index, "metered_j"] = shares.jobs[measured]
        metered.loc[index, "energy_status"] = "measured"
        nodes.append((host, shares))
    return metered, nodes


def _with(samples: pd.DataFrame, wall: WallMeter | None) -> pd.DataFrame:
    return join(samples, wall) if wall is not None and samples["energy_j"].isna().all() else samples


def differing_clocks(folder: Path, wall: WallMeter) -> list[str]:
    """A sentence for each run that a wall meter did not cover, or in which its clock differs from the machine's.

    Args:
        folder: where the samplers wrote.
        wall: readings of the meter.
    """
    sentences = []
    for path in sorted(folder.glob("*.meter.jsonl")):
        samples = read_samples(path)
        if not samples["energy_j"].isna().all():
            continue
        name, first, last = path.name.split(".", 1)[0], samples["time"].min(), samples["time"].max()
        covered = join(samples, wall)["energy_j"].notna().mean()
        offset = clock_offset_s(samples, wall)
        if offset is not None:
            direction = "ahead of" if offset > 0 else "behind"
            sentences.append(
                f"Run {name}: the clock of the meter is about {abs(offset):.0f} s {direction} that of the machine, "
                "because its watts follow the busy cores with that offset; set the clock, or shift the times of the "
                "file."
            )
        elif not covered:
            sentences.append(
                f"Run {name}: the meter's file has no readings from that time ({_utc(first)} to {_utc(last)}); it "
                f"covers {_utc(wall.time[0])} to {_utc(wall.time[-1])}. Check its time zone."
            )
        elif covered < 1:
            sentences.append(
                f"Run {name}: the meter was silent for {1 - covered:.0%} of the run; energy of that time is not "
                "attributable."
            )
    return sentences


def _utc(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC"
