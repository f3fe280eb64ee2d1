"""Runs a Python script in a fork of the preloaded process, as a new interpreter would run it."""

import atexit
import importlib
import linecache
import logging
import multiprocessing.util
import os
import pickle
import random
import sys
import tempfile
import threading
import traceback
import types
from pathlib import Path

from snakemake_executor_plugin_dask.preload import THREAD_VARIABLES
from snakemake_executor_plugin_dask.request import Request, Script
from snakemake_executor_plugin_dask.resources import UNKNOWN, set_temporary_folder, set_tmpdir


def run_script(script: Script, request: Request, iteration: int | None) -> int:
    """Run a script in this process, and return its exit code.

    Args:
        script: the script.
        request: the attempt.
        iteration: number of the repeat of a benchmark.
    """
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
    tmpdir = str(job.resources.get("tmpdir", ""))
    folder = set_temporary_folder(tmpdir)
    if tmpdir == UNKNOWN:
        set_tmpdir(job.resources, folder)
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
