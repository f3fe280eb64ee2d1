"""`fairweight check` beside a plain script that makes and runs the same files with onnxruntime alone, in one run.

Usage: check.py [ROWS]      (default: 10,000 test rows of 20 columns; about two minutes on two cores)
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import torch
from meter import load
from sklearn.datasets import make_classification

COLUMNS = 20
PLAIN = """
import sys
import numpy as np, onnx, onnxruntime, pandas as pd
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16

rows = pd.read_csv("test.csv")
inputs = rows.filter(like="x").to_numpy(np.float32)
quantize_dynamic("model.onnx", "int8.onnx", per_channel=True, weight_type=QuantType.QInt8)
for bits in (8, 4):
    quantizer = MatMulNBitsQuantizer(
        onnx.load("model.onnx"), algo_config=DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, bits=bits)
    )
    quantizer.process()
    onnx.save(quantizer.model.model, f"weights{bits}.onnx")
onnx.save(convert_float_to_float16(onnx.load("model.onnx"), keep_io_types=True), "half.onnx")
for name in ("model", "int8", "weights8", "weights4", "half"):
    outputs = onnxruntime.InferenceSession(f"{name}.onnx").run(None, {"x": inputs})[0]
    print(name, (outputs.argmax(1) == rows["label"]).mean())
"""


def prepare(folder: Path, rows: int) -> None:
    """Write a network with random weights, and rows with a label and a group."""
    inputs, labels = make_classification(rows, COLUMNS, n_informative=10, random_state=0)
    frame = pd.DataFrame(inputs.astype(np.float32), columns=[f"x{number}" for number in range(COLUMNS)])
    group = np.where(np.arange(rows) % 2 == 0, "even", "odd")
    frame.assign(label=labels, group=group).to_csv(folder / "test.csv", index=False)
    torch.manual_seed(0)
    layers = [torch.nn.Linear(COLUMNS, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(256, 2), torch.nn.Softmax(1))
    optimizer = torch.optim.Adam(network.parameters())
    features, classes = torch.tensor(inputs, dtype=torch.float32), torch.tensor(labels)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.nll_loss(network(features).log(), classes).backward()
        optimizer.step()
    example = torch.zeros(2, COLUMNS)
    axes = {"x": {0: "rows"}, "p": {0: "rows"}}
    path = folder / "model.onnx"
    torch.onnx.export(
        network, example, str(path), dynamo=False, input_names=["x"], output_names=["p"], dynamic_axes=axes
    )
    onnx.checker.check_model(str(path))


def timed(folder: Path, command: list[str]) -> tuple[float, float, float | None]:
    """Wall and CPU seconds of a command, and the wall seconds to its first prediction of a variant."""
    before, started, first = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), None
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        while child.poll() is None:
            time.sleep(0.05)
            if first is None and any(
                folder.glob("results/model/seed-0/rows/none/model/*/onnxruntime/predictions.parquet")
            ):
                first = time.perf_counter() - started
    if child.returncode:
        raise SystemExit(f"{command[0]} failed with exit code {child.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, cpu_s, first


def main() -> None:
    """Run both in folders of their own, and print wall and CPU seconds and their ratios."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(load())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(folder, rows)
        plain_wall, plain_cpu, _ = timed(folder, [sys.executable, "-c", PLAIN])
        command = [str(Path(sys.executable).with_name("fairweight")), "check", "model.onnx", "--data", "test.csv"]
        wall, cpu, first = timed(folder, [*command, "--target", "label", "--groups", "group"])
    print(f"plain script, five files made and run on {rows:,} rows: {plain_wall:.1f} s, {plain_cpu:.1f} CPU-s")
    print(
        f"fairweight check, with comparison by group, latency, energy, decision and report: {wall:.1f} s, {cpu:.1f} "
        f"CPU-s; ratio {wall / plain_wall:.1f}x wall, {cpu / plain_cpu:.1f}x CPU; first prediction of a variant after "
        f"{first:.1f} s"
        if first
        else "no prediction was seen"
    )


if __name__ == "__main__":
    main()
