"""Latency, CPU-seconds and size of all variants of a model in one engine, measured side by side."""

import math
import os
import platform
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fairweight.core import components
from fairweight.core.artifacts import read_table, write_rows
from fairweight.core.random_streams import generator
from fairweight.core.resource_usage import Disturbance, cpu_clock, load_average
from fairweight.core.table import Table
from fairweight.inference import load_engine, profile_causal
from fairweight.inference.onnx_file import read_signature, sizes
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import autoregressive

PROFILE = {
    "seed": "int64",
    "augmentation": "string",
    "variant": "string",
    "batch_size": "int64",
    "latency_p50_ms": "double",
    "latency_p95_ms": "double",
    "cpu_s_per_1000": "double",
    "calls": "int64",
    "prefill_tokens_per_cpu_s": "double",
    "decode_tokens_per_cpu_s": "double",
    "size_bytes": "int64",
    "transfer_bytes": "int64",
    "threads": "int64",
    "rounds": "int64",
    "disturbed_rounds": "int64",
    "load_before": "double",
    "load_after": "double",
    "host": "string",
    "cores": "int64",
    "engine_version": "string",
}
ROUND = {
    "seed": "int64",
    "augmentation": "string",
    "variant": "string",
    "batch_size": "int64",
    "round": "int64",
    "cpu_s": "double",
    "calls": "int64",
    "cpu_s_per_1000": "double",
    "other_cores": "double",
    "load": "double",
    "status": "string",
}
TURN_S = 0.01  # of one variant before the next one has its turn
DISTURBED_CORES = profile_causal.DISTURBED_CORES  # busy with other processes, on average of a round
REPEATED = 0.2  # at most this share of all rounds is run again because it was disturbed
PATIENCE = 20  # a round may take so many times its CPU-seconds; an engine that works elsewhere uses none here


@dataclass
class _Candidate:
    """One shipped file at one batch size, loaded and fed."""

    about: dict[str, Any]
    run: Any
    feeds: list[dict[str, Any]]
    calls: int = 1  # in one turn
    latencies_s: list[float] = field(default_factory=list)  # of this round
    cpu_s: float = 0.0
    kept_s: list[float] = field(default_factory=list)  # latencies of all rounds that count
    rounds: list[dict[str, Any]] = field(default_factory=list)

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
        """Begin a round."""
        self.latencies_s, self.cpu_s = [], 0.0

    def keep(self, number: int, status: str, around: Disturbance) -> None:
        """Note the round that has ended (columns of ROUND)."""
        self.kept_s += self.latencies_s
        self.rounds.append(
            {
                **{key: self.about[key] for key in ("seed", "augmentation", "variant", "batch_size")},
                "round": number,
                "cpu_s": self.cpu_s,
                "calls": len(self.latencies_s),
                "cpu_s_per_1000": self.cpu_s / (len(self.latencies_s) * self.about["batch_size"]) * 1000,
                "other_cores": around.other_cores,
                "load": around.load,
                "status": status,
            }
        )


def profile(
    *, models: list[str], about: list[dict[str, Any]], table: str, destination: str, repetitions: str, engine: str,
    batch_sizes: list[int], rounds: int, seconds: float, threads: int,
) -> None:  # fmt: skip
    """Measure all files; those that are compared take turns of 10 ms, so that a disturbance falls on all of them alike.

    Args:
        models: ONNX files.
        about: seed, augmentation and variant of each.
        table: Parquet file of the dataset; its rows are fed.
        destination: Parquet file to write, one row for each file and batch size (columns of PROFILE).
        repetitions: Parquet file to write, one row for each of those and each round (columns of ROUND).
        engine: name of the engine.
        batch_sizes: rows a call.
        rounds: how often each file is measured.
        seconds: least CPU-seconds of one file in one round.
        threads: threads of the engine.
    """
    before, rows = load_average(), read_table(table)
    if autoregressive(read_signature(models[0]).task):
        prompt, written = profile_causal.prompt_of(models[0], rows)
        measured, repeated = profile_causal.paces(
            models, about, prompt, written=written, rounds=rounds, threads=threads
        )
    else:
        measured, repeated = _latencies(models, about, rows, engine, batch_sizes, rounds, seconds, threads)
    common = {
        "threads": threads,
        "rounds": rounds,
        "load_before": before,
        "load_after": load_average(),
        "host": platform.node(),
        "cores": os.cpu_count(),
        "engine_version": getattr(components.module("engines", engine), "VERSION", None),
    }
    write_rows(destination, [{**dict.fromkeys(PROFILE), **found, **common} for found in measured], PROFILE)
    write_rows(repetitions, repeated, ROUND)


