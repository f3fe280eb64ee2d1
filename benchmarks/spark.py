"""Logistic regression of a libsvm file in Spark, scikit-learn and fairweight: CPU-seconds, peak memory and objective.

Usage: `python -m benchmarks.spark --spark PYTHON [--rows 100000] [--rounds 3]` in the root of the repository. PYTHON is
an interpreter with pyspark, in an environment of its own; Spark needs Java. Without it, the others are measured. All
minimise one objective: features divided by their sample standard deviation, `regParam` 0.01, no penalty on the
intercept. Each round runs each program once, in turn, in processes of their own, from the file to the coefficients.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

import numpy as np
import psutil

ROWS, COLUMNS, ROUNDS, THREADS = 100_000, 100, 3, 2
HEAP = "4g"  # of Spark's driver
INTERVAL_S = 0.05

SPARK = """
import json, sys
from pyspark.ml.classification import LogisticRegression
from pyspark.sql import SparkSession
path, columns, threads, heap = sys.argv[1:]
builder = SparkSession.builder.master(f"local[{threads}]").config("spark.ui.enabled", "false")
spark = builder.config("spark.driver.memory", heap).getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
data = spark.read.format("libsvm").option("numFeatures", columns).load(path)
model = LogisticRegression(regParam=0.01, elasticNetParam=0.0, tol=1e-8, maxIter=1000).fit(data)
print(json.dumps({"objective": model.summary.objectiveHistory[-1], "parts": {}}))
spark.stop()
"""

SCIKIT_LEARN = """
import json, sys, time
import numpy as np
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import LogisticRegression
features, labels = load_svmlight_file(sys.argv[1], n_features=int(sys.argv[2]))
features = features.toarray()
read = time.process_time()
features -= features.mean(axis=0)
features /= features.std(axis=0, ddof=1)
model = LogisticRegression(C=1 / (len(labels) * 0.01), tol=1e-8, max_iter=1000).fit(features, labels)
margin = np.where(labels == 1, 1, -1) * model.decision_function(features)
objective = np.logaddexp(0, -margin).mean() + 0.005 * np.square(model.coef_).sum()
parts = {"read": read, "train": time.process_time() - read}
print(json.dumps({"objective": float(objective), "parts": parts}))
"""

FAIRWEIGHT = """
import contextlib, json, sys, tempfile, time
import numpy as np
from fairweight.core.artifacts import read_json, read_table, write_augmented, write_split
from fairweight.core.table import Augmented
from fairweight.data.read import read
from fairweight.study.schema import resolve
from fairweight.training.train import train
path, columns, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
study = resolve({
    "name": "spark",
    "datasets": {"d": {
        "reader": {"method": "libsvm", "first_index": 1, "features": columns},
        "files": {"all": {"sources": ["file:data"]}},
        "inputs": {"numeric": [f"x{i}" for i in range(1, columns + 1)]},
        "target": {"column": "label", "positive": "1"},
        "groups": {},
    }},
    "models": {"m": {"architecture": "logistic_regression"}},
    "training": {"t": {"optimizer": "lbfgs", "tolerance": 1e-8}},
    "variants": {"dense": {"train": "t"}},
    "grid": [{"dataset": "d", "models": ["m"], "variants": ["dense"]}],
})
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
    name = {key: f"{folder}/{key}" for key in ("table", "split", "augmented", "model", "about", "curve")}
    read({"all": path}, name["table"], f"{folder}/contents", name="d", recipe=study["datasets"]["d"], given=[],
         threads=threads)
    rows = read_table(name["table"], inputs=False)
    write_split(name["split"], rows.row, np.zeros(len(rows), np.int64))
    first = read_table(name["table"], block=0)
    write_augmented(name["augmented"], [(Augmented.nothing(first), first.row)], first)
    done = time.process_time()
    # Spark divides by the standard deviation of a sample, the input encoder by that of all rows
    recipe = study["training"]["t"] | {"weight_decay": 0.01 * len(rows) / (len(rows) - 1)}
    train(**name, architecture=study["models"]["m"], recipe=recipe, seed=0, replicate=0, threads=threads)
    minimum = read_json(name["about"])["minimum"]
