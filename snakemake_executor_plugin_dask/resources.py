"""What jobs need and what workers have, in the words of Dask's worker resources (standard library only).

A worker says of itself how many cores, MB of memory and GPUs it has, when the run's plugin is set up in it
(`worker.WorkerPlugin`), so that any worker will do, however it was started; Dask's scheduler does the rest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

CORES = "snakemake_cores"
MEMORY = "snakemake_mem_mb"
GPUS = "GPU"  # the name that Dask's users and dask-cuda give them
SHARE = "snakemake_worker"
WHOLE = 2**20  # shares of a worker: a job holds one, an exclusive job all of them (integers, so that nothing is lost)

NAMES = {CORES: "cores", MEMORY: "MB of memory", GPUS: "GPUs", SHARE: "shares of a worker"}


def needed(threads: int, resources: Mapping[str, Any]) -> dict[str, int]:
    """What a job reserves, of Snakemake's `threads` and `resources: mem_mb, gpu, exclusive`.

    A job with `exclusive=1` has one whole worker to itself, whatever its size.
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
    # what is not known yet, or is text, reserves nothing
    return max(0, value) if isinstance(value, int) else 0


def offered(threads: int, memory_bytes: int, gpus: int) -> dict[str, int]:
    """What a worker has; `memory_bytes` in bytes."""
    return {CORES: threads, MEMORY: memory_bytes // 10**6, GPUS: gpus, SHARE: WHOLE}


def shortcoming(need: Mapping[str, int], workers: Sequence[Mapping[str, float]]) -> str:
    """Why none of the workers can ever run a job, in a clause; empty where one can, or where there are no workers."""
    if not workers or any(all(have.get(name, 0) >= amount for name, amount in need.items()) for have in workers):
        return ""
    for name, amount in need.items():
        most = max(int(have.get(name, 0)) for have in workers)
        if most < amount:
            return f"it needs {amount} {NAMES[name]}, and the largest worker has {most}"
    told = " and ".join(f"{amount} {NAMES[name]}" for name, amount in need.items() if name != SHARE)
    return f"it needs {told} at once, which no worker has"
