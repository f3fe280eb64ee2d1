"""Benchmark of int8 and structured models: speed against eager torch and against fp32 in the same engine, and size.

Four architectures, batch sizes 1 and 64, one thread. Weights are random, not trained: speed does not depend on their
values. Prints one line for each architecture, batch size and candidate: speed ratio to eager torch, speed ratio to fp32
in the same engine, and size ratio. Times are medians over rounds in which every candidate runs once, in random order.
Names of architectures after the command select these.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import copy
import logging
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fairweight.core import components
from fairweight.inference.export import unshare

ROUNDS = int(os.environ.get("ROUNDS", "30"))
BATCHES = (1, 64)


class Block(nn.Module):
    """A basic residual block (He et al. 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
        self.short = nn.Sequential()
        if stride > 1 or before != after:
            self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        """Features at the same or half the resolution."""
        return torch.relu(self.second(self.first(x)) + self.short(x))


def resnet18() -> nn.Module:
    """ResNet-18 for images of 32x32 pixels."""
    layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    for before, after, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        layers += [Block(before, after, stride), Block(after, after, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Encoder(nn.Module):
    """A transformer encoder of 6 layers, width 384, 12 heads and 64 tokens, in basic operators for exporters."""

    def __init__(self) -> None:
        super().__init__()
        width = 384
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "qkv": nn.Linear(width, 3 * width),
                    "out": nn.Linear(width, width),
                    "up": nn.Linear(width, 4 * width),
                    "down": nn.Linear(4 * width, width),
                    "attention_norm": nn.LayerNorm(width),
                    "output_norm": nn.LayerNorm(width),
                }
            )
            for _ in range(6)
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        """Logits (n, 10) from features (n, 64, 384)."""
        for layer in self.layers:
            q, k, v = (p.unflatten(2, (12, 32)).transpose(1, 2) for p in layer["qkv"](x).chunk(3, dim=2))
            weights = torch.softmax(q @ k.transpose(2, 3) * 32**-0.5, dim=3)
            x = layer["attention_norm"](x + layer["out"]((weights @ v).transpose(1, 2).flatten(2)))
            x = layer["output_norm"](x + layer["down"](torch.nn.functional.gelu(layer["up"](x))))
        return self.head(x.mean(dim=1))


class Softmax(nn.Module):
    """A network that returns probabilities."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x):
        """Probabilities."""
        return torch.softmax(self.body(x), dim=1)


NETWORKS = {  # name -> (network, shape of a row, quantization method)
    "lenet_300_100": (
        lambda: components.load("architectures", "lenet_300_100")((1, 28, 28), 10),
        (1, 28, 28),
        "dynamic",
    ),
    "lenet5": (lambda: components.load("architectures", "lenet5")((1, 28, 28), 10), (1, 28, 28), "static"),
    "resnet18": (resnet18, (3, 32, 32), "static"),
    "transformer": (Encoder, (64, 384), "dynamic"),
}


def export(network: nn.Module, shape: tuple, path: Path) -> None:
    """Write a network to an ONNX file."""
    torch.onnx.export(
        Softmax(network).eval(),
        (torch.zeros(2, *shape),),
        str(path),
        dynamo=False,
        opset_version=20,
        input_names=["x"],
        output_names=["probabilities"],
        dynamic_axes={"x": {0: "n"}, "probabilities": {0: "n"}},
    )
    proto = onnx.load(str(path))
    unshare(proto)
    onnx.save(proto, str(path))


def quantize(method: str, source: Path, destination: Path, shape: tuple) -> None:
    """Quantize a file by a method of the project with its defaults."""
    options = {k: s["default"] for k, s in components.options("quantization", method).items()}
    rng = np.random.default_rng(0)

    def calibration(rows: int) -> list:
        return [{"x": rng.normal(size=(32, *shape)).astype(np.float32)} for _ in range(min(rows, 64) // 32)]

    components.load("quantization", method)(source, destination, calibration, **options)


def candidates(name: str, network: nn.Module, shape: tuple, method: str, folder: Path) -> dict:
    """Candidate -> (callable of an array, name of its fp32 counterpart, bytes of the file)."""
    network.eval()
    files = {"onnxruntime fp32": folder / f"{name}.onnx", "onnxruntime int8": folder / f"{name}.int8.onnx"}
    export(network, shape, files["onnxruntime fp32"])
    quantize(method, files["onnxruntime fp32"], files["onnxruntime int8"], shape)
    runs = {"torch eager": (_eager(network), None, files["onnxruntime fp32"].stat().st_size)}
    engines = ["onnxruntime"] + ([] if components.missing_extra("engines", "openvino") else ["openvino"])
    if "openvino" in engines:
        files["openvino int8"] = folder / f"{name}.nncf.onnx"
        quantize("openvino", files["onnxruntime fp32"], files["openvino int8"], shape)
        files["openvino fp32"] = files["onnxruntime fp32"]
    if name == "resnet18":
        small = _halved(network, shape)
        files["onnxruntime structured -50 %"] = folder / f"{name}.half.onnx"
        export(small, shape, files["onnxruntime structured -50 %"])
        runs["torch eager structured -50 %"] = (_eager(small), "torch eager", 0)
    for candidate, path in files.items():
        engine = candidate.split()[0]
        run = components.load("engines", engine)(path, threads=1)
        reference = None if candidate.endswith("fp32") else f"{engine} fp32"
        runs[candidate] = (lambda x, run=run: run({"x": x}), reference, path.stat().st_size)
    return runs


def _halved(network: nn.Module, shape: tuple) -> nn.Module:
    """A copy of the network with half of its channels."""
    small = copy.deepcopy(network)
    context = SimpleNamespace(body=small, example=torch.zeros(2, *shape))
    components.load("pruning", "structured")({}, context, channels=0.5, importance="l2")
    return small


def _eager(network: nn.Module):
    """Function that runs the network in eager torch."""

    def run(x):
        with torch.inference_mode():
            return torch.softmax(network(torch.from_numpy(x)), dim=1)

    return run


def measure(runs: dict, x: np.ndarray) -> dict[str, float]:
    """Median seconds of one call of each candidate, over rounds in random order."""
    rng = np.random.default_rng(1)
    calls, times = {}, {name: [] for name in runs}
    for name, (run, _, _) in runs.items():
        run(x)
        started = time.perf_counter()
        run(x)
        calls[name] = max(1, int(0.02 / max(time.perf_counter() - started, 1e-6)))
    for _ in range(ROUNDS):
        for name in rng.permutation(list(runs)):
            started = time.perf_counter()
            for _ in range(calls[name]):
                runs[name][0](x)
            times[name].append((time.perf_counter() - started) / calls[name])
    return {name: float(np.median(values)) for name, values in times.items()}


def main(names: list[str]) -> None:
    """Print the table of the named architectures, or of all."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    print(
        "| architecture | batch | candidate | speed ratio to eager torch | speed ratio to fp32 in its engine "
        "| size ratio |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in names or NETWORKS:
            build, shape, method = NETWORKS[name]
            torch.manual_seed(0)
            runs = candidates(name, build(), shape, method, Path(folder))
            whole = runs["torch eager"][2]
            for batch in BATCHES:
                seconds = measure(runs, np.random.default_rng(2).normal(size=(batch, *shape)).astype(np.float32))
                for candidate, (_, reference, size) in runs.items():
                    against = f"{seconds[reference] / seconds[candidate]:.1f}" if reference else "–"
                    smaller = f"{whole / size:.2f}" if size else "–"
                    eager = seconds["torch eager"] / seconds[candidate]
                    print(f"| {name} | {batch} | {candidate} | {eager:.1f} | {against} | {smaller} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
