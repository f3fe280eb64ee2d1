"""Measure wall time, CPU-seconds and memory of whole process trees, for the benchmarks."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
CORES = 2  # threads that the jobs of a benchmark may use altogether
# compiled modules are kept, as is the default of Python; otherwise each job would compile its imports
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@dataclass
class Usage:
    """Resource usage of a command.

    Attributes:
        wall_s: wall time in s.
        cpu_s: CPU-seconds of the command and all its descendants.
        peak_bytes: peak resident memory of its own process.
        output: standard output and error.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: str


def measure(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end and measure it.

    CPU-seconds are those that the operating system counts for the command and for all processes that it waited for.

    Args:
        command: program and arguments.
        folder: working directory; the output goes to `output.txt` in it.
        environment: environment variables to add.

    Raises:
        RuntimeError: the command failed.
    """
    log = folder / "output.txt"
    began = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env=os.environ | dict(environment or {})
        )
        peak = _watch_memory(process.pid)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    text = log.read_text()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{text[-3000:]}")
    return Usage(wall, used.ru_utime + used.ru_stime, peak(), text)


def _watch_memory(pid: int):
    """Watch the resident set of one process; `wait4` would give that of its largest descendant."""
    largest = [0]

    def watch() -> None:
        try:
            while True:
                largest[0] = max(largest[0], psutil.Process(pid).memory_info().rss)
                time.sleep(0.1)
        except psutil.NoSuchProcess:
            return

    threading.Thread(target=watch, daemon=True).start()
    return lambda: largest[0]


def snakemake(folder: Path, *arguments: str, executor: str = "dask") -> Usage:
    """Run the workflow of a folder and measure it."""
    options = {
        "dask": ["--executor", "dask", "--jobs", "unlimited", "--dask-dashboard", "none", "--dask-preload", "torch"],
        "local": ["--executor", "local"],
    }[executor]
    command = [sys.executable, "-m", "snakemake", "--scheduler", "greedy", "--cores", str(CORES), *options, *arguments]
    return measure(command, folder)


def load() -> float:
    """Runnable processes over the last minute; if above the number of cores, absolute times say little."""
    return os.getloadavg()[0]
