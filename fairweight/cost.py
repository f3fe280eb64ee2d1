"""What a step itself used: the only module that reads meters."""

import os
import platform
import resource
import time
from pathlib import Path
from typing import Any

import psutil

from fairweight.artifacts import write_json


def write_cost(path: str | Path, threads: int) -> None:
    """Write what this process has used since it started, its finished children included.

    CPU-seconds are user and system time (getrusage); wall time counts from the start of the process, imports
    included; peak memory is the larger of the process's and its largest child's resident set.
    """
    write_json(path, process_cost(threads))


def process_cost(threads: int) -> dict[str, Any]:
    """The figures of `write_cost`: seconds, bytes, host."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    started = psutil.Process().create_time()
    scale = 1 if platform.system() == "Darwin" else 1024  # ru_maxrss: bytes there, KiB elsewhere
    return {
        "cpu_s": round(own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 4),
        "wall_s": round(time.time() - started, 4),
        "peak_memory_bytes": max(own.ru_maxrss, children.ru_maxrss) * scale,
        "threads": threads,
        "host": platform.node(),
        "cores": os.cpu_count(),
        "started": round(started, 3),
    }


def cpu_clock() -> float:
    """CPU-seconds of this process, all threads."""
    return time.process_time()


def load_average() -> float:
    """Runnable processes of this machine over the last minute."""
    return os.getloadavg()[0]
