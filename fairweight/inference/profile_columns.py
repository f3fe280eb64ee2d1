"""Rows of the profile tables: columns, and types of the rows that are measured."""

from typing import TypedDict

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
    "latency_p50_ms": "double",
    "other_cores": "double",
    "load": "double",
    "status": "string",
}
DISTURBED_CORES = 0.25  # mean number of cores busy with other processes above which a round is disturbed


class FileKeys(TypedDict):
    """Keys of a measured file."""

    seed: int
    augmentation: str
    variant: str


class CandidateKeys(FileKeys):
    """Keys and sizes of a file at one batch size."""

    batch_size: int
    size_bytes: int
    transfer_bytes: int


class LatencyRow(CandidateKeys):
    """Measurements of a file at one batch size; the other columns of PROFILE are added when the table is written."""

    latency_p50_ms: float
    latency_p95_ms: float
    cpu_s_per_1000: float
    calls: int
    disturbed_rounds: int


class SpeedRow(FileKeys):
    """Measurements of a language model; the other columns of PROFILE are added when the table is written."""

    batch_size: int
    latency_p50_ms: float
    latency_p95_ms: float
    cpu_s_per_1000: float
    prefill_tokens_per_cpu_s: float
    decode_tokens_per_cpu_s: float
    calls: int
    size_bytes: int


class RoundRow(FileKeys):
    """One round of a file at one batch size (columns of ROUND)."""

    batch_size: int
    round: int
    cpu_s: float
    calls: int
    cpu_s_per_1000: float
    latency_p50_ms: float | None  # of the calls of this round; None for language models
    other_cores: float
    load: float
    status: str
