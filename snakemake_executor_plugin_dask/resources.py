"""Resources that jobs need and workers have, as Dask's worker resources (standard library only).

When the run's plugin is set up in a worker (`worker.WorkerPlugin`), the worker declares its cores, MB of memory and
GPUs. Workers therefore need no special options. Dask's scheduler does the matching.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

CORES = "snakemake_cores"
MEMORY = "snakemake_mem_mb"
GPUS = "GPU"  # the usual name, also in dask-cuda
SHARE = "snakemake_worker"
WHOLE = 2**20  # shares of a worker: a job takes one, an exclusive job all of them (integers add up exactly)
UNKNOWN = "<TBD>"  # Snakemake's text for a value that only the worker knows

NAMES = {CORES: "cores", MEMORY: "MB of memory", GPUS: "GPUs", SHARE: "shares of a worker"}


def needed(threads: int, resources: Mapping[str, Any]) -> dict[str, int]:
    """Resources that a job reserves.

    Args:
        threads: Snakemake's `threads`.
        resources: Snakemake's `resources`, of which `mem_mb`, `gpu` and `exclusive` count. A job with `exclusive=1`
            reserves one whole worker of any size.
    """
    exclusive = bool(_whole_number(resources.get("exclusive")))
    need = {
        CORES: 1 if exclusive else max(0, threads),
        MEMORY: _whole_number(resources.get("mem_mb")),
        GPUS: _whole_number(resources.get("gpu")),
        SHARE: WHOLE if exclusive else 1,
    }
    return {name: amount for name, amount in need.items() if amount}


def _whole_number(value: Any) -> int:
    # values that are text or not known yet reserve nothing
    return max(0, value) if isinstance(value, int) else 0


def offered(threads: int, memory_bytes: int, gpus: int) -> dict[str, int]:
    """Resources of a worker with these threads, bytes of memory, and GPUs."""
    return {CORES: threads, MEMORY: memory_bytes // 10**6, GPUS: gpus, SHARE: WHOLE}


def shortcoming(need: Mapping[str, int], workers: Sequence[Mapping[str, float]]) -> str:
    """Why no worker can ever run a job, as a clause; empty if one can, or if there are no workers.

    Args:
        need: what `needed` returned.
        workers: resources of each worker.
    """
    if not workers or any(all(have.get(name, 0) >= amount for name, amount in need.items()) for have in workers):
        return ""
    for name, amount in need.items():
        most = max(int(have.get(name, 0)) for have in workers)
        if most < amount:
            return f"it needs {amount} {NAMES[name]}, and the largest worker has {most}"
    amounts = " and ".join(f"{amount} {NAMES[name]}" for name, amount in need.items() if name != SHARE)
    return f"it needs {amounts} at once, which no worker has"


def set_tmpdir(resources: Any, folder: str) -> None:
    """Replace the folder for temporary files in Snakemake's `resources`: an item, and an attribute."""
    position = next(i for i, (name, _) in enumerate(resources._allitems()) if name == "tmpdir")
    resources[position] = folder
    resources.tmpdir = folder


def set_temporary_folder(folder: str) -> str:
    """Set the folder for temporary files of this process.

    Args:
        folder: the folder; `UNKNOWN` is that of this machine, and nothing leaves it as it is.

    Returns:
        The folder.
    """
    if folder == UNKNOWN:
        folder = tempfile.gettempdir()
    if folder:
        os.environ.update(dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), folder))
        tempfile.tempdir = None  # so that it is read from the environment again
    return folder
