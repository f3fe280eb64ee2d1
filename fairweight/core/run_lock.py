"""The lock that the processes of one run share (see `cli.run.run_study`)."""

import fcntl
import os
from pathlib import Path

from fairweight.core.errors import InputError

LOCK = Path(".snakemake") / "fairweight.lock"
RUN = "FAIRWEIGHT_RUN"  # environment variable: which run a job belongs to
UNFINISHED = ".fairweight-unfinished-"  # part of the names of files that are being written; nothing else has it


def hold() -> None:
    """Hold a shared lock of this run until the process ends, so that the next run waits for it.

    Does nothing for jobs that `fairweight run` has not started.

    Raises:
        InputError: the run that started this job was killed, and another run has started since.
    """
    run = os.environ.get(RUN)
    if run is None or not LOCK.exists():
        return
    descriptor = os.open(LOCK, os.O_RDONLY)  # stays open until the process ends
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    if os.pread(descriptor, 64, 0).decode() != run:
        raise InputError("the run that started this job has ended, and another run has started.")
