"""Limits the memory of a process and its descendants with a control group of the kernel (version 1 or 2)."""

import contextlib
import os
import uuid
from pathlib import Path

ROOTS = {Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes", Path("/sys/fs/cgroup"): "memory.max"}


def _root() -> Path | None:
    for root, file in ROOTS.items():
        probe = root / f"probe-{uuid.uuid4().hex[:8]}"
        try:
            probe.mkdir()
        except OSError:
            continue
        controlled = (probe / file).exists()
        probe.rmdir()
        if controlled:
            return root
    return None


def no_limit() -> str:
    """Why this machine cannot limit memory; empty if it can."""
    return "" if _root() else "no control group for memory can be made"


@contextlib.contextmanager
def memory_limit(size_bytes: int):
    """Create a control group with a memory limit; yields the prefix of a command that should run in it."""
    root = _root()
    group = root / f"fairweight-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    try:
        (group / ROOTS[root]).write_text(str(size_bytes))
        yield ["sh", "-c", 'echo $$ > "$0/cgroup.procs"; exec "$@"', str(group)]
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        with contextlib.suppress(OSError):  # a process that is about to end still counts
            group.rmdir()
