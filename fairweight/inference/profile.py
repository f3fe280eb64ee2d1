"""Latency, CPU-seconds and size of all variants of a model in one engine, measured side by side."""

import math
import os
import platform
import time
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fairweight.core import components
from fairweight.core.artifacts import number_of_rows, read_rows, write_rows
from fairweight.core.random_streams import generator
from fairweight.core.resource_usage import Disturbance, cpu_clock, load_average
from fairweight.core.table import Table
from fairweight.inference import load_engine
from fairweight.inference.load_engine import Run
from fairweight.inference.onnx_file import read_signature, sizes
from fairweight.inference.profile_causal import make_prompt, measure_speeds
from fairweight.inference.profile_columns import (
    DISTURBED_CORES,
    PROFILE,
    ROUND,
    CandidateKeys,
    FileKeys,
    LatencyRow,
    RoundRow,
    SpeedRow,
)
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import Feeds, autoregressive

TURN_S = 0.01  # seconds of one variant before the next one has its turn
REPEATED = 0.2  # largest share of all rounds that is repeated because it was disturbed
BATCHES = 32  # different ones of each size, so that a call does not find its rows in the cache
PATIENCE = 20  # limit of a round's wall time, as a multiple of its CPU-seconds; an engine on a device uses no CPU


@dataclass
class _Candidate:
    """One exported file at one batch size, loaded, with its inputs."""

    about: CandidateKeys
    run: Run
    feeds: list[Feeds]  # input tensors of some batches
    calls: int = 1  # in one turn
    latencies_s: list[float] = field(default_factory=list)  # of this round
    cpu_s: float = 0.0  # of this round
    kept_s: list[float] = field(default_factory=list)  # latencies of all rounds that are kept
    rounds: list[RoundRow] = field(default_factory=list)

    def turn(self) -> None:
        """Time each call of one turn."""
        started = cpu_clock()
        for call in range(self.calls):
            feeds = self.feeds[call % len(self.feeds)]
            before = time.perf_counter()
            self.run(feeds)
            self.latencies_s.append(time.perf_counter() - before)
        self.cpu_s += cpu_clock() - started

    def restart(self) -> None:
        """Start a round."""
        self.latencies_s, self.cpu_s = [], 0.0

    def keep(self, number: int, status: str, around: Disturbance) -> None:
        """Keep the latencies and the row of the round that has ended."""
        self.kept_s += self.latencies_s
        self.rounds.append(
            {
                "seed": self.about["seed"],
                "augmentation": self.about["augmentation"],
                "variant": self.about["variant"],
                "batch_size": self.about["batch_size"],
                "round": number,
                "cpu_s": self.cpu_s,
                "calls": len(self.latencies_s),
                "cpu_s_per_1000": self.cpu_s / (len(self.latencies_s) * self.about["batch_size"]) * 1000,
                "latency_p50_ms": float(np.median(self.latencies_s)) * 1000,
                "other_cores": around.other_cores,
                "load": around.load,
                "status": status,
            }
        )


def profile(
    *,
    models: list[str],
    about: list[FileKeys],
    table: str,
    destination: str,
    repetitions: str,
    engine: str,
    batch_sizes: list[int],
    rounds: int,
    seconds: float,
    threads: int,
) -> None:
    """Measure all files in turns of 10 ms, so that a disturbance of the machine affects all of them alike.

    Args:
        models: ONNX files.
        about: seed, augmentation and variant of each.
        table: Parquet file of the dataset, whose rows are the inputs.
        destination: Parquet file to write, one row for each file and batch size (columns of PROFILE).
        repetitions: Parquet file to write, one row for each file, batch size and round (columns of ROUND).
        engine: name of the engine.
        batch_sizes: rows of one call.
        rounds: number of rounds over all files.
        seconds: smallest number of CPU-seconds of one file in one round.
        threads: threads of the engine.
    """
    before, rows = load_average(), _first_rows(table, BATCHES * max(batch_sizes))
    measured: Iterable[LatencyRow | SpeedRow]
    if autoregressive(read_signature(models[0]).task):
        prompt, decoded = make_prompt(models[0], rows)
        measured, round_rows = measure_speeds(models, about, prompt, decoded=decoded, rounds=rounds, threads=threads)
    else:
        measured, round_rows = _latencies(models, about, rows, engine, batch_sizes, rounds, seconds, threads)
    common = {
        "threads": threads,
        "rounds": rounds,
        "load_before": before,
        "load_after": load_average(),
        "host": platform.node(),
        "cores": os.cpu_count(),
        "engine_version": getattr(components.module("engines", engine), "VERSION", None),
    }
    write_rows(destination, [_profile_row(row, common) for row in measured], PROFILE)
    write_rows(repetitions, [dict(row) for row in round_rows], ROUND)


