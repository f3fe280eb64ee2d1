"""Candidates for a recipe, by what they do on validation rows: nothing here opens a file that knows of test rows.

python benchmarks/deep_compression/recipes.py targets config/deep_compression_recipes.yaml   the training curves of its candidates
python benchmarks/deep_compression/recipes.py table results/deep_compression_recipes         their errors and losses, in Markdown
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import yaml

from fairweight.core.artifacts import read_frame
from fairweight.study.schema import resolve
from fairweight.study.study import Study


def targets(path: str) -> list[str]:
    """Files that are made by training alone: the curve of every candidate in every seed."""
    study = Study(resolve(yaml.safe_load(Path(path).read_text(encoding="utf-8"))))
    return [
        f"results/{study.name}/seed-{seed}/{cell.dataset}/{cell.augmentation}/{cell.model}/{cell.variant}/curve.parquet"
        for cell in study.cells
        for seed in study.seeds_of(cell)
    ]


def rows(folder: Path) -> list[list[str]]:
    """Model, candidate, seeds, and of the epoch that is kept error in % and loss in nats on validation rows, means and by seed."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for path in sorted(folder.glob("seed-*/*/*/*/*/curve.parquet")):
        curve = read_frame(path)
        kept = curve[curve["best"]].iloc[-1]
        found[path.parts[-3], path.parts[-2]].append((100 * (1 - kept["validation_accuracy"]), kept["validation_loss"]))
    return [
        [model, variant, str(len(values)), f"{error:.2f} ({', '.join(f'{e:.2f}' for e, _ in values)})", f"{loss:.4f}"]
        for (model, variant), values in sorted(found.items())
        for error, loss in [np.mean(values, axis=0)]
    ]


def main(command: str, path: str) -> None:
    """Print targets in a line, or the table."""
    if command == "targets":
        print(" ".join(targets(path)))
        return
    header = ["Network", "Candidate", "Seeds", "Validation error, % (by seed)", "Validation loss, nats"]
    for cells in [header, ["---"] * len(header), *rows(Path(path))]:
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(*sys.argv[1:])
