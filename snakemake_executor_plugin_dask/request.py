"""Messages between Snakemake's process and the workers (standard library only)."""

from dataclasses import dataclass, field
from typing import TypedDict


@dataclass(frozen=True)
class Script:
    """A Python script that runs in a fork of a preloaded process.

    Attributes:
        source: text of the script, as Snakemake read it.
        filename: path of the script, or its address if it is not local.
        snakemake: the pickled `snakemake` object of the job.
        search_path: folders to append to `sys.path`.
        folder: folder of the files that Snakemake makes of scripts.
        kept: whether such a file is made and kept (`--skip-script-cleanup`).
    """

    source: str
    filename: str
    snakemake: bytes
    search_path: tuple[str, ...]
    folder: str
    kept: bool


@dataclass(frozen=True)
class Command:
    """A command that a shell runs (`shell:`).

    Attributes:
        texts: the command; with a benchmark, one for each repeat.
        executable: the shell; empty if Snakemake has none, so that it is /bin/sh.
        file_shell: shell for a command that is too long for an argument and is written to a file; empty if none is.
        origin: line and file from which the rule calls `shell`, as compiled by Snakemake.
        tmpdir: folder for temporary files.
    """

    texts: tuple[str, ...]
    executable: str
    file_shell: str
    origin: tuple[int, str] | None
    tmpdir: str


@dataclass(frozen=True)
class Request:
    """One attempt at a job.

    Attributes:
        name: name of the job, for messages.
        run: a script or a command (warm), or a command line for the shell from Snakemake (cold).
        cwd: working folder.
        environment: environment variables to set; None removes one.
        threads: number of threads that numerical libraries may use.
        log: file for standard output and error.
        python_path: folders of PYTHONPATH, which come first on the search path of a warm script.
        benchmark_repeats: number of sampled repeats; 0 runs the job once, without samples.
        awaited: files that must be there first; a network file system may show them late on another machine.
        latency_s: seconds to wait for them.
    """

    name: str
    run: Script | Command | str
    cwd: str
    environment: dict[str, str | None]
    threads: int
    log: str
    python_path: tuple[str, ...] = ()
    benchmark_repeats: int = 0
    awaited: tuple[str, ...] = ()
    latency_s: float = 0.0


class Claim(TypedDict, total=False):
    """What a worker records before it starts a task.

    Attributes:
        worker: Dask's address of the worker.
        host: name of its machine.
        started: seconds since the epoch.
    """

    worker: str
    host: str
    started: float


@dataclass
class Usage:
    """Resource usage of a process and its descendants. Values that are not known are None.

    Attributes:
        started: seconds since the epoch.
        wall_s: seconds.
        exit_code: exit code; a negative one is the number of the signal that ended the process.
        cpu_s: user and system time in CPU-seconds.
        cpu_user_s: user time in CPU-seconds.
        cpu_system_s: system time in CPU-seconds.
        read_bytes: bytes that read calls returned, including those from the page cache.
        written_bytes: bytes given to write calls.
        peak_memory_bytes: largest resident set of a process.
        launch_cpu_s: CPU-seconds of the supervising process, which are not part of `cpu_s`.
        ended: seconds since the epoch; it differs from started + wall_s if the clock was set meanwhile.
        sampled: Snakemake's benchmark figures, if the process lived long enough to be sampled.
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
    ended: float | None = None
    sampled: dict[str, float | None] = field(default_factory=dict)


@dataclass
class Outcome:
    """Result of a request.

    Attributes:
        usages: one for each repeat that ran; the last one decides.
        worker: Dask's address of the worker.
        host: name of its machine.
        tail: end of the output of a failed attempt.
        problem: any other failure, in one sentence.
        lost: what an earlier worker recorded, which had started the attempt and is gone; nothing was run.
    """

    usages: list[Usage]
    worker: str
    host: str
    tail: str = ""
    problem: str = ""
    lost: Claim | None = None

    @property
    def exit_code(self) -> int:
        """Exit code of the attempt."""
        return self.usages[-1].exit_code if self.usages else 1
