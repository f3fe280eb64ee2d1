"""How fast shipped language models read and write, measured side by side."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.random_streams import generator
from fairweight.core.resource_usage import Disturbance, cpu_clock
from fairweight.core.table import Table
from fairweight.inference.causal_decoding import Decoder
from fairweight.inference.onnx_file import file_bytes, read_signature
from fairweight.inference.onnxruntime_session import session
from fairweight.training.model_inputs import input_tensors
from fairweight.training.signature import PADDING, TOKENS

# tokens that are read at once, and then written one by one, each from the cache of all before it; fewer of a shorter model
PROMPT, WRITTEN = 128, 32
DISTURBED_CORES = 0.25  # busy with other processes, on average of a round, of which its status tells


@dataclass
class _Candidate:
    """One shipped file, loaded and fed."""

    about: dict[str, Any]
    decoder: Decoder
    prompt: NDArray[np.int64]  # (1, tokens)
    written: int
    reading_s: list[float] = field(default_factory=list)  # CPU-seconds of a prompt
    writing_s: list[float] = field(default_factory=list)  # CPU-seconds of the written tokens
    latencies_s: list[float] = field(default_factory=list)  # of each written token

    def visit(self) -> None:
        """Read the prompt and write tokens, always the likeliest one."""
        started = cpu_clock()
        logits, cache = self.decoder(self.prompt)
        self.reading_s.append(cpu_clock() - started)
        started = cpu_clock()
        for _ in range(self.written):
            before = time.perf_counter()
            logits, cache = self.decoder(logits[:, -1].argmax(axis=1)[:, None], cache)
            self.latencies_s.append(time.perf_counter() - before)
        self.writing_s.append(cpu_clock() - started)


def paces(
    models: list[str],
    about: list[dict[str, Any]],
    prompt: NDArray[np.int64],
    *,
    written: int,
    rounds: int,
    threads: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Measure all files in turn, so that a disturbance of the machine falls on all alike.

    Args:
        models: ONNX files.
        about: seed, augmentation and variant of each.
        prompt: tokens (1, t) that are read.
        written: how many are written then.
        rounds: how often the round over all files is repeated.
        threads: threads of the engine.

    Returns:
        A row a file (columns of `profiling.PROFILE`), and a row a file and round (of `profiling.ROUND`): a prediction is one
        written token at batch size 1.
    """
    candidates = [
        _Candidate(keys, Decoder(session(path, threads=threads)), prompt, written)
        for path, keys in zip(models, about, strict=True)
    ]
    for candidate in candidates:
        candidate.visit()
        candidate.reading_s, candidate.writing_s, candidate.latencies_s = [], [], []
    repeated: list[dict[str, Any]] = []
    for number in range(rounds):
        with Disturbance() as around:
            for position in generator("profile", number).permutation(len(candidates)):
                candidates[position].visit()
        repeated += [_round(candidate, number, around) for candidate in candidates]
        print(f"round {number + 1}/{rounds} over {len(candidates)} language models")
    return [_measured(path, candidate) for path, candidate in zip(models, candidates, strict=True)], repeated


def _round(candidate: _Candidate, number: int, around: Disturbance) -> dict[str, Any]:
    used = candidate.writing_s[-1]
    return {
        **candidate.about,
        "batch_size": 1,
        "round": number,
        "cpu_s": used,
        "calls": candidate.written,
        "cpu_s_per_1000": used / candidate.written * 1000,
        "other_cores": around.other_cores,
        "load": around.load,
        "status": "disturbed" if around.other_cores > DISTURBED_CORES else "measured",
    }


def prompt_of(path: str, rows: Table) -> tuple[NDArray[np.int64], int]:
    """What a model is measured by: the first tokens of the texts, one behind the other, and how many are written then."""
    signature = read_signature(path)
    assert signature.text is not None  # a language model has a tokenizer
    longest = signature.text["length"]
    written = min(WRITTEN, max(1, longest // 4))
    tokens = input_tensors(signature, rows.take(np.arange(min(16, len(rows)))))[TOKENS]
    return np.resize(tokens[tokens != PADDING], (1, min(PROMPT, longest - written))), written


def _measured(path: str, candidate: _Candidate) -> dict[str, Any]:
    latencies = np.array(candidate.latencies_s) * 1000
    rounds = len(candidate.reading_s)
    written, read = rounds * candidate.written, rounds * candidate.prompt.size
    return {
        **candidate.about,
        "batch_size": 1,
        "latency_p50_ms": float(np.percentile(latencies, 50)),
        "latency_p95_ms": float(np.percentile(latencies, 95)),
        "cpu_s_per_1000": sum(candidate.writing_s) / written * 1000,
        "prefill_tokens_per_cpu_s": read / sum(candidate.reading_s),
        "decode_tokens_per_cpu_s": written / sum(candidate.writing_s),
        "calls": len(latencies),
        "size_bytes": file_bytes(path),
    }
