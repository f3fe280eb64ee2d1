"""The process that runs one attempt, and its supervisor (standard library only).

A fork of a fork server becomes the supervisor. It forks again, and that child runs the script or the command. The
supervisor waits for the child, so that the kernel accounts for its resource usage even if it is killed. It adopts every
process that the job orphans. It ends all of them when the job ends, and when the worker closes its pipe or dies. Then
it takes the next attempt of this worker, if there is one.
"""

import contextlib
import ctypes
import json
import os
import pickle
import resource
import select
import shutil
import signal
import socket
import sys
import time
import traceback
from io import TextIOWrapper
from multiprocessing import forkserver
from pathlib import Path
from typing import NamedTuple, TextIO

from snakemake_executor_plugin_dask.preload import THREAD_VARIABLES
from snakemake_executor_plugin_dask.request import Command, Request, Script
from snakemake_executor_plugin_dask.resources import set_temporary_folder

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 0.5  # time for processes that a job leaves behind, such as a resource tracker, to end by themselves
PATIENCE_S = 10  # time after which processes that cannot be killed are given up
SHELL = "/bin/sh"
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Supervisor:
    """Object that is sent to the fork server, which calls `_bootstrap` as it does for a `multiprocessing.Process`.

    It carries the first request; each later one comes as a pickled pair of request and iteration through the pipe from
    the worker, when the one before has ended. To the descriptor that it inherits, the supervisor writes JSON lines:
    for each request first `{"pid": ...}`, and at the end the fields of `request.Usage`.

    Args:
        request: the first attempt.
        iteration: number of the repeat of a benchmark.
    """

    def __init__(self, request: Request, iteration: int | None) -> None:
        self.first = request, iteration

    def _bootstrap(self, parent_sentinel: int) -> int:
        sys.excepthook = sys.__excepthook__  # that of the fork server is for forks that get no attempt
        (report,) = forkserver.get_inherited_fds()  # type: ignore[misc]
        # the server ends when no process holds this pipe; an attempt depends on the worker, not on the server
        os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        pipes = _Pipes(report, parent_sentinel, woken, wake)
        reported_s = 0.0
        alone = True
        following = self.first
        with open(parent_sentinel, "rb", closefd=False) as requests:
            while alone:  # a process that cannot be killed would be counted for the next attempt
                reported_s, alone = _supervise(*following, pipes, reported_s)
                try:
                    following = pickle.load(requests)  # noqa: S301 - from the worker
                except EOFError:  # the worker needs no more attempts, or is gone
                    break
        return 0


class _Pipes(NamedTuple):
    """Descriptors of a supervisor: its report, the pipe from the worker, and a pipe that signals write to."""

    report: int
    parent_sentinel: int
    woken: int
    wake: int


def _supervise(request: Request, iteration: int | None, pipes: _Pipes, reported_s: float) -> tuple[float, bool]:
    """Run a request in a fork and report it.

    Args:
        request: the attempt.
        iteration: number of the repeat of a benchmark.
        pipes: descriptors of this process.
        reported_s: CPU-seconds of this process that earlier reports contain.

    Returns:
        CPU-seconds of this process that are reported now, and whether all processes of the job have ended.
    """
    owner = os.getpid()
    before = _transferred()
    started, clock = time.time(), time.perf_counter()
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        for descriptor in pipes:
            os.close(descriptor)
        _job(request, iteration, owner)
    _report(pipes.report, pid=pid)
    status, used = _await(pid, pipes)
    wall, ended = time.perf_counter() - clock, time.time()
    others, alone = _end_descendants(pid)
    if isinstance(request.run, Command) and request.run.file_shell:
        shutil.rmtree(_folder_of_file(request, pid), ignore_errors=True)
    user, system = (sum(getattr(each, name) for each in (used, *others)) for name in ("ru_utime", "ru_stime"))
    after = _transferred()  # includes the bytes of children that this process has waited for
    moved = {name: after[name] - before[name] for name in after if name in before}
    own_s = time.process_time()
    _report(
        pipes.report,
        started=started,
        ended=ended,
        wall_s=wall,
        exit_code=os.waitstatus_to_exitcode(status),
        cpu_s=user + system,
        launch_cpu_s=own_s - reported_s,
        cpu_user_s=user,
        cpu_system_s=system,
        read_bytes=moved.get("rchar"),
        written_bytes=moved.get("wchar"),
        peak_memory_bytes=max(each.ru_maxrss for each in (used, *others)) * (1 if sys.platform == "darwin" else 1024),
    )
    return own_s, alone


