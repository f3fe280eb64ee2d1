"""Wall time, CPU-seconds and memory of whole process trees, for the benchmarks."""

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
# as many threads as the jobs of a benchmark may have altogether
CORES = 2
# compiled modules are kept, as on any machine where nothing forbids it; each job would compile its imports otherwise
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@dataclass
class Cost:
    """What a command cost: seconds, CPU-seconds of all its descendants, and peak bytes of its own process."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: str


def measure(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end; CPU-seconds are the operating system's account of it and of all that it waited for.

    Raises:
        RuntimeError: it failed.
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
    return Cost(wall, used.ru_utime + used.ru_stime, peak(), text)


def _watch_memory(pid: int):
    """Largest resident set of one process; `wait4` would tell that of its largest descendant."""
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


def snakemake(folder: Path, *arguments: str, executor: str = "dask") -> Cost:
    """Run the workflow of a folder."""
    options = {
        "dask": ["--executor", "dask", "--jobs", "unlimited", "--dask-dashboard", "none", "--dask-preload", "torch"],
        "local": ["--executor", "local"],
    }[executor]
    command = [sys.executable, "-m", "snakemake", "--scheduler", "greedy", "--cores", str(CORES), *options, *arguments]
    return measure(command, folder)


def load() -> float:
    """Runnable processes over the last minute; above the number of cores, absolute times say little."""
    return os.getloadavg()[0]