def _latencies(
    models: list[str], about: list[dict[str, Any]], rows: Table, engine: str, batch_sizes: list[int], rounds: int,
    seconds: float, threads: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:  # fmt: skip
    """What a call takes, of each file at each batch size; and the same of each round."""
    groups: dict[Any, list[_Candidate]] = defaultdict(list)
    for path, keys in zip(models, about, strict=True):
        for candidate in _candidates(path, keys, rows, engine, batch_sizes, threads):
            _warm_up(candidate)
            groups[keys["seed"], keys["augmentation"], candidate.about["batch_size"]].append(candidate)
    _measure(list(groups.values()), rounds, seconds)
    candidates = [candidate for group in groups.values() for candidate in group]
    return [_measured(candidate) for candidate in candidates], [r for candidate in candidates for r in candidate.rounds]


def _measure(groups: list[list[_Candidate]], rounds: int, seconds: float) -> None:
    """All rounds of all groups; a disturbed one is put off to the end, as long as not too many were."""
    rng = generator("profile", 0)
    todo = deque((group, number) for number in range(rounds) for group in rng.permutation(len(groups)))
    most = again = math.ceil(REPEATED * len(todo))
    while todo:
        position, number = todo.popleft()
        group = groups[position]
        with Disturbance() as around:
            _round(group, seconds, rng)
        disturbed = around.other_cores > DISTURBED_CORES
        if disturbed and again:
            again -= 1
            todo.append((position, number))
            continue
        for candidate in group:
            status = "disturbed" if disturbed else "short" if candidate.cpu_s < seconds else "measured"
            candidate.keep(number, status, around)
    print(f"{rounds} rounds of {len(groups)} groups of files; {most - again} rounds were disturbed and repeated")


def _round(group: list[_Candidate], seconds: float, rng: np.random.Generator) -> None:
    """Let the files of a group take turns, until each has used its CPU-seconds."""
    for candidate in group:
        candidate.restart()
    deadline = time.perf_counter() + PATIENCE * seconds * len(group)
    lacking = group
    while lacking:
        # another order each time: no file always follows the same one, whose data it would find in the cache
        for position in rng.permutation(len(lacking)):
            lacking[position].turn()
        late = time.perf_counter() > deadline
        lacking = [] if late else [candidate for candidate in lacking if candidate.cpu_s < seconds]


def _candidates(
    path: str, keys: dict[str, Any], rows: Table, engine: str, batch_sizes: list[int], threads: int
) -> list[_Candidate]:
    run = load_engine.load(engine, path, threads=threads)
    file_bytes, transfer_bytes = sizes(path)
    fed = ModelInputs.from_rows(read_signature(path), rows)
    found = []
    for size in batch_sizes:
        starts = np.arange(min(32, max(1, len(fed) // size))) * size
        batches = [fed.at(np.arange(s, s + size) % len(fed)) for s in starts]
        about = {**keys, "batch_size": size, "size_bytes": file_bytes, "transfer_bytes": transfer_bytes}
        found.append(_Candidate(about, run, batches))
    return found


def _warm_up(candidate: _Candidate) -> None:
    """Run until the engine has settled, and find how many calls fill a turn."""
    deadline = time.perf_counter() + 2 * TURN_S
    while time.perf_counter() < deadline or len(candidate.latencies_s) < 5:
        candidate.turn()
    candidate.calls = max(1, int(TURN_S / float(np.median(candidate.latencies_s))))


def _measured(candidate: _Candidate) -> dict[str, Any]:
    latencies, rounds = np.array(candidate.kept_s) * 1000, candidate.rounds
    return {
        **candidate.about,
        "latency_p50_ms": float(np.percentile(latencies, 50)),
        "latency_p95_ms": float(np.percentile(latencies, 95)),
        "cpu_s_per_1000": sum(entry["cpu_s"] for entry in rounds)
        / (len(latencies) * candidate.about["batch_size"])
        * 1000,
        "calls": len(latencies),
        "disturbed_rounds": sum(entry["status"] == "disturbed" for entry in rounds),
    }
