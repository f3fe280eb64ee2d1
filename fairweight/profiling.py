"""Latency and size of all variants of a model in one engine, measured side by side."""

import os
import platform
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fairweight import components, running
from fairweight.artifacts import read_table, write_rows
from fairweight.cost import cpu_clock, load_average
from fairweight.randomness import generator
from fairweight.shipped import read_signature, sizes
from fairweight.table import Table

PROFILE = {
    "seed": "int64",
    "augmentation": "string",
    "variant": "string",
    "batch_size": "int64",
    "latency_p50_ms": "double",
    "latency_p95_ms": "double",
    "cpu_s_per_1000": "double",
    "calls": "int64",
    "size_bytes": "int64",
    "transfer_bytes": "int64",
    "threads": "int64",
    "rounds": "int64",
    "load_before": "double",
    "load_after": "double",
    "host": "string",
    "cores": "int64",
    "engine_version": "string",
}


@dataclass
class _Candidate:
    """One shipped file at one batch size, loaded and fed."""

    about: dict[str, Any]
    run: Any
    feeds: list[dict[str, Any]]
    calls: int = 1  # in one round
    latencies_s: list[float] = field(default_factory=list)
    cpu_s: float = 0.0

    def visit(self) -> None:
        """Time each call of one round."""
        started = cpu_clock()
        for call in range(self.calls):
            feeds = self.feeds[call % len(self.feeds)]
            before = time.perf_counter()
            self.run(feeds)
            self.latencies_s.append(time.perf_counter() - before)
        self.cpu_s += cpu_clock() - started


def profile(
    *, models: list[str], about: list[dict[str, Any]], table: str, destination: str, engine: str,
    batch_sizes: list[int], rounds: int, seconds: float, threads: int,
) -> None:  # fmt: skip
    """Measure all files round-robin, so that a disturbance of the machine falls on all alike.

    Args:
        models: ONNX files.
        about: seed, augmentation and variant of each.
        table: Parquet file of the dataset; its rows are fed.
        destination: Parquet file to write, one row for each file and batch size (columns of PROFILE).
        engine: name of the engine.
        batch_sizes: rows a call.
        rounds: how often the round over all files is repeated.
        seconds: shortest time that one file runs in one round.
        threads: threads of the engine.
    """
    before, rows = load_average(), read_table(table)
    candidates = [
        candidate
        for path, keys in zip(models, about, strict=True)
        for candidate in _candidates(path, keys, rows, engine, batch_sizes, threads)
    ]
    for candidate in candidates:
        _warm_up(candidate, seconds)
    for number in range(rounds):
        # another order each round: no file always follows the same one, whose data it would find in the cache
        for position in generator("profile", number).permutation(len(candidates)):
            candidates[position].visit()
        print(f"round {number + 1}/{rounds} over {len(candidates)} files and batch sizes")
    module = components.module("engines", engine)
    common = {
        "threads": threads,
        "rounds": rounds,
        "load_before": before,
        "load_after": load_average(),
        "host": platform.node(),
        "cores": os.cpu_count(),
        "engine_version": getattr(module, "VERSION", None),
    }
    write_rows(destination, [{**_measured(candidate), **common} for candidate in candidates], PROFILE)


def _candidates(
    path: str, keys: dict[str, Any], rows: Table, engine: str, batch_sizes: list[int], threads: int
) -> list[_Candidate]:
    run = running.load(engine, path, threads=threads)
    file_bytes, transfer_bytes = sizes(path)
    feeds = read_signature(path).feeds(rows)
    total = len(next(iter(feeds.values())))
    found = []
    for size in batch_sizes:
        starts = np.arange(min(32, max(1, total // size))) * size
        batches = [
            {name: np.resize(array[s : s + size], (size, *array.shape[1:])) for name, array in feeds.items()}
            for s in starts
        ]
        about = {**keys, "batch_size": size, "size_bytes": file_bytes, "transfer_bytes": transfer_bytes}
        found.append(_Candidate(about, run, batches))
    return found


def _warm_up(candidate: _Candidate, seconds: float) -> None:
    """Run until the engine has settled, and find how many calls fill `seconds`."""
    deadline = time.perf_counter() + 2 * seconds
    while time.perf_counter() < deadline or len(candidate.latencies_s) < 5:
        candidate.visit()
    candidate.calls = max(1, int(seconds / float(np.median(candidate.latencies_s))))
    candidate.latencies_s, candidate.cpu_s = [], 0.0


def _measured(candidate: _Candidate) -> dict[str, Any]:
    latencies = np.array(candidate.latencies_s) * 1000
    rows = len(latencies) * candidate.about["batch_size"]
    return {
        **candidate.about,
        "latency_p50_ms": float(np.percentile(latencies, 50)),
        "latency_p95_ms": float(np.percentile(latencies, 95)),
        "cpu_s_per_1000": candidate.cpu_s / rows * 1000,
        "calls": len(latencies),
    }
