"""The process that runs one attempt, and its supervisor (standard library only).

A fork of the preloaded process becomes the supervisor. It forks again, and that child runs the script or the command.
The supervisor waits for the child, so that the kernel accounts for its resource usage even if it is killed. It adopts
every process that the job orphans. It ends all of them when the job ends, and when the worker closes its pipe or dies.
"""

import atexit
import contextlib
import ctypes
import importlib
import json
import linecache
import logging
import multiprocessing.util
import os
import pickle
import random
import resource
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
import types
from io import TextIOWrapper
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, TextIO

from snakemake_executor_plugin_dask.preload import THREAD_VARIABLES
from snakemake_executor_plugin_dask.request import Request, Script
from snakemake_executor_plugin_dask.resources import set_tmpdir

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 0.5  # time for processes that a job leaves behind, such as a resource tracker, to end by themselves
PATIENCE_S = 10  # time after which processes that cannot be killed are given up


class Supervisor:
    """Object that is sent to the fork server, which calls `_bootstrap` as it does for a `multiprocessing.Process`.

    The supervisor writes JSON lines to the descriptor that it inherits: first `{"pid": ...}`, and at the end the fields
    of `request.Usage`.

    Args:
        request: the attempt.
        iteration: number of the repeat of a benchmark.
    """

    def __init__(self, request: Request, iteration: int | None) -> None:
        self.request = request
        self.iteration = iteration

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
        owner = os.getpid()
        before = _transferred()
        started, clock = time.time(), time.perf_counter()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for descriptor in (report, parent_sentinel, woken, wake):
                os.close(descriptor)
            _job(self.request, self.iteration, owner)
        _report(report, pid=pid)
        status = _await(pid, parent_sentinel, woken)
        wall, ended = time.perf_counter() - clock, time.time()
        _end_descendants(pid)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        after = _transferred()  # includes the bytes of children that this process has waited for
        moved = {name: after[name] - before[name] for name in after if name in before}
        _report(
            report,
            started=started,
            ended=ended,
            wall_s=wall,
            exit_code=os.waitstatus_to_exitcode(status),
            cpu_s=used.ru_utime + used.ru_stime,
            launch_cpu_s=time.process_time(),
            cpu_user_s=used.ru_utime,
            cpu_system_s=used.ru_stime,
            read_bytes=moved.get("rchar"),
            written_bytes=moved.get("wchar"),
            peak_memory_bytes=used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        )
        return 0


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


def _await(pid: int, parent_sentinel: int, woken: int) -> int:
    """Wait for the job, and kill it when the worker closes its end of the pipe; returns the wait status."""
    watched = [parent_sentinel, woken]
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        ready, _, _ = select.select(watched, [], [])
        if parent_sentinel in ready:
            _kill_group(pid)
            watched.remove(parent_sentinel)
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # the job may not have its own group yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _end_descendants(pid: int) -> None:
    """Wait a moment for the processes that the job has left behind to end by themselves; then kill them."""
    deadline = time.monotonic() + GRACE_S
    while True:
        try:
            reaped, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if reaped:
            continue
        if time.monotonic() > deadline + PATIENCE_S:
            return
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
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


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
        os.environ.update(request.environment)
        if isinstance(request.run, str):
            # the preloaded process has one thread; `shell:` sets the variables again
            os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(request.threads)))
            os.execv("/bin/sh", ["/bin/sh", "-c", request.run])  # noqa: S606 - Snakemake's own command line
        code = _run_script(request.run, request, iteration)
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


def _run_script(script: Script, request: Request, iteration: int | None) -> int:
    """Run a script as a new interpreter would, and return its exit code."""
    _limit_threads(request.threads)
    _reseed()
    # as in `python script.py`: PYTHONPATH precedes installed packages; Snakemake's own folders come last
    sys.path[:0] = [entry for entry in request.python_path if entry not in sys.path]
    sys.path.extend(entry for entry in script.search_path if entry not in sys.path)
    importlib.invalidate_caches()
    ends_processes = multiprocessing.util._exit_function  # type: ignore[attr-defined]
    for last in (logging.shutdown, ends_processes):  # as in a new interpreter
        atexit.register(last)
    sys.argv = [script.filename]
    module = _main_module(script, iteration)
    try:
        exec(compile(script.source, script.filename, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
        code = 0
    except SystemExit as end:
        code = _exit_code(end)
    except BaseException:
        _print_traceback()
        code = 1
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
        code = code or 1
    return code


def _exit_code(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    print(end.code, file=sys.stderr)
    return 1


def _print_traceback() -> None:
    kind, error, trace = sys.exc_info()
    while trace and trace.tb_frame.f_code.co_filename == __file__:  # leave out our own frames
        trace = trace.tb_next
    traceback.print_exception(kind, error, trace)


def _main_module(script: Script, iteration: int | None) -> types.ModuleType:
    """Make the script's `__main__`, with the names that Snakemake's preamble defines."""
    from snakemake.iocontainers import Snakemake
    from snakemake.logging import logger

    job = pickle.loads(script.snakemake)  # noqa: S301 - written by Snakemake's own process just now
    job.bench_iteration = iteration
    _set_temporary_folder(job.resources)
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __builtins__=__builtins__,
        __file__=script.filename,
        __real_file__=_real_file(script),
        __spec__=None,
        sys=sys,
        pickle=pickle,
        snakemake=job,
        Snakemake=Snakemake,
        logger=logger,
    )
    sys.modules["__main__"] = module
    lines = script.source.splitlines(keepends=True)
    linecache.cache[script.filename] = (len(script.source), None, lines, script.filename)
    return module


def _real_file(script: Script) -> str:
    """The file that Snakemake would run, which begins with a preamble; it is made only if somebody will see it."""
    if not script.kept and "__real_file__" not in script.source:
        return script.filename
    preamble = (
        f"import sys; sys.path.extend({list(script.search_path)!r}); import pickle; "
        f"snakemake = pickle.loads({script.snakemake!r}); from snakemake.logging import logger; "
        f"from snakemake.iocontainers import Snakemake; __real_file__ = __file__; __file__ = {script.filename!r};\n"
    )
    Path(script.folder).mkdir(parents=True, exist_ok=True)
    descriptor, path = tempfile.mkstemp(f".{Path(script.filename).name}", dir=script.folder)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(preamble + script.source)
    if not script.kept:
        atexit.register(os.unlink, path)
    return path


def _set_temporary_folder(resources: Any) -> None:
    """Set the folder for temporary files, which only the machine that runs the job knows."""
    folder = str(resources.get("tmpdir", ""))
    if folder == "<TBD>":
        folder = tempfile.gettempdir()
        set_tmpdir(resources, folder)
    if folder:
        os.environ.update(dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), folder))
        tempfile.tempdir = None  # so that it is read from the environment again


def _limit_threads(threads: int) -> None:
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
    if threads > 1:  # the preloaded process was limited to one
        try:
            import threadpoolctl
        except ImportError:
            return
        threadpoolctl.threadpool_limits(threads)


def _reseed() -> None:
    """Seed the global random generators: forks share the state of the preloaded process, new interpreters do not."""
    random.seed()
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()
