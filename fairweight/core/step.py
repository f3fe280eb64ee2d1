"""Context of every step: its log, the checksums of its files, its resource usage, a user's mistake as one sentence."""

import contextlib
import gc
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from fairweight.core import artifacts, checksums
from fairweight.core.errors import InputError, file_problem, first_line
from fairweight.core.resource_usage import write_usage
from fairweight.core.run_lock import hold


class Outputs(Protocol):
    """Output files of a rule, as Snakemake gives them to a script."""

    usage: str

    def __iter__(self) -> Iterator[str]:
        """All of them, the usage file included."""
        ...


@contextlib.contextmanager
def step(log: str, inputs: Iterable[str], outputs: Outputs, threads: int) -> Iterator[None]:
    """Run a step: an `InputError` ends it with one sentence in its log.

    Before it, the inputs are compared with what the steps that wrote them recorded. After it, and only if it has
    succeeded, the usage file is written: its resource usage, and size and checksum of every file that it wrote.

    Args:
        log: file for standard output and error, those of native libraries included.
        inputs: files and folders that the step reads.
        outputs: files and folders that it writes; `usage` is the usage file.
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
        checksums.verify(inputs)
        artifacts.WRITTEN.clear()
        yield
        declared = {Path(path) for path in outputs}
        write_usage(outputs.usage, threads, declared, _others(declared))
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
        if (sentence := file_problem(error, str(Path(outputs.usage).parent))) is None:
            raise
        sys.exit(f"fairweight: {sentence}")


def _others(declared: set[Path]) -> list[Path]:
    """Files that a step wrote beside its outputs and that no rule can declare, such as a tokenizer."""
    folders = {path.parent for path in declared}
    return [path for path in artifacts.WRITTEN - declared if path.parent in folders and path.exists()]


def _limit_threads(threads: int) -> None:
    # a warm process has imported torch before it knew its number of threads
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