def _transferred() -> dict[str, int]:
    """Bytes that this process and its finished children have read and written; empty if the kernel does not count."""
    try:
        with open("/proc/self/io") as file:
            return {name: int(count) for name, count in (line.split(": ") for line in file)}
    except (OSError, ValueError):
        return {}


def _report(descriptor: int, **values: float | None) -> None:
    """Write a line of the report."""
    with contextlib.suppress(BrokenPipeError):
        os.write(descriptor, json.dumps(values).encode() + b"\n")


def _await(pid: int, pipes: _Pipes) -> tuple[int, resource.struct_rusage]:
    """Wait for the job, and kill it when the worker closes its end of the pipe; returns wait status and usage."""
    watched = [pipes.parent_sentinel, pipes.woken]
    while True:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, used
        ready, _, _ = select.select(watched, [], [])
        if pipes.parent_sentinel in ready:
            _kill_group(pid)
            watched.remove(pipes.parent_sentinel)
        if pipes.woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(pipes.woken, 4096)


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # the job may not have its own group yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _end_descendants(pid: int) -> tuple[list[resource.struct_rusage], bool]:
    """Wait a moment for the processes that the job has left behind to end by themselves; then kill them.

    Returns:
        Their usages, and whether all have ended.
    """
    deadline = time.monotonic() + GRACE_S
    usages: list[resource.struct_rusage] = []
    while True:
        try:
            reaped, _, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return usages, True
        if reaped:
            usages.append(used)
            continue
        if time.monotonic() > deadline + PATIENCE_S:
            return usages, False
        if time.monotonic() > deadline:
            _kill_group(pid)
            for child in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        time.sleep(0.01)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:  # not Linux, or a kernel without this file
        return []


def _prctl(option: int, value: int) -> None:
    if LIBC is not None:
        LIBC.prctl(option, value, 0, 0, 0)


# ---- the job itself


def _job(request: Request, iteration: int | None, supervisor: int) -> None:
    """Run the request in this process, which ends here."""
    code = 1
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # the supervisor died before the line above
            os._exit(1)
        _redirect(request.log)
        _prefer_for_out_of_memory()
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(request.cwd)
        _change_environment(request.environment)
        if isinstance(request.run, Script):
            _reopen_streams()
            from snakemake_executor_plugin_dask.script_run import run_script  # the small process never needs it

            code = run_script(request.run, request, iteration)
        else:
            _run_command(request, request.run, iteration)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


def _redirect(log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)


def _reopen_streams() -> None:
    """Open Python's streams again, after their descriptors were redirected."""
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = _reopened(1, sys.stdout)
    sys.stderr = _reopened(2, sys.stderr)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _reopened(descriptor: int, like: TextIO) -> TextIOWrapper:
    """Open a descriptor with the encoding that this interpreter has chosen for another stream by its locale."""
    return open(descriptor, "w", closefd=False, buffering=1, encoding=like.encoding, errors=like.errors)


def _prefer_for_out_of_memory() -> None:
    # when memory runs out, the kernel should kill the job and not the worker, on which other jobs depend
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _change_environment(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def _run_command(request: Request, run: Command | str, iteration: int | None) -> None:
    """Replace this process by the shell that runs a command, as `subprocess.Popen` starts it in Snakemake's `shell`."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(request.threads)))  # the preloaded process has one thread
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    if isinstance(run, str):  # Snakemake's command line for a cold job
        os.execv(SHELL, [SHELL, "-c", run])  # noqa: S606
    set_temporary_folder(run.tmpdir)
    text = run.texts[iteration or 0]
    if run.file_shell:
        text = f'"{run.file_shell}" "{_write_file(request, text)}"'
    shell = run.executable or SHELL
    os.execvp(shell, [shell, "-c", text])  # noqa: S606


def _folder_of_file(request: Request, pid: int) -> Path:
    """Folder for the file of a command that is too long for an argument."""
    return Path(request.cwd) / ".snakemake" / f"shell_tmp.{socket.gethostname()}-{pid}"


def _write_file(request: Request, text: str) -> Path:
    folder = _folder_of_file(request, os.getpid())
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "script.sh"
    file.write_text(text + "\n")
    file.chmod(0o700)
    return file
