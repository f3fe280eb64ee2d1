"""Quantizers of a language model: bits per weight, perplexity, speed and memory of every variant of config/llm.yaml.

Downloads and exports the model, calibrates on the training passages and computes the perplexity of the test passages.
Every file then reads 128 tokens and writes 32 from its cache; the files take turns in changing order. Last comes the
cache of keys and values at a long context, in float32 and in 8 bits. Goals: at most 4.5 bits a weight with at most 5 %
more perplexity, written no slower than int4; int8 writes at least twice as fast as fp32. `ROUNDS` is the number of
turns, `VARIANTS` names the variants to measure.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from fairweight.compression.quantization.weight_only import quantize
from fairweight.core import components
from fairweight.data.fetch import fetch
from fairweight.inference.causal_decoding import Decoder, likelihoods
from fairweight.inference.export import export
from fairweight.inference.model_checks import contents
from fairweight.inference.onnx_file import read_signature
from fairweight.inference.onnxruntime_session import session
from fairweight.inference.profile_causal import DECODED_TOKENS, PROMPT_TOKENS, measure_speeds
from fairweight.study.schema import resolve
from fairweight.training.pretrained import take
from fairweight.training.signature import PADDING
from fairweight.training.tokenizer import tokens

ROUNDS = int(os.environ.get("ROUNDS", "5"))
LATER = 32  # first token that is part of a word
LONG, PIECE = 1536, 256  # tokens of the long context, and of one call


def main() -> None:
    """Make the files and measure them."""
    study = resolve(yaml.safe_load((ROOT / "config" / "llm.yaml").read_text()))
    wanted = os.environ.get("VARIANTS", "").split(",") if os.environ.get("VARIANTS") else list(study["variants"])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        published = _published(study, folder)
        signature = read_signature(published)
        texts = {name: tokens(signature.text, _texts(study, folder, name)) for name in ("wikipedia", "calibration")}
        files = {"published": published}

        def calibration(rows: int) -> list[dict[str, np.ndarray]]:
            return [{"tokens": texts["calibration"][:rows]}]

        for name in wanted:
            recipe = study["variants"][name].get("quantize")
            if recipe is not None:
                started = time.process_time()
                files[name] = folder / f"{name}.onnx"
                quantize(published, files[name], calibration, **components.chosen(recipe))
                print(f"{name}: made in {time.process_time() - started:.0f} CPU-s", flush=True)
        _compare(files, texts["wikipedia"])
        _long_context(files, texts["wikipedia"])


def _published(study: dict, folder: Path) -> Path:
    """Take and export the model."""
    weights, about, path = (folder / name for name in ("model.safetensors", "model.json", "published.onnx"))
    recipe = study["models"]["smollm2"]
    take(recipe=recipe, model=str(weights), about=str(about), cache=None, name="smollm2", task="language_modelling")
    report = str(folder / "export.json")
    export(model=str(weights), about=str(about), table="", split="", destination=str(path), report=report)
    return path


def _texts(study: dict, folder: Path, name: str) -> np.ndarray:
    """Passages of one file of the dataset."""
    dataset = study["datasets"]["english"]
    file, path = dataset["files"][name], folder / name
    fetch(str(path), sources=file["sources"], sha256=file["sha256"], cache=None, name=f"file {name!r}")
    options = components.chosen(dataset["reader"]) | {"pairs": [], "questions": []}
    options["passages"] = {name: options["passages"][name]}
    frames = components.load("readers", "passages")({name: path}, **options)
    return np.concatenate([frame["text"].to_numpy(dtype=object) for frame in frames])


def _compare(files: dict[str, Path], test: np.ndarray) -> None:
    """Print the table of all files."""
    prompt = np.random.default_rng(0).integers(LATER, 40_000, (1, PROMPT_TOKENS))
    rows, _ = measure_speeds(
        [str(path) for path in files.values()],
        [{"variant": name} for name in files],
        prompt,
        decoded=DECODED_TOKENS,
        rounds=ROUNDS,
        threads=1,
    )
    first = _perplexity(files["published"], test)
    print(f"{'variant':<14} bits/weight  perplexity   ratio  reads, writes (tokens/CPU-s)  memory MB  file MB")
    for row, path in zip(rows, files.values(), strict=True):
        bits, value = contents(onnx.load(str(path)))["bits_per_weight"], _perplexity(path, test)
        reads, writes = row["prefill_tokens_per_cpu_s"], row["decode_tokens_per_cpu_s"]
        print(
            f"{row['variant']:<14} {bits:11.2f} {value:11.2f} {value / first:7.3f} {reads:14.0f}, {writes:5.1f}"
            f" {_memory(path, prompt) / 1e6:19.0f} {row['size_bytes'] / 1e6:8.1f}",
            flush=True,
        )


def _perplexity(path: Path, test: np.ndarray) -> float:
    nll = likelihoods(session(path, threads=1))({"tokens": test})
    return float(np.exp(nll[:, 0].sum() / nll[:, 1].sum()))


def _memory(path: Path, prompt: np.ndarray) -> float:
    """Bytes by which a process grows that loads a file and reads a prompt."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_growth, (path, prompt))


def _growth(path: Path, prompt: np.ndarray) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Decoder(session(path, threads=1))(prompt)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


def _long_context(files: dict[str, Path], test: np.ndarray) -> None:
    """Print perplexity, speed and bytes of the cache of int8 with each cache, at a long context."""
    text = test[test != PADDING][None, :LONG]  # the passages, one behind the other
    for name in [name for name in ("int8", "int8_cache8") if name in files]:
        decoder, cache, nll = Decoder(session(files[name], threads=1)), None, 0.0
        for start in range(0, LONG, PIECE):
            logits, cache = decoder(text[:, start : start + PIECE], cache)
            following = text[0, start + 1 : start + PIECE + 1]
            shown = logits[0, : len(following)].astype(float)
            highest = shown.max(axis=1, keepdims=True)
            total = np.log(np.exp(shown - highest).sum(axis=1)) + highest[:, 0]
            nll += float((total - shown[np.arange(len(following)), following]).sum())
        started = time.process_time()
        for _ in range(DECODED_TOKENS):
            logits, cache = decoder(logits[:, -1].argmax(axis=1)[:, None], cache)
        speed = DECODED_TOKENS / (time.process_time() - started)
        size = sum(value.numpy().nbytes for value in cache.values())
        print(
            f"{name}, {LONG} tokens: perplexity {np.exp(nll / (LONG - 1)):.3f}, cache {size / 1e6:.1f} MB, writes "
            f"{speed:.1f} tokens/CPU-s"
        )


if __name__ == "__main__":
    main()
