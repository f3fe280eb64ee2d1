"""CPU time, memory and wall time that a step used, and how busy other processes kept the machine."""

import os
import platform
import resource
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from fairweight.core import checksums
from fairweight.core.artifacts import write_json
from snakemake_executor_plugin_dask.process_age import age_s


def write_usage(path: str | Path, threads: int, outputs: Iterable[Path] = (), others: Iterable[Path] = ()) -> None:
    """Write the usage file of a step: what this process has used since it started, and the files that it wrote.

    CPU-seconds are user and system time (getrusage), those of finished children included; wall time counts from the
    start of the process, imports included; peak memory is the larger of the process's and its largest child's
    resident set.

    Args:
        path: usage file.
        threads: number of threads that the step may use.
        outputs: files and folders that are outputs of its rule.
        others: further files that it wrote.
    """
    # first the checksums, so that their CPU-seconds count
    records = checksums.records(Path(path), outputs, others)
    write_json(path, checksums.sealed(process_usage(threads) | records))


def process_usage(threads: int) -> dict[str, Any]:
    """The figures of `write_usage`: seconds, bytes, host."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = age_s()
    scale = 1 if platform.system() == "Darwin" else 1024  # ru_maxrss: bytes there, KiB elsewhere
    return {
        "cpu_s": round(own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 4),
        "wall_s": round(wall, 4),
        "peak_memory_bytes": max(own.ru_maxrss, children.ru_maxrss) * scale,
        "threads": threads,
        "host": platform.node(),
        "cores": os.cpu_count(),
        "started": round(time.time() - wall, 3),
    }


class PeakMemory:
    """Growth of the resident memory of this process from now on; Linux only."""

    def __init__(self) -> None:
        self.before: int | None = None
        try:
            Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
            self.before = psutil.Process().memory_info().rss
        except OSError:
            pass  # not estimable here

    def grown(self) -> int | None:
        """Bytes between what was resident at the start and the high-water mark since; None where it cannot be read."""
        if self.before is None:
            return None
        status = Path("/proc/self/status").read_text().splitlines()
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
        return max(0, peak - self.before)


def cpu_clock() -> float:
    """CPU-seconds of this process, all threads."""
    return time.process_time()


def load_average() -> float:
    """Runnable processes of this machine over the last minute."""
    return os.getloadavg()[0]


class Disturbance:
    """Load of other processes on this machine while a block runs.

    Attributes:
        other_cores: cores that were busy with other processes on average; less than the resolution of the kernel's
            clock (20 ms) counts as 0.
        load: runnable processes over the last minute, at the end.
    """

    RESOLUTION_S = 0.02

    def __enter__(self) -> "Disturbance":
        self.other_cores, self.load = 0.0, float("nan")
        self._began, self._busy, self._own = time.perf_counter(), _busy_cpu_s(), cpu_clock()
        return self

    def __exit__(self, *ignored: object) -> None:
        lasted = time.perf_counter() - self._began
        others = _busy_cpu_s() - self._busy - (cpu_clock() - self._own)
        self.other_cores = others / lasted if others > self.RESOLUTION_S else 0.0
        self.load = load_average()


def _busy_cpu_s() -> float:
    """CPU-seconds of the machine that were not idle, stolen time of a virtual machine included."""
    times = psutil.cpu_times()
    # Linux counts the time of guests in that of users as well
    return float(sum(times) - times.idle - sum(getattr(times, n, 0.0) for n in ("iowait", "guest", "guest_nice")))


def machine() -> tuple[int, int]:
    """Threads of this machine, and bytes of its memory."""
    return os.cpu_count() or 1, int(psutil.virtual_memory().total)
