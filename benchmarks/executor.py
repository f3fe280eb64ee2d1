"""The Dask executor compared with Snakemake's local executor and with limits.

Usage: executor.py [overhead] [ready] [rerun] [memory]      (default: all of them; about 15 minutes on two cores)
"""

import re
import sys
import tempfile
from pathlib import Path

from meter import load, snakemake

SNAKEFILE = """
rule all:
    input: expand("out/{i}.txt", i=range(int(config["jobs"])))

rule trivial:
    output: "out/{i}.txt"
    script: "trivial.py"
"""
SCRIPT = """
import torch

with open(snakemake.output[0], "w") as file:
    file.write(str(torch.ones(2).sum().item()))
"""


def folder(parent: str, name: str) -> Path:
    """Make a folder with a workflow of trivial jobs that use torch."""
    made = Path(parent) / name
    made.mkdir()
    (made / "Snakefile").write_text(SNAKEFILE)
    (made / "trivial.py").write_text(SCRIPT)
    return made


def overhead(scratch: str) -> None:
    """CPU time of a trivial torch job, and wall time of one additional job."""
    snakemake(folder(scratch, "first"), "--config", "jobs=2")  # fills the disk cache for all of them
    before = snakemake(folder(scratch, "before"), "--config", "jobs=200")
    local = snakemake(folder(scratch, "local"), "--config", "jobs=200", executor="local")
    after = snakemake(folder(scratch, "after"), "--config", "jobs=200")
    warm = (before.cpu_s + after.cpu_s) / 2  # the load may change while the local executor runs
    print(
        f"200 trivial torch jobs: local executor {local.cpu_s:.0f} CPU-s, warm {warm:.1f} CPU-s "
        f"({before.cpu_s:.1f} before, {after.cpu_s:.1f} after), ratio {local.cpu_s / warm:.1f}x  (goal >= 30x)"
    )
    few = snakemake(folder(scratch, "few"), "--config", "jobs=100")
    many = snakemake(folder(scratch, "many"), "--config", "jobs=500")
    print(
        f"one more warm job: {(many.wall_s - few.wall_s) / 400 * 1000:.0f} ms wall (goal <= 50), "
        f"{(many.cpu_s - few.cpu_s) / 400 * 1000:.0f} ms CPU, everything counted"
    )


def ready(scratch: str) -> None:
    """A thousand jobs that are all ready at the start."""
    used = snakemake(folder(scratch, "ready"), "--config", "jobs=1000")
    print(f"1,000 ready jobs: {used.wall_s:.0f} s, {used.wall_s:.1f} ms a job (goal <= 60)")


def rerun(scratch: str) -> None:
    """A run with nothing to do."""
    place = folder(scratch, "rerun")
    snakemake(place, "--config", "jobs=5000")
    used = snakemake(place, "--config", "jobs=5000")
    assert "Nothing to be done" in used.output
    print(f"a rerun of 5,000 jobs with nothing to do: {used.wall_s:.1f} s (goal <= 8)")


def memory(scratch: str) -> None:
    """Peak memory of Snakemake's own process, which includes Dask's scheduler."""
    used = snakemake(folder(scratch, "memory"), "--config", "jobs=10000")
    jobs = re.search(r"(\d+) jobs ran warm", used.output)
    print(
        f"{int(jobs[1]) if jobs else 0:,} jobs: peak memory of the main process {used.peak_bytes / 1e6:.0f} MB "
        f"(goal <= 400), {used.wall_s / 10:.1f} ms a job"
    )


def main() -> None:
    """Run the benchmarks that the command line names, or all."""
    chosen = {function.__name__: function for function in (overhead, ready, rerun, memory)}
    for name in sys.argv[1:] or chosen:
        print(f"# {name}, load {load():.1f}", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            chosen[name](scratch)


if __name__ == "__main__":
    main()
