"""The lock that the processes of one run share (see `cli.run.run_study`).

Snakemake's own lock outlives a killed run. Here the operating system releases the lock when the last process of a run
has ended. The process of a run and all its jobs share the lock; a run that starts first takes it exclusively.
"""

import contextlib
import errno
import fcntl
import os
import stat
import uuid
from pathlib import Path

from fairweight.core.errors import InputError

LOCK = Path(".snakemake") / "fairweight.lock"
RUN = "FAIRWEIGHT_RUN"  # environment variable: which run a process belongs to
UNFINISHED = ".fairweight-unfinished-"  # part of the names of files that are being written; nothing else has it


def open_lock() -> int:
    """Open the lock of this folder, and make it where there is none.

    Returns:
        A file descriptor; whoever closes it releases the lock.

    Raises:
        InputError: it cannot be opened, or is not a file.
    """
    try:
        LOCK.parent.mkdir(exist_ok=True)
        # a link would lead to a file that is not ours; a pipe must not wait for a writer
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.ELOOP, errno.ENXIO):
            raise InputError(f"{LOCK} is not a file; remove it.") from None
        reason = f"the folder {LOCK.parent} cannot be written ({error.strerror})"
        raise InputError(f"{reason}; make it writable, or run in another folder.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{LOCK} is not a file; remove it.")
    return descriptor


def take(descriptor: int) -> bool:
    """Take the lock exclusively, if nobody holds it; return whether it is taken.

    Raises:
        InputError: the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise InputError(f"{LOCK} cannot be locked ({error.strerror}); run in a folder on another disk.") from None
    return True


def begin(descriptor: int) -> None:
    """Begin a run with a lock that is taken: name the run, and share the lock with its jobs."""
    os.environ[RUN] = uuid.uuid4().hex
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, os.environ[RUN].encode(), 0)
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def begin_or_join() -> str | None:
    """Begin a run of Snakemake in this folder, or join the one that has started this process; never waits.

    Returns:
        None, or why no step may run.
    """
    try:
        descriptor = open_lock()
        if os.pread(descriptor, 64, 0).decode(errors="replace") == os.environ.get(RUN):
            return None  # `fairweight run` holds the lock for this process
        if not take(descriptor):
            return "another run uses this folder; wait until it has ended."
        begin(descriptor)  # the descriptor stays open until the process ends
    except InputError as error:
        return str(error)
    return None


def hold() -> None:
    """Hold a shared lock of this run until the process ends, so that the next run waits for it.

    Does nothing where the run has no lock, for example on a machine of a cluster that does not see this folder.

    Raises:
        InputError: the run that started this job was killed, and another run has started since.
    """
    run = os.environ.get(RUN)
    if run is None or not LOCK.is_file():
        return
    descriptor = os.open(LOCK, os.O_RDONLY)  # stays open until the process ends
    with contextlib.suppress(OSError):  # the file system of another machine may have no locks
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    if os.pread(descriptor, 64, 0).decode() != run:
        raise InputError("the run that started this job has ended, and another run has started.")