def _first_rows(table: str, number: int) -> Table:
    """The first rows of a dataset, or all if there are fewer."""
    return read_rows(table, np.arange(min(number, number_of_rows(table))))


def _profile_row(row: LatencyRow | SpeedRow, common: dict[str, Any]) -> dict[str, Any]:
    """A row with all columns of PROFILE; those that were not measured are None."""
    return {**dict.fromkeys(PROFILE), **row, **common}


def _latencies(
    models: list[str],
    about: list[FileKeys],
    rows: Table,
    engine: str,
    batch_sizes: list[int],
    rounds: int,
    seconds: float,
    threads: int,
) -> tuple[list[LatencyRow], list[RoundRow]]:
    """Measure the latency of each file at each batch size; files of one seed, augmentation and size take turns."""
    groups: dict[tuple[int, str, int], list[_Candidate]] = defaultdict(list)
    for path in models:
        load_engine.check_loads(engine, path, threads=threads)
    for path, keys in zip(models, about, strict=True):
        for candidate in _candidates(path, keys, rows, engine, batch_sizes, threads):
            _warm_up(candidate)
            groups[keys["seed"], keys["augmentation"], candidate.about["batch_size"]].append(candidate)
    _measure(list(groups.values()), rounds, seconds)
    candidates = [candidate for group in groups.values() for candidate in group]
    return [_latency_row(candidate) for candidate in candidates], [r for c in candidates for r in c.rounds]


def _measure(groups: list[list[_Candidate]], rounds: int, seconds: float) -> None:
    """Run all rounds of all groups; a disturbed round is repeated at the end, up to a limit of repetitions."""
    rng = generator("profile", 0)
    todo = deque((group, number) for number in range(rounds) for group in rng.permutation(len(groups)))
    most = repetitions_left = math.ceil(REPEATED * len(todo))
    while todo:
        position, number = todo.popleft()
        group = groups[position]
        with Disturbance() as around:
            _round(group, seconds, rng)
        disturbed = around.other_cores > DISTURBED_CORES
        if disturbed and repetitions_left:
            repetitions_left -= 1
            todo.append((position, number))
            continue
        for candidate in group:
            status = "disturbed" if disturbed else "short" if candidate.cpu_s < seconds else "measured"
            candidate.keep(number, status, around)
    repeated = most - repetitions_left
    print(f"{rounds} rounds of {len(groups)} groups of files; {repeated} rounds were disturbed and repeated")


def _round(group: list[_Candidate], seconds: float, rng: np.random.Generator) -> None:
    """Let the files of a group take turns until each has used its CPU-seconds."""
    for candidate in group:
        candidate.restart()
    deadline = time.perf_counter() + PATIENCE * seconds * len(group)
    lacking = group
    while lacking:
        # a new order each time, so that no file always follows the same one and finds its data in the cache
        for position in rng.permutation(len(lacking)):
            lacking[position].turn()
        late = time.perf_counter() > deadline
        lacking = [] if late else [candidate for candidate in lacking if candidate.cpu_s < seconds]


def _candidates(
    path: str, keys: FileKeys, rows: Table, engine: str, batch_sizes: list[int], threads: int
) -> list[_Candidate]:
    """Load a file and prepare up to BATCHES batches of each size."""
    run = load_engine.load(engine, path, threads=threads, checked=True)
    file_bytes, transfer_bytes = sizes(path)
    inputs = ModelInputs.from_rows(read_signature(path), rows)
    candidates = []
    for size in batch_sizes:
        starts = np.arange(min(BATCHES, max(1, len(inputs) // size))) * size
        batches = [inputs.at(np.arange(s, s + size) % len(inputs)) for s in starts]
        about: CandidateKeys = {
            **keys,
            "batch_size": size,
            "size_bytes": file_bytes,
            "transfer_bytes": transfer_bytes,
        }
        candidates.append(_Candidate(about, run, batches))
    return candidates


def _warm_up(candidate: _Candidate) -> None:
    """Run until the engine has settled, and compute how many calls fill a turn."""
    deadline = time.perf_counter() + 2 * TURN_S
    while time.perf_counter() < deadline or len(candidate.latencies_s) < 5:
        candidate.turn()
    candidate.calls = max(1, int(TURN_S / float(np.median(candidate.latencies_s))))


def _latency_row(candidate: _Candidate) -> LatencyRow:
    latencies, rounds = np.array(candidate.kept_s) * 1000, candidate.rounds
    predictions = len(latencies) * candidate.about["batch_size"]
    return {
        **candidate.about,
        "latency_p50_ms": float(np.percentile(latencies, 50)),
        "latency_p95_ms": float(np.percentile(latencies, 95)),
        "cpu_s_per_1000": sum(row["cpu_s"] for row in rounds) / predictions * 1000,
        "calls": len(latencies),
        "disturbed_rounds": sum(row["status"] == "disturbed" for row in rounds),
    }
