"""Prefill and decoding speed of exported language models, measured side by side."""

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fairweight.core.random_streams import generator
from fairweight.core.resource_usage import Disturbance, cpu_clock
from fairweight.core.table import Table
from fairweight.inference.causal_decoding import Decoder
from fairweight.inference.onnx_file import file_bytes, read_signature
from fairweight.inference.onnxruntime_session import check_loads, session
from fairweight.inference.profile_columns import DISTURBED_CORES, FileKeys, RoundRow, SpeedRow
from fairweight.training.model_inputs import input_tensors
from fairweight.training.signature import PADDING, TOKENS

# tokens of the prompt, and tokens that are then decoded one by one from the cache; fewer for a model of short texts
PROMPT_TOKENS, DECODED_TOKENS = 128, 32


@dataclass
class _Candidate:
    """One exported file, loaded, with its prompt."""

    about: FileKeys
    decoder: Decoder
    prompt: NDArray[np.int64]  # (1, tokens)
    decoded: int  # number of tokens that are decoded
    prefill_s: list[float] = field(default_factory=list)  # CPU-seconds of the prompt, by round
    decode_s: list[float] = field(default_factory=list)  # CPU-seconds of the decoded tokens, by round
    latencies_s: list[float] = field(default_factory=list)  # of each decoded token

    def turn(self) -> None:
        """Process the prompt and decode tokens, always the most probable one."""
        started = cpu_clock()
        logits, cache = self.decoder(self.prompt)
        self.prefill_s.append(cpu_clock() - started)
        started = cpu_clock()
        for _ in range(self.decoded):
            before = time.perf_counter()
            logits, cache = self.decoder(logits[:, -1].argmax(axis=1)[:, None], cache)
            self.latencies_s.append(time.perf_counter() - before)
        self.decode_s.append(cpu_clock() - started)


def measure_speeds(
    models: list[str],
    about: list[FileKeys],
    prompt: NDArray[np.int64],
    *,
    decoded: int,
    rounds: int,
    threads: int,
) -> tuple[list[SpeedRow], list[RoundRow]]:
    """Measure files in turns, so that a disturbance of the machine affects all of them alike.

    Args:
        models: ONNX files.
        about: seed, augmentation and variant of each.
        prompt: tokens (1, t) of the prompt.
        decoded: number of tokens that are then decoded.
        rounds: number of rounds over all files.
        threads: threads of the engine.

    Returns:
        A row for each file, and a row for each file and round. A prediction is one decoded token at batch size 1.
    """
    for path in models:  # before the first one takes memory
        check_loads(path)
    candidates = [
        _Candidate(keys, Decoder(session(path, threads=threads)), prompt, decoded)
        for path, keys in zip(models, about, strict=True)
    ]
    for candidate in candidates:
        candidate.turn()
        candidate.prefill_s, candidate.decode_s, candidate.latencies_s = [], [], []
    round_rows: list[RoundRow] = []
    for number in range(rounds):
        with Disturbance() as around:
            for position in generator("profile", number).permutation(len(candidates)):
                candidates[position].turn()
        round_rows += [_round_row(candidate, number, around) for candidate in candidates]
        print(f"round {number + 1}/{rounds} over {len(candidates)} language models")
    return [_speed_row(path, candidate) for path, candidate in zip(models, candidates, strict=True)], round_rows


def _round_row(candidate: _Candidate, number: int, around: Disturbance) -> RoundRow:
    used = candidate.decode_s[-1]
    return {
        **candidate.about,
        "batch_size": 1,
        "round": number,
        "cpu_s": used,
        "calls": candidate.decoded,
        "cpu_s_per_1000": used / candidate.decoded * 1000,
        "latency_p50_ms": None,
        "other_cores": around.other_cores,
        "load": around.load,
        "status": "disturbed" if around.other_cores > DISTURBED_CORES else "measured",
    }


def make_prompt(path: str, rows: Table) -> tuple[NDArray[np.int64], int]:
    """Return the prompt that a model is measured with, and the number of tokens to decode after it.

    Args:
        path: ONNX file.
        rows: rows of the dataset; the prompt consists of the first tokens of their texts, concatenated.

    Returns:
        Tokens (1, t), and a number of tokens; together they fit into the model's context.
    """
    signature = read_signature(path)
    assert signature.text is not None  # a language model has a tokenizer
    longest = signature.text["length"]
    decoded = min(DECODED_TOKENS, max(1, longest // 4))
    tokens = input_tensors(signature, rows.take(np.arange(min(16, len(rows)))))[TOKENS]
    return np.resize(tokens[tokens != PADDING], (1, min(PROMPT_TOKENS, longest - decoded))), decoded


def _speed_row(path: str, candidate: _Candidate) -> SpeedRow:
    latencies = np.array(candidate.latencies_s) * 1000
    rounds = len(candidate.prefill_s)
    decoded, prompt = rounds * candidate.decoded, rounds * candidate.prompt.size
    return {
        **candidate.about,
        "batch_size": 1,
        "latency_p50_ms": float(np.percentile(latencies, 50)),
        "latency_p95_ms": float(np.percentile(latencies, 95)),
        "cpu_s_per_1000": sum(candidate.decode_s) / decoded * 1000,
        "prefill_tokens_per_cpu_s": prompt / sum(candidate.prefill_s),
        "decode_tokens_per_cpu_s": decoded / sum(candidate.decode_s),
        "calls": len(latencies),
        "size_bytes": file_bytes(path),
    }
