"""What the fork server imports before its first fork.

`multiprocessing` can only name modules to the server that it starts, so this module does the rest when it is imported
there, told by an environment variable: a module that fails is named (the standard library says nothing), libraries
keep to one thread, and the garbage collector leaves what is loaded alone, so that forks share its memory.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import sys
import weakref

VARIABLE = "SNAKEMAKE_DASK_PRELOAD"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # those that Snakemake sets for a job (snakemake/shell.py)
HUGE_PAGE = 2 << 20
MADV_COLLAPSE = 25
ALWAYS = ("ctypes", "snakemake.iocontainers", "snakemake.logging", "snakemake_executor_plugin_dask.supervisor")


def preload(modules: list[str]) -> None:
    """Import modules and make the process fit to be forked; a module that does not import is told on standard error."""
    # a pool of BLAS threads would be lost in a fork, and what waits for it hangs
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    sys.path[:] = [entry for entry in sys.path if entry]  # of `python -c`; `python script.py` has no working directory
    for module in [*ALWAYS, *modules]:
        try:
            importlib.import_module(module)
        except Exception as error:
            told = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"dask: cannot preload {module} ({told}); scripts that need it import it", file=sys.stderr)
    # what is to be done at the end of this process is not to be done at the end of each fork
    atexit._clear()
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
    gc.collect()
    gc.freeze()
    _use_huge_pages()


def _use_huge_pages() -> None:
    """Gather the memory in pages of 2 MB, where the kernel can (Linux 6.1).

    A fork copies the table of pages, and most of what a short job costs is that: a third is left with huge pages.
    """
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    with open("/proc/self/maps") as file:
        fields = [line.split() for line in file]
    for addresses, access, *_, inode in (entry[:5] for entry in fields):
        if access != "rw-p" or inode != "0":  # of files are only the pages that were written, spread thinly
            continue
        first, end = (int(address, 16) for address in addresses.split("-"))
        for start in range(-(-first // HUGE_PAGE) * HUGE_PAGE, end - HUGE_PAGE + 1, HUGE_PAGE):
            # refused where there is nothing, or by an older kernel: then all is as it was
            madvise(start, HUGE_PAGE, MADV_COLLAPSE)


if VARIABLE in os.environ:
    preload(json.loads(os.environ.pop(VARIABLE)))
