"""A line of JSON for every attempt at a job, and beside it what the run itself used."""

import atexit
import json
import os
import resource
import socket
import time
from pathlib import Path
from typing import Any

import psutil


class Ledger:
    """Appends to one file a run, in a folder; each line is written at once, so that a killed run keeps what it had."""

    def __init__(self, folder: str | None, session: str) -> None:
        self.path: Path | None = None
        before = resource.getrusage(
            resource.RUSAGE_CHILDREN
        )  # no worker runs yet, but what looked for meters has ended
        self.before_s = before.ru_utime + before.ru_stime
        if folder:
            start = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
            self.path = Path(folder) / f"{start}-{session}.jsonl"
            self.path.parent.mkdir(parents=True, exist_ok=True)

    def append(self, entry: dict[str, Any]) -> None:
        """Add one attempt."""
        if self.path is None:
            return
        line = json.dumps(entry, ensure_ascii=False, default=str).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def write_overhead(self, session: str) -> None:
        """Write what Snakemake, Dask and the warm process have used themselves, before they end.

        Processes of this machine only: what the workers of a cluster elsewhere use for themselves is not in it. Each
        process counts what it used itself; its children, the jobs, tell that themselves.
        """
        if self.path is None:
            return
        main = psutil.Process()
        rows: list[dict[str, Any]] = []
        for process in (main, *main.children(recursive=True)):
            try:
                times, command = process.cpu_times(), " ".join(process.cmdline()[:4])
            except psutil.Error:  # it has ended in between
                continue
            rows.append({"pid": process.pid, "command": command, "cpu_s": round(times.user + times.system, 4)})
        rows.append({"pid": None, "command": "(ended before the executor began)", "cpu_s": round(self.before_s, 4)})
        overhead = {
            "session": session,
            "host": socket.gethostname(),
            "started": round(main.create_time(), 3),
            "ended": round(time.time(), 3),
            "cpu_s": round(sum(row["cpu_s"] for row in rows), 4),
            "processes": rows,
        }
        destination = self.path.with_suffix(".overhead.json")
        _write(destination, overhead)
        atexit.register(_add_the_end, destination, rows[0]["pid"])


def _add_the_end(path: Path, pid: int) -> None:
    """Add what this process has used since: it still ends the cluster, and Snakemake its own work."""
    if os.getpid() != pid:  # a fork
        return
    overhead = json.loads(path.read_text(encoding="utf-8"))
    own = overhead["processes"][0]
    more = max(0.0, time.process_time() - own["cpu_s"])
    own["cpu_s"], overhead["cpu_s"] = round(own["cpu_s"] + more, 4), round(overhead["cpu_s"] + more, 4)
    overhead["ended"] = round(time.time(), 3)
    _write(path, overhead)


def _write(path: Path, overhead: dict[str, Any]) -> None:
    """Whole or not at all: a process may be killed at its end, too."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(overhead, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
