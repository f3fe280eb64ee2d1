"""Load a file for the first time in a child process: an engine that crashes ends the child, and not the step."""

import contextlib
import ctypes
import faulthandler
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from fairweight.core.errors import InputError

# signals by which native code ends its own process; SIGKILL, which also ends a process without memory, is none
CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})
# a fork has one thread: it would wait forever for a lock that another thread of this process held at that moment
PATIENCE_S, BYTES_PER_S = 30.0, 10e6
PR_SET_DUMPABLE = 4


def first_load(
    load: Callable[[], object], *, engine: str, path: str | Path, place: str = "", file: str | Path = ""
) -> None:
    """Load a file in a fork of this process, which ends afterwards.

    A fork costs about 30 ms (it copies the page table) and the time of a second load; its memory is freed when it ends.
    Nothing is decided if the fork fails to load the file without a crash: the load in this process then reports why.

    Args:
        load: loads the file, and may run it.
        engine: name and version of the engine, for the message.
        path: the file.
        place: start of the error sentence; the file if it is empty.
        file: name of the file in the error sentence; the path if it is empty.

    Raises:
        InputError: the process that loaded the file was ended by a signal of CRASHES.
    """
    if sys.platform == "darwin":
        print(f"{path}: engine {engine} was not tried in a process of its own: on macOS, forks of libraries crash")
        return
    reading, writing = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        child = os.fork()
    except OSError:  # no memory or no process left for a fork
        os.close(reading)
        os.close(writing)
        return
    if child == 0:
        _load_and_end(load, writing)
    os.close(writing)
    patience = PATIENCE_S + Path(path).stat().st_size / BYTES_PER_S
    messages = _output(reading, time.monotonic() + patience)
    if messages is None:
        print(f"{path}: engine {engine} was not tried in a process of its own, which did not end in {patience:.0f} s")
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if messages is None or not os.WIFSIGNALED(status) or os.WTERMSIG(status) not in CRASHES:
        return
    if messages:
        print(messages.decode(errors="replace"), file=sys.stderr)
    name = signal.Signals(os.WTERMSIG(status)).name
    raise InputError(
        f"{place or file or path}: engine {engine} crashes ({name}) while it loads {Path(file or path).name}; take the "
        "variant out of `grid`, or the engine out of `engines`."
    )


def _load_and_end(load: Callable[[], object], writing: int) -> NoReturn:
    """Load the file in this process, a fork, and end it without what runs at the end of a process."""
    try:
        for descriptor in (1, 2):  # the load in the parent prints the same messages again
            os.dup2(writing, descriptor)
        faulthandler.disable()
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # a crash leaves no core dump
        for number in CRASHES:
            signal.signal(number, signal.SIG_DFL)
        load()
    except BaseException:  # noqa: S110 - the parent loads the file next, and reports the error
        pass
    finally:
        os._exit(0)


def _output(reading: int, deadline: float) -> bytes | None:
    """What a child process writes until it ends; None if it has not ended by the deadline."""
    parts: list[bytes] = []
    try:
        while select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = os.read(reading, 65536)
            if not part:
                return b"".join(parts)
            parts.append(part)
    finally:
        os.close(reading)
    return None
