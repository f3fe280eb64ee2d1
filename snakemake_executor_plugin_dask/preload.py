"""Prepares the fork server before its first fork: imports modules and makes the process fit to be forked.

`multiprocessing` can only pass names of modules to the server that it starts. The server imports this module, which
reads from an environment variable what to preload. It reports modules that cannot be imported (the standard library
ignores them), limits libraries to one thread, and freezes the garbage collector, so that forks share memory.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import sys
import weakref
from typing import Any

VARIABLE = "SNAKEMAKE_DASK_PRELOAD"
SAFE_PATH = "PYTHONSAFEPATH"  # as the option -P: modules are not looked for in the working folder
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # the variables that Snakemake sets for a job (snakemake/shell.py)
HUGE_PAGE = 2 << 20
MADV_COLLAPSE = 25
SUPERVISOR = "snakemake_executor_plugin_dask.supervisor"
FOR_SCRIPTS = ("snakemake.iocontainers", "snakemake.logging", "snakemake_executor_plugin_dask.script_run")


def preload(modules: list[str] | None) -> None:
    """Import modules and make the process fit to be forked.

    Args:
        modules: names; one that cannot be imported is reported on standard error. None for a process whose forks run
            commands and no scripts, and which stays small.
    """
    # a fork would lose a pool of BLAS threads and then wait for it forever
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    for module in [SUPERVISOR, *(() if modules is None else (*FOR_SCRIPTS, *modules))]:
        try:
            importlib.import_module(module)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"dask: cannot preload {module} ({reason}); scripts that need it import it", file=sys.stderr)
    sys.excepthook = _except_abandoned
    # functions registered for the end of this process must not run at the end of each fork
    atexit._clear()
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
    gc.collect()
    gc.freeze()
    _use_huge_pages()


def _except_abandoned(kind: Any, error: BaseException, traceback: Any) -> None:
    """Print a traceback, unless the worker has ended before it said what this fork should do."""
    if kind is not EOFError:
        sys.__excepthook__(kind, error, traceback)


def _use_huge_pages() -> None:
    """Collapse the memory into pages of 2 MB, if the kernel can (Linux 6.1).

    A fork copies the page table, which takes most of the CPU time of a short job; huge pages reduce it to a third.
    """
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    with open("/proc/self/maps") as file:
        fields = [line.split() for line in file]
    for addresses, access, *_, inode in (entry[:5] for entry in fields):
        if access != "rw-p" or inode != "0":  # mapped files have few written pages, far apart
            continue
        first, end = (int(address, 16) for address in addresses.split("-"))
        for start in range(-(-first // HUGE_PAGE) * HUGE_PAGE, end - HUGE_PAGE + 1, HUGE_PAGE):
            # fails without effect where nothing is mapped, and on older kernels
            madvise(start, HUGE_PAGE, MADV_COLLAPSE)


if VARIABLE in os.environ:
    payload = json.loads(os.environ.pop(VARIABLE))
    os.environ.pop(SAFE_PATH, None)
    if payload["safe_path"] is not None:
        os.environ[SAFE_PATH] = payload["safe_path"]
    preload(payload["modules"])
