"""Temporary folders of a run and of its workers, which nobody else can read, and which no run leaves behind."""

import atexit
import contextlib
import fcntl
import multiprocessing.process
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "snakemake-dask-run-"  # nothing else in the temporary folder of a machine is touched
YOUNG_S = 60  # a folder that is younger may not be locked yet
SHORT = "/tmp"  # noqa: S108 - only for folders of mode 0700, where the temporary folder has too long a path
LONGEST = 74  # characters of a folder: `fork-XXXXXXXX/listener-XXXXXXXX` follow, and a Unix socket has at most 107


class RunFolder:
    """A folder of a run or of one of its workers; those of runs that were killed are removed before.

    Args:
        place: folder in which it is made; None for the temporary folder.

    Attributes:
        path: the folder, with mode 0700.
    """

    def __init__(self, place: str | None = None) -> None:
        _remove_abandoned(Path(place or tempfile.gettempdir()))
        self.path = tempfile.mkdtemp(prefix=PREFIX, dir=place)
        # the operating system releases the lock when the process ends, however it ends
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(self._lock, fcntl.LOCK_SH)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)


def _remove_abandoned(place: Path) -> None:
    """Remove the folders of this user's runs that have ended without removing them."""
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            about = folder.lstat()
            if about.st_uid != os.geteuid() or time.time() - about.st_mtime < YOUNG_S:
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)


def keep_sockets(folder: str) -> None:
    """Make the sockets of this process in a worker's folder, which Dask removes also when the worker is killed.

    By default, they are in a folder of their own below the temporary folder, which a killed process leaves behind, and
    whose path may be too long for a socket.
    """
    config = multiprocessing.process.current_process()._config  # type: ignore[attr-defined]
    if config.get("tempdir") is not None:
        return
    if len(folder) <= LONGEST:
        config["tempdir"] = tempfile.mkdtemp(prefix="fork-", dir=folder)
    elif os.access(SHORT, os.W_OK):
        own = RunFolder(SHORT)
        atexit.register(own.remove)
        config["tempdir"] = own.path
