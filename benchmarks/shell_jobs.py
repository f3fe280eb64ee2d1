"""Trivial shell jobs by the Dask executor and by Snakemake's local executor, side by side.

Usage: shell_jobs.py [JOBS]      (default: 2000 jobs; about three minutes on two cores, alone on the machine)

The warm jobs use both cores where the local executor uses one, so that other work on the machine raises their ratio.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from meter import Usage, load, snakemake

SNAKEFILE = """
rule all:
    input: expand("out/{i}.txt", i=range(int(config["jobs"])))

rule trivial:
    output: "out/{i}.txt"
    shell: "echo {wildcards.i} > {output}"
"""
FEW = 100


def run(scratch: str, jobs: int, executor: str) -> Usage:
    """Run trivial jobs in a folder of their own."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    (folder / "Snakefile").write_text(SNAKEFILE)
    return snakemake(folder, "--config", f"jobs={jobs}", executor=executor)


def shell_cpu_s(scratch: str, count: int = 300) -> float:
    """CPU-seconds of the shell itself."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for i in range(count):
        subprocess.run(f"set -euo pipefail;  echo {i} > {scratch}/x", shell=True, executable="/bin/bash", check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / count


def compare(scratch: str, jobs: int) -> None:
    """Wall time of all jobs, and CPU time of one more."""
    few = {executor: run(scratch, FEW, executor) for executor in ("local", "dask")}
    first, local, second = (run(scratch, jobs, executor) for executor in ("dask", "local", "dask"))
    wall_s, cpu_s = ((getattr(first, name) + getattr(second, name)) / 2 for name in ("wall_s", "cpu_s"))
    print(
        f"{jobs:,} trivial shell jobs: local executor {local.wall_s:.1f} s, warm {wall_s:.1f} s ({first.wall_s:.1f} "
        f"before, {second.wall_s:.1f} after), ratio {wall_s / local.wall_s:.2f}x  (goal <= 1.2x at 2,000)"
    )
    warm = (cpu_s - few["dask"].cpu_s) / (jobs - FEW) * 1000
    locally = (local.cpu_s - few["local"].cpu_s) / (jobs - FEW) * 1000
    shell = shell_cpu_s(scratch) * 1000
    print(
        f"one more shell job, everything counted: warm {warm:.1f} ms CPU, local executor {locally:.1f} ms, the shell "
        f"itself {shell:.1f} ms; warm beyond the shell {warm - shell:.1f} ms  (goal <= 20)"
    )


def main() -> None:
    """Run the benchmark with the number of jobs that the command line gives."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"# shell jobs, load {load():.1f}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        compare(scratch, jobs)


if __name__ == "__main__":
    main()
