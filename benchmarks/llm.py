"""A language model's speed of reading and writing with int8 and int4 weights over fp32, interleaved, one thread.

The model of config/llm.yaml in one run: it is taken, exported and quantized, then every file reads 128 tokens and writes 32 from
its cache, in turn and in changing order.  Prints tokens per CPU-second and the ratio to fp32 (goal: int8 writes at least twice as
fast); speed does not depend on what the tokens say, so they are drawn.
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
from fairweight.inference.profile_causal import PROMPT, WRITTEN, paces
from fairweight.study.schema import resolve
from fairweight.training.pretrained import take

ROUNDS = int(os.environ.get("ROUNDS", "5"))
LATER = 32  # first token that is a piece of a word


def main() -> None:
    """Make the files and measure them."""
    study = resolve(yaml.safe_load((ROOT / "config" / "llm.yaml").read_text()))
    recipe = study["models"]["smollm2"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        weights, about, fp32 = (str(folder / name) for name in ("model.safetensors", "model.json", "fp32.onnx"))
        take(recipe=recipe, model=weights, about=about, cache=None, name="smollm2")
        export(model=weights, about=about, table="", split="", destination=fp32, report=str(folder / "export.json"))
        files = {"fp32": fp32}
        for name, variant in study["variants"].items():
            if "quantize" in variant:
                options = components.chosen(variant["quantize"])
                files[name] = str(folder / f"{name}.onnx")
                quantize(Path(fp32), Path(files[name]), list, **options)
        prompt = np.random.default_rng(0).integers(LATER, 40_000, (1, PROMPT))
        found, _ = paces(
            list(files.values()),
            [{"variant": name} for name in files],
            prompt,
            written=WRITTEN,
            rounds=ROUNDS,
            threads=1,
        )
    first = found[0]
    for row in found:
        speeds = (row["prefill_tokens_per_cpu_s"], row["decode_tokens_per_cpu_s"])
        ratios = (speeds[0] / first["prefill_tokens_per_cpu_s"], speeds[1] / first["decode_tokens_per_cpu_s"])
        print(
            f"{row['variant']:<12} reads {speeds[0]:6.1f} tokens/CPU-s ({ratios[0]:.2f}x), writes {speeds[1]:6.1f} ({ratios[1]:.2f}x), "
            f"{row['size_bytes'] / 1e6:6.1f} MB"
        )


if __name__ == "__main__":
    main()
