"""Speed of a language model with int8 and int4 weights relative to fp32, interleaved, on one thread.

Downloads, exports and quantizes the model of config/llm.yaml. Every file then reads 128 tokens and writes 32 from its
cache; the files take turns in changing order. Prints tokens per CPU-second and the ratio to fp32 (goal: int8 writes at
least twice as fast). Tokens are random, because speed does not depend on them.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from fairweight.compression.quantization.weight_only import quantize
from fairweight.core import components
from fairweight.inference.export import export
from fairweight.inference.profile_causal import DECODED_TOKENS, PROMPT_TOKENS, measure_speeds
from fairweight.study.schema import resolve
from fairweight.training.pretrained import take

ROUNDS = int(os.environ.get("ROUNDS", "5"))
LATER = 32  # first token that is part of a word


def main() -> None:
    """Make the files and measure them."""
    study = resolve(yaml.safe_load((ROOT / "config" / "llm.yaml").read_text()))
    recipe = study["models"]["smollm2"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        weights, about, fp32 = (str(folder / name) for name in ("model.safetensors", "model.json", "fp32.onnx"))
        take(recipe=recipe, model=weights, about=about, cache=None, name="smollm2", task="language_modelling")
        export(model=weights, about=about, table="", split="", destination=fp32, report=str(folder / "export.json"))
        files = {"fp32": fp32}
        for name, variant in study["variants"].items():
            if "quantize" in variant:
                options = components.chosen(variant["quantize"])
                files[name] = str(folder / f"{name}.onnx")
                quantize(Path(fp32), Path(files[name]), list, **options)
        prompt = np.random.default_rng(0).integers(LATER, 40_000, (1, PROMPT_TOKENS))
        rows, _ = measure_speeds(
            list(files.values()),
            [{"variant": name} for name in files],
            prompt,
            decoded=DECODED_TOKENS,
            rounds=ROUNDS,
            threads=1,
        )
    first = rows[0]
    for row in rows:
        reads, writes = row["prefill_tokens_per_cpu_s"], row["decode_tokens_per_cpu_s"]
        print(
            f"{row['variant']:<12} reads {reads:6.1f} tokens/CPU-s ({reads / first['prefill_tokens_per_cpu_s']:.2f}x), "
            f"writes {writes:6.1f} ({writes / first['decode_tokens_per_cpu_s']:.2f}x), "
            f"{row['size_bytes'] / 1e6:6.1f} MB"
        )


if __name__ == "__main__":
    main()
