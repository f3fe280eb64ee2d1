"""Files that are dated later than the clock, after it went back (standard library only).

Snakemake compares the times of files. A file that seems to come from the future is newer than whatever is made from it,
so that Snakemake deletes the result of every step that reads it.
"""

import os
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from fairweight.core.errors import InputError

TOLERANCE_S = 2.0  # file systems round times, and clocks of file servers differ a little


def date_back(folder: Path) -> int:
    """Give files of the future times up to now, in the same order among themselves and after all other files.

    Args:
        folder: results of a study; no step writes to it.

    Returns:
        Number of files that were dated back.
    """
    now = time.time_ns()
    times = {path: path.lstat().st_mtime_ns for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    future = sorted({when for when in times.values() if when > now + TOLERANCE_S * 1e9})
    if not future:
        return 0
    latest = max((when for when in times.values() if when < future[0]), default=now - 10**9)
    step = max(1000, (now - latest) // (len(future) + 1))
    dated = {when: latest + step * position for position, when in enumerate(future, 1)}
    for path, when in times.items():
        if when in dated:
            os.utime(path, ns=(dated[when], dated[when]), follow_symlinks=False)
    return sum(when in dated for when in times.values())


def check_times(inputs: Iterable[str]) -> None:
    """Refuse inputs of steps that are dated later than now.

    Args:
        inputs: paths; those without a file are left out.

    Raises:
        InputError: there is such a file; says what to do.
    """
    now = time.time()
    for path in inputs:
        try:
            dated = Path(path).stat().st_mtime
        except OSError:
            continue
        if dated > now + TOLERANCE_S:
            raise InputError(
                f"{path} is dated {_text(dated)}, and the clock says {_text(now)}: whatever is made from it would seem "
                "older and be deleted; set the clock, or date the file back with 'touch'; nothing was started."
            )


def _text(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"
