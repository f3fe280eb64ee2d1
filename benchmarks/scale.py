"""A whole study of a generated table of N rows x 20 columns: CPU-seconds and peak memory of every step.

Usage: `python -m benchmarks.scale [ROWS] [FOLDER]` in the root of the repository. Writes a CSV file, runs a study from
it to the report in processes of their own (Snakemake's local executor, two cores), once with 20,000 rows and once with
ROWS, and prints for every kind of step its number, CPU-seconds, largest peak memory, and bytes a row: the growth of the
peak over that of the small study. A folder that is given is kept, so that a run that was interrupted resumes.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from pyarrow import csv

from benchmarks.meter import CORES, ROOT, measure

ROWS, BASE, PORTION = 1_000_000, 20_000, 250_000
NUMERIC = [f"x{number}" for number in range(13)]
CATEGORICAL = {"job": 20, "town": 60, "school": 16, "contract": 4, "bank": 8}
STUDY = {
    "name": "register",
    "seeds": 1,
    "datasets": {
        "register": {
            "reader": {"method": "delimited", "separator": ","},
            "files": {"all": {"sources": ["file:register.csv"]}},
            "inputs": {"numeric": NUMERIC, "categorical": list(CATEGORICAL), "missing_numeric": "mean"},
            "target": {"column": "repaid", "positive": "yes"},
            "groups": {"sex": {"column": "sex"}, "age": {"column": "x0", "bins": [25, 40, 60]}},
            "split": {"test": 0.2, "validation": 0.1},
        }
    },
    "models": {"mlp": {"architecture": "mlp", "hidden": [16]}},
    "training": {"standard": {"epochs": 1, "batch_size": 1024}},
    "variants": {
        "dense": {"train": "standard"},
        "int8": {"from": "dense", "quantize": "auto"},
        "pruned": {
            "from": "dense",
            "prune": {"method": "global_magnitude", "sparsity": 0.5, "finetune": {"epochs": 0}},
        },
    },
    "grid": [{"dataset": "register", "models": ["mlp"], "variants": ["dense", "int8", "pruned"]}],
    "profile": {"rounds": 2, "seconds": 0.05, "batch_sizes": [1, 256]},
}


def write_csv(path: Path, rows: int) -> None:
    """Write rows of a credit register in portions: an age, amounts with missing values, categories, a label."""
    with path.open("wb") as file:
        for start in range(0, rows, PORTION):
            portion = _portion(start, min(PORTION, rows - start))
            csv.write_csv(portion, file, csv.WriteOptions(include_header=start == 0, quoting_style="none"))


def _portion(start: int, rows: int) -> pa.Table:
    rng = np.random.default_rng([start, 1])
    columns: dict[str, object] = {"x0": rng.integers(18, 90, rows), "x1": rng.poisson(3, rows)}
    for name in NUMERIC[2:]:
        columns[name] = pa.array(rng.lognormal(8, 1, rows).round(2), mask=rng.random(rows) < 0.01)
    for name, levels in CATEGORICAL.items():
        names = pa.array([f"{name} {level}" for level in range(levels)])
        columns[name] = names.take(pa.array(rng.integers(levels, size=rows)))
    male = rng.random(rows) < 0.5
    columns["sex"] = np.where(male, "male", "female")
    amounts = np.asarray(columns["x2"].fill_null(3000.0))  # type: ignore[attr-defined]
    chance = 1 / (1 + np.exp(-(np.log(amounts) - 8) - 0.3 * male))
    columns["repaid"] = np.where(rng.random(rows) < chance, "yes", "no")
    return pa.table(columns)


Step = dict[str, float]  # number, cpu_s, peak_mb


def run(folder: Path, rows: int) -> tuple[dict[str, Step], float]:
    """Run the study of a folder: figures by kind of step, and CPU-seconds of the whole command."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "register.csv"
    if not table.exists():
        write_csv(folder / "writing.csv", rows)
        (folder / "writing.csv").rename(table)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", str(CORES)]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--executor", "local", "--rerun-triggers", "mtime"]
    used = measure(command, folder, {"PYTHONPATH": str(ROOT)})
    steps: dict[str, Step] = {}
    for path in sorted((folder / "results/register").rglob("*.usage.json")):
        usage: Mapping[str, float] = json.loads(path.read_text())
        step = steps.setdefault(path.name.removesuffix(".usage.json"), {"number": 0, "cpu_s": 0.0, "peak_mb": 0.0})
        step["number"] += 1
        step["cpu_s"] += usage["cpu_s"]
        step["peak_mb"] = max(step["peak_mb"], usage["peak_memory_bytes"] / 2**20)
    return steps, used.cpu_s


def main(rows: int, folder: Path) -> None:
    """Run both studies and print the table."""
    base, _ = run(folder / str(BASE), BASE)
    steps, cpu_s = run(folder / str(rows), rows)
    size = (folder / str(rows) / "register.csv").stat().st_size
    print(f"{rows:,} rows, CSV of {size / 1e6:,.0f} MB, load {os.getloadavg()[0]:.1f}")
    print(f"{'step':<16}{'number':>7}{'CPU-s':>9}{'peak MB':>9}{'bytes/row':>11}")
    for name, step in sorted(steps.items(), key=lambda item: -item[1]["peak_mb"]):
        growth = (step["peak_mb"] - base[name]["peak_mb"]) * 2**20 / max(rows - BASE, 1)
        print(f"{name:<16}{step['number']:>7.0f}{step['cpu_s']:>9.1f}{step['peak_mb']:>9.0f}{growth:>11.1f}")
    in_steps, largest = sum(step["cpu_s"] for step in steps.values()), max(step["peak_mb"] for step in steps.values())
    print(f"all steps {in_steps:.1f} CPU-s; the command {cpu_s:.1f} CPU-s; largest peak {largest:.0f} MB")


if __name__ == "__main__":
    chosen = int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else ROWS
    if len(sys.argv) > 2:
        main(chosen, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(chosen, Path(temporary))
