"""Context of every step: its log, its resource usage, and a user's mistake as one sentence."""

import contextlib
import gc
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from fairweight.core.errors import InputError, file_problem, first_line
from fairweight.core.resource_usage import write_usage
from fairweight.core.run_lock import hold


@contextlib.contextmanager
def step(log: str, usage: str, threads: int) -> Iterator[None]:
    """Run a step: its output goes to `log`, its resource usage to `usage`; an `InputError` ends it with one sentence.

    Args:
        log: file for standard output and error, those of native libraries included.
        usage: JSON file, written last and only if the step has succeeded.
        threads: number of threads that the step may use; recorded.
    """
    try:
        hold()  # before the log is opened: a job whose run was replaced must not empty the new run's log
    except InputError as error:
        sys.exit(f"fairweight: {error}")
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    _limit_threads(threads)
    try:
        yield
        write_usage(usage, threads)
        # the interpreter's last garbage collection would visit everything that torch imported: half a second a step
        gc.freeze()
    except InputError as error:
        sys.exit(f"fairweight: {error}")
    except (MemoryError, RuntimeError) as error:  # torch reports missing memory as the latter
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        sys.exit(
            f"fairweight: there is not enough memory for this step ({first_line(error)}); use a smaller model or "
            "batch, run fewer steps at a time (-- --cores 1), or take a larger machine."
        )
    except OSError as error:
        if (sentence := file_problem(error, str(Path(usage).parent))) is None:
            raise
        sys.exit(f"fairweight: {sentence}")


def _limit_threads(threads: int) -> None:
    # a warm process has imported torch before it knew its number of threads
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
