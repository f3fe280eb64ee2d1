"""What travels between Snakemake's process and the workers (standard library only)."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Script:
    """A Python script to be run in a fork of a preloaded process.

    Attributes:
        source: its text, as Snakemake read it.
        filename: its path, or address where it is not local.
        snakemake: the pickled `snakemake` object of the job.
        search_path: folders to append to `sys.path`.
    """

    source: str
    filename: str
    snakemake: bytes
    search_path: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """One attempt at a job.

    Attributes:
        name: of the job, for messages.
        run: a script (warm), or a command line for the shell (cold), as Snakemake made it.
        cwd: folder in which it runs.
        environment: variables to set.
        threads: threads that numerical libraries may use.
        log: file for standard output and error.
        python_path: folders of PYTHONPATH, which a warm script finds first.
        benchmark_repeats: how often to run it, sampled each time; 0 runs it once, without samples.
    """

    name: str
    run: Script | str
    cwd: str
    environment: dict[str, str]
    threads: int
    log: str
    python_path: tuple[str, ...] = ()
    benchmark_repeats: int = 0


@dataclass
class Usage:
    """What one process used, its descendants included.

    Attributes:
        started: seconds since the epoch.
        wall_s: seconds.
        exit_code: negative: the number of the signal that ended it.
        cpu_s: user and system time, CPU-seconds; None where it is not known.
        cpu_user_s: user time, CPU-seconds; None where it is not known.
        cpu_system_s: system time, CPU-seconds; None where it is not known.
        read_bytes: bytes that read calls returned, from the page cache too; None where it is not known.
        written_bytes: bytes given to write calls; None where it is not known.
        peak_memory_bytes: largest resident set of a process; None where it is not known.
        launch_cpu_s: CPU-seconds of the process that watched over it, which is no part of it.
        sampled: Snakemake's benchmark figures, as far as they could be sampled.
    """

    started: float
    wall_s: float
    exit_code: int
    cpu_s: float | None = None
    cpu_user_s: float | None = None
    cpu_system_s: float | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    launch_cpu_s: float | None = None
    peak_memory_bytes: int | None = None
    sampled: dict[str, Any] = field(default_factory=dict)


@dataclass
class Outcome:
    """What became of a request: one usage for each repeat that ran.

    Attributes:
        usages: the last one decides.
        worker: Dask's address of the worker.
        host: name of its machine.
        tail: end of the output of a failed attempt.
        problem: what else went wrong, in one sentence.
    """

    usages: list[Usage]
    worker: str
    host: str
    tail: str = ""
    problem: str = ""

    @property
    def exit_code(self) -> int:
        """Exit code of the attempt."""
        return self.usages[-1].exit_code if self.usages else 1


class WorkerLost(Exception):  # noqa: N818 - what has happened, not what was done wrong
    """Dask runs a task for the second time: its first worker is gone.

    Args:
        claim: what the first worker said when it began (worker, host, started).
    """

    def __init__(self, claim: dict[str, Any]) -> None:
        super().__init__(claim)
        self.claim = claim