parts = {"read": done, "train": time.process_time() - done}
print(json.dumps({"objective": minimum["objective"], "parts": parts}))
"""


class Run(TypedDict):
    """One run of a program, with its children."""

    cpu_s: float
    wall_s: float
    peak_bytes: int
    objective: float
    parts: dict[str, float]  # CPU-seconds by part, where the program can say


def write_libsvm(path: Path, rows: int) -> None:
    """Write dense rows of correlated features of several scales, in portions."""
    for start in range(0, rows, 10_000):
        rng = np.random.default_rng([start, 7])
        size = min(10_000, rows - start)
        features = rng.normal(size=(size, COLUMNS)) + rng.normal(size=(size, 1))
        slopes = np.sin(np.arange(COLUMNS)) / 5
        labels = (rng.random(size) < 1 / (1 + np.exp(-(features @ slopes)))).astype(int)
        features = features * np.logspace(-1, 1, COLUMNS)
        form = "%d " + " ".join(f"{i}:%.6g" for i in range(1, COLUMNS + 1)) + "\n"
        with path.open("a") as file:
            file.writelines(form % (label, *row) for label, row in zip(labels, features.tolist(), strict=True))


def measured(command: list[str]) -> Run:
    """Run a program; CPU time and memory of it and its descendants are sampled, because a JVM is not waited for.

    Raises:
        RuntimeError: it failed.
    """
    started, cpu, peak = time.perf_counter(), dict[int, float](), 0
    environment = os.environ | {"OMP_NUM_THREADS": str(THREADS), "OPENBLAS_NUM_THREADS": str(THREADS)}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment) as child,
    ):
        process = psutil.Process(child.pid)
        while child.poll() is None:
            resident = 0
            for member in [process, *_descendants(process)]:
                try:
                    times = member.cpu_times()
                    cpu[member.pid] = times.user + times.system
                    resident += member.memory_info().rss
                except psutil.Error:
                    continue
            peak = max(peak, resident)
            time.sleep(INTERVAL_S)
        assert child.stdout is not None  # it is a pipe
        output = child.stdout.read().decode().splitlines()
        if child.returncode:
            errors.seek(0)
            raise RuntimeError(errors.read().decode()[-2000:])
    result = json.loads(next(line for line in reversed(output) if line.startswith("{")))
    return {
        "cpu_s": sum(cpu.values()),
        "wall_s": time.perf_counter() - started,
        "peak_bytes": peak,
        "objective": result["objective"],
        "parts": result["parts"],
    }


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def main() -> None:
    """Measure all programs in turn, and print medians, ratios and the differences of the objectives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spark", help="Python interpreter with pyspark")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    programs = {"scikit-learn": [sys.executable, "-c", SCIKIT_LEARN], "fairweight": [sys.executable, "-c", FAIRWEIGHT]}
    if options.spark and shutil.which("java"):
        programs = {"Spark": [options.spark, "-c", SPARK], **programs}
    runs: dict[str, list[Run]] = {name: [] for name in programs}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.svm"
        write_libsvm(path, options.rows)
        size = path.stat().st_size / 1e6
        for _ in range(options.rounds):
            for name, command in programs.items():
                further = [HEAP] if name == "Spark" else []
                runs[name].append(measured([*command, str(path), str(COLUMNS), str(THREADS), *further]))
    print(f"{options.rows:,} rows x {COLUMNS} columns, libsvm of {size:.0f} MB; median of n = {options.rounds} rounds")
    print(f"{THREADS} threads, Spark's heap {HEAP}; load {load:.1f} before and {os.getloadavg()[0]:.1f} after\n")
    print_table(runs)


def print_table(runs: dict[str, list[Run]]) -> None:
    """Print one line for each program; ratios are to fairweight, differences of objectives to scikit-learn."""
    cpu = {name: statistics.median(run["cpu_s"] for run in own) for name, own in runs.items()}
    peak = {name: statistics.median(run["peak_bytes"] for run in own) for name, own in runs.items()}
    reference = runs["scikit-learn"][0]["objective"]
    print(
        f"{'':14}{'CPU-s':>8}{'ratio':>7}{'peak MB':>9}{'ratio':>7}{'wall s':>8}  {'objective':<18}{'difference':>11}"
    )
    for name, own in runs.items():
        wall, objective = statistics.median(run["wall_s"] for run in own), own[0]["objective"]
        print(
            f"{name:14}{cpu[name]:8.1f}{cpu[name] / cpu['fairweight']:7.2f}{peak[name] / 1e6:9,.0f}"
            f"{peak[name] / peak['fairweight']:7.2f}{wall:8.1f}  {objective:<18.15f}{objective - reference:11.1e}"
        )
    for name, own in runs.items():
        parts = ", ".join(f"{part} {statistics.median(r['parts'][part] for r in own):.1f}" for part in own[0]["parts"])
        if parts:
            print(f"{name}: CPU-s of {parts} (imports count as read)")


if __name__ == "__main__":
    main()
