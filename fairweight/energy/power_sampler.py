"""Sample energy and busy CPU-seconds of a node once a second during a run (standard library only).

A node has one sampler. `fairweight run` starts it if a meter can be read. On another node of a cluster, start it by
hand with `python -P -m fairweight.energy.power_sampler results/STUDY/meter`.
"""

import argparse
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import NotRequired, TextIO, TypedDict

from fairweight.core.errors import InputError
from fairweight.energy.meters import Meter, open_meters

INTERVAL_S = 1.0
IDLE_S = 5.0
BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq of /proc/stat: neither idle nor waiting, nor stolen by others


def busy_cpu_s() -> float | None:
    """CPU-seconds that all processes of this node have used since it started; None without `/proc/stat`."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(word) for word in file.readline().split()[1:]]
    except OSError:
        return None
    return sum(ticks[kind] for kind in BUSY) / os.sysconf("SC_CLK_TCK")


class Sample(TypedDict):
    """One line of a sampler.

    Attributes:
        phase: `idle` before the run, `run` during it.
        time: wall clock, Unix seconds.
        clock: monotonic clock, s.
        busy_cpu_s: CPU-seconds of all processes of the node, cumulative.
        energy_j: cumulative energy in J by domain; None if not known.
        lost: why a meter can no longer be read.
    """

    phase: str
    time: float
    clock: float
    busy_cpu_s: float | None
    energy_j: dict[str, float] | None
    lost: NotRequired[str]


class Sampler:
    """Write the readings of a node's meters, one line of JSON per sample.

    A vanished meter does not stop the samples. From then on their energy is None.
    """

    def __init__(self, meters: list[Meter], file: TextIO) -> None:
        """Write to an open file; each line is flushed."""
        self.meters, self.file = list(meters), file

    def sample(self, phase: str) -> None:
        """Write one line; `energy_j` is None once a meter is gone: the others do not sum to the node's energy."""
        energy: dict[str, float] | None = {} if self.meters else None  # None: an external meter keeps its own file
        lost = None
        for meter in self.meters:
            try:
                if energy is not None:
                    energy |= meter.read_j()
            except OSError as error:
                energy, lost = None, str(error)
        if energy is None and self.meters:
            self.meters = [_Gone()]
        entry: Sample = {
            "phase": phase,
            "time": round(time.time(), 4),
            "clock": round(time.monotonic(), 4),
            "busy_cpu_s": busy_cpu_s(),
            "energy_j": energy,
        }
        if lost:
            entry["lost"] = lost
        self.file.write(json.dumps(entry) + "\n")
        self.file.flush()


class _Gone:
    def read_j(self) -> dict[str, float]:
        raise OSError("a meter of this node has vanished")


def follow(sampler: Sampler, parent: int, interval_s: float = INTERVAL_S) -> None:
    """Sample until the parent process has ended, and once more after that."""
    due = time.monotonic()
    while os.getppid() == parent:
        sampler.sample("run")
        due = max(due + interval_s, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
    sampler.sample("run")


def main(arguments: list[str] | None = None) -> None:
    """Measure the idle node, print `ready`, and sample until the parent process ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to write to: `meter` of the study's results")
    parser.add_argument("--powercap", type=Path, default=None, help="path of another powercap tree")
    parser.add_argument("--idle-s", type=float, default=IDLE_S, help="seconds for which the idle node is measured")
    parser.add_argument(
        "--external", action="store_true", help="an external meter keeps its own file; read no meter here"
    )
    parser.add_argument("--command", nargs=argparse.REMAINDER, help="program that prints watts, with its arguments")
    parsed = parser.parse_args(arguments)
    parent = os.getppid()
    try:
        meters, reasons = (
            ([], [])
            if parsed.external
            else open_meters(parsed.command, **({"powercap": parsed.powercap} if parsed.powercap else {}))
        )
    except InputError as error:
        sys.exit(f"fairweight: {error}")
    if not meters and not parsed.external:
        _answer(f"none: {'; '.join(reasons)}")
        return
    try:
        _sample(meters, parsed.folder, parsed.idle_s, parent)
    except OSError as error:
        sys.exit(f"fairweight: samples of the energy meter cannot be written to {parsed.folder} ({error.strerror}).")


def _answer(line: str) -> None:
    """Answer the process that starts the run; it may have been cancelled."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end


def _sample(meters: list[Meter], folder: Path, idle_s: float, parent: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.{socket.gethostname()}.meter.jsonl"
    with path.open("a", encoding="utf-8") as file:
        sampler = Sampler(meters, file)
        sampler.sample("idle")
        time.sleep(idle_s)
        sampler.sample("idle")
        _answer("ready")
        sys.stdout.close()
        follow(sampler, parent)


if __name__ == "__main__":
    main()
