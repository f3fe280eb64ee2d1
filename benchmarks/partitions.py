"""Peak memory and time of reading and augmenting 5 million rows, and a check that partitions change no result.

Usage: `python -m benchmarks.partitions [ROWS]` in the root of the repository. Makes a CSV file with 10 numeric and 4
categorical columns, a sensitive attribute and a label, runs the steps `read`, `split` and `augment` in child processes,
and prints the resource usage of each.
"""

import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import psutil

from fairweight.core.artifacts import number_of_blocks
from fairweight.core.checksums import checksum
from fairweight.core.recipes import DatasetRecipe
from fairweight.core.resource_usage import process_usage
from fairweight.core.table import BLOCK_ROWS
from fairweight.data.augment import augment
from fairweight.data.partitions import Partitions
from fairweight.data.read import read
from fairweight.data.split import split
from fairweight.study import schema

ROWS = 5_000_000
LIMIT_BYTES = 2 * 10**9
NUMERIC = [f"x{i}" for i in range(10)]
CATEGORICAL = {"job": 20, "town": 500, "school": 16, "contract": 4}
STUDY = {  # other keys have their defaults
    "name": "register",
    "datasets": {
        "d": {
            "reader": {"method": "delimited", "separator": ","},
            "files": {"all": {"sources": ["file:register.csv"]}},
            "inputs": {"numeric": NUMERIC, "categorical": list(CATEGORICAL), "missing_numeric": "mean"},
            "target": {"column": "repaid", "positive": "yes"},
            "groups": {"sex": {"column": "sex"}, "age": {"column": "x0", "bins": [25, 60]}},
            "split": {"test": 0.2, "validation": 0.1},
        }
    },
    "models": {"m": {"architecture": "logistic_regression"}},
    "training": {"standard": {"epochs": 1}},
    "variants": {"dense": {"train": "standard"}},
    "grid": [{"dataset": "d", "models": ["m"], "variants": ["dense"]}],
}
JITTER = {"method": "jitter", "share": 0.5, "noise": 0.1, "swap": 0.05}


class Usage(TypedDict):
    """Resource usage of a step: CPU-seconds, wall time in seconds, and peak resident memory in bytes."""

    cpu_s: float
    wall_s: float
    peak_memory_bytes: int


def write_csv(path: Path, rows: int) -> None:
    """Write rows of a credit register in portions: ages, counts, amounts with missing values, categories, a label."""
    portion = 250_000
    for start in range(0, rows, portion):
        rng = np.random.default_rng([start, 1])
        size = min(portion, rows - start)
        frame = pd.DataFrame({"x0": rng.integers(18, 90, size), "x1": rng.poisson(3, size)})
        for column in NUMERIC[2:]:
            frame[column] = rng.lognormal(8, 1, size).round(2)
        frame.loc[rng.random(size) < 0.02, "x9"] = np.nan
        for column, levels in CATEGORICAL.items():
            frame[column] = rng.choice([f"{column} {level}" for level in range(levels)], size)
        frame["sex"] = rng.choice(["female", "male"], size)
        chance = 1 / (1 + np.exp(-(np.log(frame["x2"]) - 8) - 0.3 * (frame["sex"] == "male")))
        frame["repaid"] = np.where(rng.random(size) < chance, "yes", "no")
        frame.to_csv(path, mode="a", header=start == 0, index=False)


def measured(step: Callable[..., None], *arguments: Any, **options: Any) -> Usage:
    """Run a step in a process of its own, and measure it with its children.

    Raises:
        RuntimeError: the step failed.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(sender, step, arguments, options))
    started = time.perf_counter()
    child.start()
    sender.close()
    try:
        peak_with_children = _peak(child)
        used: Usage = receiver.recv()
    except EOFError:
        raise RuntimeError(f"{step.__name__} failed") from None
    finally:
        child.join()
    used["wall_s"] = time.perf_counter() - started
    used["peak_memory_bytes"] = max(used["peak_memory_bytes"], peak_with_children)
    return used


def _child(sender: Any, step: Callable[..., None], arguments: tuple[Any, ...], options: Mapping[str, Any]) -> None:
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        step(*arguments, **options)
    sender.send(process_usage(options.get("threads", 1)))


def _peak(child: Any) -> int:
    """Largest sum of the resident memory of a process and its descendants, by sampling; the kernel has no such sum."""
    peak, process = 0, psutil.Process(child.pid)
    while child.is_alive():
        try:
            family = [process, *process.children(recursive=True)]
            peak = max(peak, sum(member.memory_info().rss for member in family))
        except psutil.NoSuchProcess:
            pass  # a process ended after it was listed
        time.sleep(0.05)
    return peak


def report(name: str, used: Usage, digest: str) -> bool:
    """Print a line; return whether memory stayed within the limit."""
    within = bool(used["peak_memory_bytes"] <= LIMIT_BYTES)
    print(
        f"{name:<60} {used['peak_memory_bytes'] / 1e9:6.2f} GB {used['wall_s']:7.1f} s {used['cpu_s']:7.1f} CPU-s"
        f"   {digest[:12]}{'' if within else '   over 2 GB'}",
        flush=True,
    )
    return within


def main(rows: int = ROWS) -> int:
    """Run the benchmark; return 0 if both steps stayed within 2 GB by default and no partitioning changed a result."""
    with tempfile.TemporaryDirectory() as folder:
        raw, table, parts = (Path(folder) / name for name in ("register.csv", "table.parquet", "split.parquet"))
        write_csv(raw, rows)
        print(f"{rows:,} rows, 10 numeric and 4 categorical columns, {raw.stat().st_size / 1e6:,.0f} MB of CSV\n")
        print(f"{'step':<60} {'peak':>9} {'wall':>9} {'CPU':>13}   sha256")
        recipe = schema.resolve(STUDY)["datasets"]["d"]
        good = _reads(raw, table, rows, recipe)
        used = measured(split, str(table), str(parts), name="d", recipe=recipe["split"], seed=0)
        report("split", used, checksum(parts))
        return 0 if _augments(table, parts) and good else 1


def _reads(raw: Path, table: Path, rows: int, recipe: DatasetRecipe) -> bool:
    def step(**options: Any) -> Usage:
        about = str(table.with_suffix(".json"))
        return measured(read, {"all": str(raw)}, str(table), about, name="d", recipe=recipe, given=[], **options)

    return _compared("read", step, table, [(1, 1), (2, 1), (1, 4)], -(-rows // BLOCK_ROWS))


def _augments(table: Path, parts: Path) -> bool:
    made, blocks = table.with_name("augmented.parquet"), number_of_blocks(table)

    def step(**options: Any) -> Usage:
        return measured(augment, str(table), str(parts), str(made), name="jitter", recipe=JITTER, seed=0, **options)

    return _compared("augment", step, made, [(1, 1), (2, 1), (1, -(-blocks // 4)), (1, blocks)], blocks)


def _compared(name: str, step: Callable[..., Usage], output: Path, choices: list[tuple[int, int]], total: int) -> bool:
    """Run a step on `total` blocks with each (threads, blocks per partition); the first choice is the default."""
    digests, within = [], []
    for threads, blocks in choices:
        partitions: Partitions = {"blocks": blocks, "scheduler": None}
        used = step(threads=threads, partitions=partitions)
        digests.append(checksum(output))
        line = f"{name}: threads {threads}, blocks per partition {blocks}, partitions {-(-total // blocks)}"
        within.append(report(line, used, digests[-1]))
    same = len(set(digests)) == 1
    print(f"    results {'are equal, byte by byte' if same else 'DIFFER'}\n")
    return same and within[0]


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
