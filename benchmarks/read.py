"""CPU-seconds and peak memory of `read` for CSV and libsvm files of several sizes, in turn with another checkout.

Usage: `python -m benchmarks.read [--before FOLDER] [--rows 200000 1000000] [--rounds 1]` in the root of the repository.
FOLDER is a checkout of another commit. Makes CSV files of 20 columns and dense libsvm files of 100 columns with a fifth
of the rows, reads each in a process of its own, and compares the tables byte by byte.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TypedDict

from benchmarks import partitions, spark

ROOT = Path(__file__).parents[1]
NUMERIC = [f"x{i}" for i in range(14)]
FEATURES = [f"x{i}" for i in range(1, spark.COLUMNS + 1)]
ROWS = (200_000, 1_000_000)
STEP = """
import contextlib, hashlib, json, resource, sys, time
from pathlib import Path
path, folder, threads, dataset = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
from fairweight.data.read import read
from fairweight.study import schema
study = {"name": "read", "datasets": {"d": dataset}, "models": {"m": {"architecture": "logistic_regression"}},
    "training": {"t": {"epochs": 1}}, "variants": {"dense": {"train": "t"}},
    "grid": [{"dataset": "d", "models": ["m"], "variants": ["dense"]}]}
recipe, table, started = schema.resolve(study)["datasets"]["d"], folder / "table.parquet", time.process_time()
with contextlib.redirect_stdout(sys.stderr):
    read({"all": path}, str(table), str(folder / "contents.json"), name="d", recipe=recipe, given=[], threads=threads)
digest = hashlib.sha256(table.read_bytes()).hexdigest()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"cpu_s": time.process_time() - started, "peak_bytes": peak, "digest": digest}))
"""


class Run(TypedDict):
    """One run of the step."""

    cpu_s: float
    peak_bytes: int
    digest: str  # of the table


def datasets() -> dict[str, dict[str, object]]:
    """The datasets' parts of a study file, by the form of their file."""
    csv = partitions.STUDY["datasets"]["d"]  # type: ignore[index]
    libsvm = {
        "reader": {"method": "libsvm", "first_index": 1, "features": len(FEATURES)},
        "files": csv["files"],
        "inputs": {"numeric": FEATURES},
        "target": {"column": "label", "positive": "1"},
        "groups": {},
    }
    return {"csv": csv | {"inputs": csv["inputs"] | {"numeric": NUMERIC}}, "libsvm": libsvm}


def measured(checkout: Path, path: Path, dataset: dict[str, object], threads: int) -> Run:
    """Read a file with the code of a checkout.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", STEP, str(path), folder, str(threads), json.dumps(dataset)]
        done = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True)
    run: Run = json.loads(done.stdout.splitlines()[-1])
    return run


def main() -> int:
    """Measure, and print a line for each file; return 0 if all checkouts and threads give the same tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="checkout of another commit")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    partitions.NUMERIC[:] = NUMERIC
    variants = {"1 thread": (ROOT, 1), "2 threads": (ROOT, 2)}
    if options.before:
        variants = {"before": (options.before, 1), **variants}
    print(f"median of n = {options.rounds} rounds, in turn; load {os.getloadavg()[0]:.1f}\n")
    print(f"{'file':26}{'':12}{'CPU-s':>8}{'a million rows':>16}{'peak MB':>9}{'ratio':>7}")
    same = True
    with tempfile.TemporaryDirectory() as folder:
        for rows in options.rows:
            for form, dataset in datasets().items():
                path, size = Path(folder) / form, rows if form == "csv" else rows // 5
                path.unlink(missing_ok=True)
                (partitions.write_csv if form == "csv" else spark.write_libsvm)(path, size)
                runs: dict[str, list[Run]] = {name: [] for name in variants}
                for _ in range(options.rounds):
                    for name, (checkout, threads) in variants.items():
                        runs[name].append(measured(checkout, path, dataset, threads))
                same &= report(f"{form}, {size:,} rows", size, runs)
    return 0 if same else 1


def report(title: str, rows: int, runs: dict[str, list[Run]]) -> bool:
    """Print a line for each variant; return whether all tables are equal."""
    cpu = {name: statistics.median(run["cpu_s"] for run in own) for name, own in runs.items()}
    for name, own in runs.items():
        peak = statistics.median(run["peak_bytes"] for run in own)
        print(
            f"{title:26}{name:12}{cpu[name]:8.2f}{cpu[name] / rows * 1e6:16.2f}{peak / 1e6:9,.0f}"
            f"{cpu[name] / cpu['1 thread']:7.2f}",
            flush=True,
        )
    equal = len({run["digest"] for own in runs.values() for run in own}) == 1
    print(f"{'':26}tables are equal, byte by byte" if equal else f"{'':26}TABLES DIFFER")
    return equal


if __name__ == "__main__":
    sys.exit(main())
