"""Peak memory of single steps in processes of their own, for tables of any size with 18 inputs and two groups."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from fairweight.core.artifacts import PARTS, write_predictions, write_split, write_table
from fairweight.core.table import Table
from fairweight.data.split import split
from fairweight.evaluation.assess import assess
from fairweight.evaluation.compare import compare
from fairweight.evaluation.discover import discover_slices
from fairweight.inference.predict import predict

NUMERIC, LEVELS = 13, {"job": 20, "town": 60, "school": 16, "contract": 4, "bank": 8}
SEEDS, VARIANTS = 2, ("dense", "int8")


def table(rows: int, start: int = 0) -> Table:
    """Rows of a register, some at a time."""
    rng = np.random.default_rng([rows, start])
    numeric = rng.normal(size=(rows, NUMERIC)).astype(np.float32)
    return Table(
        row=np.arange(start, start + rows),
        file=np.full(rows, "all", object),
        label=(numeric[:, 0] + rng.normal(size=rows) > 0).astype(np.int64),
        classes=("no", "yes"),
        numeric=numeric,
        numeric_names=tuple(f"x{number}" for number in range(NUMERIC)),
        categorical=np.stack([rng.integers(levels, size=rows) for levels in LEVELS.values()], axis=1),
        levels={name: tuple(f"{name} {level}" for level in range(levels)) for name, levels in LEVELS.items()},
        images=None,
        groups={"sex": rng.integers(2, size=rows), "age": rng.integers(4, size=rows)},
        group_levels={"sex": ("f", "m"), "age": ("a", "b", "c", "d")},
    )


def write_files(folder: Path, rows: int, portion: int = 50_000) -> None:
    """Write a table, its split (20 % test, 10 % validation), a model, and predictions of all variants and seeds."""
    from trained_study import Study

    folder.mkdir()
    write_table(folder / "table.parquet", (table(min(portion, rows - s), s) for s in range(0, rows, portion)))
    part = np.resize(np.repeat([2, 1, 0], [2, 1, 7]), rows)
    write_split(folder / "split.parquet", np.arange(rows), part)
    (folder / "model").mkdir()
    model = Study(folder / "model", table(400))
    model.train(epochs=1)
    model.export()
    for number, variant in enumerate(VARIANTS):
        for seed in range(SEEDS):
            path = folder / f"{variant}-{seed}.parquet"
            write_predictions(path, _predictions(part, [number, seed], portion), {"engine": "onnxruntime"})


def _predictions(part, key, portion):
    for start in range(0, len(part), portion):
        rows = np.flatnonzero(part[start : start + portion]) + start
        rng = np.random.default_rng([*key, start])
        label = (np.random.default_rng([0, start]).random(len(rows)) < 0.5).astype(np.int64)
        score = np.clip(0.5 + (label - 0.5) * 0.4 + rng.normal(0, 0.03, len(rows)), 0.01, 0.99).astype(np.float32)
        yield {
            "row": rows,
            "part": np.where(part[rows] == 2, PARTS.index("test"), PARTS.index("validation")),
            "label": label,
            "prediction": (score > 0.5).astype(np.int64),
            "probabilities": np.stack([1 - score, score], axis=1),
            "score": score,
        }


def run(folder: Path, step: str) -> None:
    """Run one step on the files of a folder."""
    paths = [str(folder / f"{variant}-{seed}.parquet") for variant in VARIANTS for seed in range(SEEDS)]
    about = [
        {"seed": seed, "augmentation": "none", "variant": variant} for variant in VARIANTS for seed in range(SEEDS)
    ]
    of_table = {"table": str(folder / "table.parquet")}
    out = {name: str(folder / f"{step}.{name}") for name in ("comparisons", "pairs", "replicates", "models")}
    common = {**of_table, "smallest_group": 50}
    match step:
        case "split":
            split(of_table["table"], out["pairs"], name="d", recipe={"test": 0.2, "validation": 0.1}, seed=0)
        case "predict":
            predict(
                **of_table,
                model=str(folder / "model/dense.onnx"),
                split=str(folder / "split.parquet"),
                destination=out["pairs"],
                checks=out["models"],
                engine="onnxruntime",
                batch_size=256,
                threads=1,
            )
        case "assess":
            families = ["quality", "calibration", "fairness", "roc", "agreement"]
            files = {"predictions": paths[SEEDS], "baseline": paths[0], "destination": out["pairs"]}
            assess(**common, **files, families=families, intersections=True)
        case "compare":
            baselines = dict.fromkeys(VARIANTS, ("none", "dense"))
            compare(
                **common,
                **out,
                predictions=paths,
                about=about,
                augmentation="none",
                baselines=baselines,
                intersections=True,
            )
        case "discover":
            files = {"predictions": paths, "about": about, "destination": out["pairs"]}
            discover_slices(**common, **files, baselines=dict.fromkeys(VARIANTS, "dense"), group_columns=[])


def peak_bytes(folder: Path, step: str) -> int:
    """Peak resident memory of a process that runs one step, with an allocator that keeps nothing back for later."""
    command = [sys.executable, __file__, str(folder), step]
    environment = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2])
    # not `ru_maxrss`, which knows the memory of the process that started this one
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(int(line.split()[1]) * 1024)
