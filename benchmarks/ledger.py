"""Measure the overhead of the ledger per job: the job's usage file, the launcher's figures, and a line of JSON.

Usage: ledger.py [RESULTS]

RESULTS is the folder of a finished study; the overhead is then a share of what its jobs took. Without it the share is
that of a job of 0.2 CPU-seconds, about the shortest job of the default study that computes anything.
"""

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from meter import ROOT, load

sys.path.insert(0, str(ROOT))

from fairweight.core.artifacts import read_frame
from fairweight.core.resource_usage import write_usage
from fairweight.energy.ledger import read_ledger
from fairweight.energy.ledger_entries import LedgerEntry
from fairweight.energy.metered_ledger import meter
from snakemake_executor_plugin_dask.ledger import Ledger
from snakemake_executor_plugin_dask.supervisor import _transferred

REPEATS = 1000
LIMIT_S, LIMIT_SHARE, SHORT_CPU_S = 0.005, 0.01, 0.2
OUTPUTS = ("model.safetensors", "model.json", "curve.parquet", "train.usage.json")
ENTRY: LedgerEntry = {
    "session": "2f6d0b6c",
    "rule": "train",
    "output": [f"results/default/seed-0/adult/none/mlp/dense/{name}" for name in OUTPUTS],
    "attempt": 1,
    "status": "ok",
    "started": 1.7e9,
    "ended": 1.7e9,
    "wall_s": 1.0,
    "cpu_s": 1.0,
    "cpu_user_s": 0.9,
    "cpu_system_s": 0.1,
    "peak_memory_bytes": 4e8,
    "read_bytes": 1e7,
    "written_bytes": 1e6,
    "threads": 1,
    "host": "host",
    "exit_code": 0,
}


def record(folder: Path) -> None:
    """Do all that is done to record one job, in the job, in its launcher and in the executor."""
    before = _transferred()
    write_usage(folder / "step.usage.json", 1)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    moved = {name: count - before[name] for name, count in _transferred().items() if name in before}
    json.loads(json.dumps({"cpu_s": used.ru_utime, **moved}))  # through a pipe to the worker
    ledger.append(ENTRY)


with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch)
    ledger = Ledger(str(folder / "ledger"), "session")
    record(folder)
    began, clock = time.process_time(), time.perf_counter()
    for _ in range(REPEATS):
        record(folder)
    cpu, wall = (time.process_time() - began) / REPEATS, (time.perf_counter() - clock) / REPEATS

    began = time.process_time()
    table, _ = meter(read_ledger(folder), folder / "meter")
    read = (time.process_time() - began) / len(table)

mean = SHORT_CPU_S
if len(sys.argv) > 1:
    jobs = read_frame(Path(sys.argv[1]) / "summary" / "ledger.parquet")
    mean = float(jobs.loc[jobs["kind"] == "step", "cpu_s"].mean())
print(f"# load {load():.1f}, process {os.getpid()}")
print(f"the ledger takes {cpu * 1e3:.2f} CPU-ms and {wall * 1e3:.2f} ms a job (at most {LIMIT_S * 1e3:g} ms)")
print(f"that is {cpu / mean:.2%} of a job of {mean:.2f} CPU-seconds (at most {LIMIT_SHARE:.0%})")
print(f"reading it afterwards takes {read * 1e3:.2f} CPU-ms a job")
sys.exit(cpu > LIMIT_S or cpu / mean > LIMIT_SHARE)
