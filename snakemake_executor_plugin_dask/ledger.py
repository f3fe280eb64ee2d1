"""Ledger of a run: a line of JSON for every attempt at a job, and a file with the resource usage of the run itself."""

import atexit
import contextlib
import json
import os
import resource
import socket
import threading
import time
from pathlib import Path
from typing import Any, Literal, TypedDict

import psutil
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_dask.process_age import age_s

Status = Literal["ok", "failed", "lost", "cancelled"]
REFRESHED_S = 2.0  # interval at which the resource usage of the run itself is written while jobs end
PRELOADED = "snakemake_executor_plugin_dask.preload"  # in the command line of a preloaded process and of its forks


class LedgerEntry(TypedDict):
    """A line of the ledger: one attempt at a job (see `request.Usage` for units and for unknown values)."""

    session: str
    rule: str
    jobid: int
    wildcards: dict[str, Any]
    output: list[str]
    attempt: int
    status: Status
    path: str
    cold_because: str | None
    submitted: float
    started: float | None
    ended: float | None
    exit_code: int | None
    wall_s: float | None
    cpu_s: float | None
    cpu_user_s: float | None
    cpu_system_s: float | None
    launch_cpu_s: float | None
    read_bytes: int | None
    written_bytes: int | None
    peak_memory_bytes: int | None
    threads: int
    host: str | None
    worker: str | None


class ProcessUsage(TypedDict):
    """CPU time of a process of the run itself."""

    pid: int | None
    command: str
    cpu_s: float


class Overhead(TypedDict):
    """Resource usage of the run itself, without its jobs.

    Attributes:
        started, ended: seconds since the epoch; until the run has ended, `ended` is the time of writing.
        wall_s: seconds from the start of the process, by a clock that nobody sets.
        complete: whether the run has ended; a run that was killed stays incomplete.
    """

    session: str
    host: str
    started: float
    ended: float
    wall_s: float
    cpu_s: float
    complete: bool
    processes: list[ProcessUsage]


class Ledger:
    """One JSON Lines file per run. Each line is written at once, so that a killed run keeps its lines.

    The resource usage of the run itself is written every other second, so that jobs can read it.

    Args:
        folder: folder of the file; None keeps no ledger.
        session: name of the run.
    """

    def __init__(self, folder: str | None, session: str) -> None:
        self.path: Path | None = None
        self.session = session
        self.refreshed = -float("inf")
        self.refreshing = threading.Lock()
        # no worker runs yet, but the processes that looked for meters have ended
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.before_s = before.ru_utime + before.ru_stime
        self.reported_s = 0.0  # CPU-seconds that attempts on this machine have reported
        self.all_reported = True
        if folder:
            start = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
            self.path = Path(folder) / f"{start}-{session}.jsonl"
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise WorkflowError(f"dask: the ledger {folder} cannot be made ({error.strerror}).") from None

    def append(self, entry: LedgerEntry) -> None:
        """Append the line of one attempt."""
        if self.path is None:
            return
        if entry["host"] in (None, socket.gethostname()):
            self.reported_s += (entry["cpu_s"] or 0.0) + (entry["launch_cpu_s"] or 0.0)
            self.all_reported &= entry["cpu_s"] is not None
        line = json.dumps(entry, ensure_ascii=False, default=str).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
        self._refresh()

    def _refresh(self) -> None:
        """Write the resource usage of the run so far, unless it was written a moment ago."""
        if time.monotonic() - self.refreshed < REFRESHED_S or not self.refreshing.acquire(blocking=False):
            return
        try:
            self.refreshed = time.monotonic()
            if self.path is not None:
                with contextlib.suppress(OSError):  # the end of the run reports it
                    _write(self.path.with_suffix(".overhead.json"), self._overhead())
        finally:
            self.refreshing.release()

    def write_overhead(self) -> None:
        """Write the CPU time of Snakemake, Dask and the preloaded process, before they end.

        Only processes of this machine are included, not the workers of a cluster elsewhere. Each process counts its own
        CPU time; that of its children, the jobs, is in their lines of the ledger.
        """
        if self.path is None:
            return
        with self.refreshing:
            self.refreshed = float("inf")
            destination = self.path.with_suffix(".overhead.json")
            _write(destination, self._overhead())
        jobs_s = self.reported_s if self.all_reported else None
        atexit.register(_add_the_end, destination, os.getpid(), jobs_s)

    def _overhead(self) -> Overhead:
        """Resource usage of the run itself so far, without jobs and their supervisors, which report their own."""
        main = psutil.Process()
        processes = [main, *main.children(recursive=True)]
        rows: list[ProcessUsage] = []
        for process in _without_jobs(processes):
            try:
                times, command = process.cpu_times(), " ".join(process.cmdline()[:4])
            except psutil.Error:  # the process has just ended
                continue
            rows.append({"pid": process.pid, "command": command, "cpu_s": round(times.user + times.system, 4)})
        rows.append({"pid": None, "command": "(ended before the executor began)", "cpu_s": round(self.before_s, 4)})
        age, now = age_s(), time.time()
        return {
            "session": self.session,
            "host": socket.gethostname(),
            "started": round(now - age, 3),
            "ended": round(now, 3),
            "wall_s": round(age, 4),
            "cpu_s": round(sum(row["cpu_s"] for row in rows), 4),
            "complete": False,
            "processes": rows,
        }


def _without_jobs(processes: list[psutil.Process]) -> list[psutil.Process]:
    """These processes without running jobs and their supervisors, which are forks of a preloaded process."""
    parents: dict[int, int] = {}
    preloaded: set[int] = set()
    for process in processes:
        with contextlib.suppress(psutil.Error):  # the process has just ended
            parents[process.pid] = process.ppid()
            if any(PRELOADED in word for word in process.cmdline()):
                preloaded.add(process.pid)

    def of_job(pid: int) -> bool:
        while (parent := parents.get(pid)) is not None:
            if parent in preloaded:
                return True
            pid = parent
        return False

    return [process for process in processes if not of_job(process.pid)]


def _add_the_end(path: Path, pid: int, jobs_s: float | None) -> None:
    """Add the CPU time since `write_overhead`, in which this process closes the cluster and Snakemake finishes.

    Args:
        path: file that `write_overhead` wrote.
        pid: the process that wrote it.
        jobs_s: CPU-seconds that jobs on this machine have reported; None if one of them reported nothing.
    """
    if os.getpid() != pid or not path.exists():  # a fork, or the results were removed
        return
    overhead: Overhead = json.loads(path.read_text(encoding="utf-8"))
    own, *others = overhead["processes"]
    own["cpu_s"] = max(own["cpu_s"], round(time.process_time(), 4))
    # a process cannot report its own end, in which the kernel frees its memory: some 10 ms of each fork
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    if jobs_s is not None:
        more = children.ru_utime + children.ru_stime - jobs_s - sum(row["cpu_s"] for row in others)
        others.append({"pid": None, "command": "(ends of processes)", "cpu_s": round(max(0.0, more), 4)})
    overhead["processes"] = [own, *others]
    overhead["cpu_s"] = round(sum(row["cpu_s"] for row in overhead["processes"]), 4)
    overhead["ended"], overhead["wall_s"], overhead["complete"] = round(time.time(), 3), round(age_s(), 4), True
    _write(path, overhead)


def _write(path: Path, overhead: Overhead) -> None:
    """Write atomically: a process may also be killed at its end."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(overhead, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
