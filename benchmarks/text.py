"""Speed of training and inference of a transformer of MiniLM's size on short texts, as ratios measured in one run.

Training: CPU-seconds for the same rows in float32 and random batches, compared with batches of similar length, with
bfloat16, and with both. Inference: onnxruntime on one thread at batch sizes 1 and 8, float32 compared with dynamic
int8, weights of 8 and 4 bits, half of the layers, and half of the layers in int8. Weights are random, because speed
depends on neither weights nor words. Lengths are like those of RedditBias (mean 23 tokens, at most 53). Figures are
medians over rounds in which every candidate runs once, in changing order.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fairweight.core import components
from fairweight.inference.export import Shipped, graph
from fairweight.training.model import Model
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.tokenizer import padded
from fairweight.training.training_loop import precision

ROUNDS = int(os.environ.get("ROUNDS", "5"))
MINILM = {
    "model_type": "bert",
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
}
OPTIONS = {"files": None, "folder": None, "hub": None, "length": 64, "pooling": "mean", "config": MINILM}
TRAINED_ROWS, BATCH = 192, 32


def model(layers: int = 6) -> Model:
    """Make a classifier of MiniLM's size, or with fewer layers."""
    torch.manual_seed(0)
    about = {
        "signature": {
            "numeric": [],
            "categorical": {},
            "image": None,
            "classes": ["0", "1"],
            "text": {"vocabulary": 30522},
        },
        "architecture": {"architecture": "pretrained", **OPTIONS, "config": MINILM | {"num_hidden_layers": layers}},
    }
    return Model(about)


def texts(rows: int) -> np.ndarray:
    """Random tokens of `rows` texts, with lengths like those of RedditBias: mean 23, at most 53."""
    rng = np.random.default_rng(0)
    sizes = np.clip(rng.gamma(4.0, 5.75, rows).round().astype(int), 5, 53)
    return padded([rng.integers(1000, 30000, size).tolist() for size in sizes])


def training() -> dict[str, float]:
    """CPU-seconds of an epoch over the same rows, by candidate."""
    features = torch.from_numpy(texts(TRAINED_ROWS))
    labels = torch.randint(2, (TRAINED_ROWS,), generator=torch.Generator().manual_seed(0))
    built = model()
    optimizer = torch.optim.AdamW(built.body.parameters(), lr=1e-5, fused=True)
    order = torch.randperm(TRAINED_ROWS, generator=torch.Generator().manual_seed(1))

    def epoch(bucketed: bool, narrow: bool) -> float:
        # in both cases, a batch is padded to its longest row
        batches = built.encoder.batches(features, order, BATCH) if bucketed else order.split(BATCH)
        built.body.train()
        started = time.process_time()
        for batch in batches:
            rows = built.encoder.trim(features[batch])
            with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
                logits = built.body(rows).float()
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(logits, labels[batch]).backward()
            optimizer.step()
        return time.process_time() - started

    candidates = {"float32": (False, False), "bucketed": (True, False)}
    if precision({"precision": "auto"}) == "bfloat16":
        candidates |= {"bfloat16": (False, True), "bucketed bfloat16": (True, True)}
    return medians({name: lambda how=how: epoch(*how) for name, how in candidates.items()}, min(3, ROUNDS))


def medians(candidates: dict, rounds: int) -> dict[str, float]:
    """Median of the values that each candidate returns, over rounds in changing order without the first."""
    values: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        names = list(candidates)
        random.Random(number).shuffle(names)
        for name in names:
            value = candidates[name]()
            if number:
                values[name].append(value)
    return {name: float(np.median(column)) for name, column in values.items()}


def files(folder: Path) -> dict[str, Path]:
    """Write the files to run."""
    fed = ModelInputs({"tokens": texts(2)})
    paths = {}
    for name, layers in (("float32", 6), ("3 layers", 3)):
        paths[name] = folder / f"{name}.onnx"
        paths[name].write_bytes(graph(Shipped(model(layers)).eval(), fed.at(slice(None))).SerializeToString())
    for name, source, method, options in (
        ("int8", "float32", "dynamic", {"per_channel": True, "reduce_range": False}),
        ("weights of 8 bits", "float32", "weight_only", {"bits": 8, "block": 32}),
        ("weights of 4 bits", "float32", "weight_only", {"bits": 4, "block": 32}),
        ("3 layers, int8", "3 layers", "dynamic", {"per_channel": True, "reduce_range": False}),
    ):
        paths[name] = folder / f"{name}.onnx"
        components.load("quantization", method)(paths[source], paths[name], None, **options)
    return paths


def running(paths: dict[str, Path], size: int) -> dict[str, float]:
    """CPU-seconds of 64 rows in batches of `size`, by file."""
    fed = ModelInputs({"tokens": texts(64)})
    batches = [fed.at(np.arange(start, start + size)) for start in range(0, 64, size)]
    runs = {name: components.load("engines", "onnxruntime")(path, threads=1) for name, path in paths.items()}

    def once(name: str) -> float:
        started = time.process_time()
        for feeds in batches:
            runs[name](feeds)
        return time.process_time() - started

    return medians({name: lambda name=name: once(name) for name in runs}, ROUNDS)


def main() -> None:
    """Print one line per candidate."""
    torch.set_num_threads(1)
    for name, seconds in (by_candidate := training()).items():
        print(
            f"training, {name}: {by_candidate['float32'] / seconds:.2f} x "
            f"({1000 * seconds / TRAINED_ROWS:.1f} CPU-ms a row)"
        )
    if "bfloat16" not in by_candidate:
        print("training, bfloat16: not measured, this processor has no instructions for it")
    with tempfile.TemporaryDirectory() as folder:
        paths = files(Path(folder))
        for size in (1, 8):
            for name, seconds in (by_file := running(paths, size)).items():
                smaller = paths["float32"].stat().st_size / paths[name].stat().st_size
                print(
                    f"batch {size}, {name}: {by_file['float32'] / seconds:.2f} x, {smaller:.1f} x smaller "
                    f"({1000 * seconds / 64:.2f} CPU-ms a row)"
                )


if __name__ == "__main__":
    main()
