"""Compare candidate recipes on validation rows: nothing here opens a file that depends on test rows.

    python benchmarks/deep_compression/recipes.py targets config/deep_compression_recipes.yaml

prints the paths of the training curves of the candidates, and

    python benchmarks/deep_compression/recipes.py table results/deep_compression_recipes

prints their errors and losses in Markdown.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import yaml

from fairweight.core.artifacts import read_frame
from fairweight.study.folders import results_folder
from fairweight.study.schema import resolve
from fairweight.study.study import Study


def targets(path: str) -> list[str]:
    """Files that training alone makes: the training curve of every candidate in every seed."""
    study = Study(resolve(yaml.safe_load(Path(path).read_text(encoding="utf-8"))))
    results = results_folder(study.config)
    return [
        f"{results}/seed-{seed}/{cell.dataset}/{cell.augmentation}/{cell.model}/{cell.variant}/curve.parquet"
        for cell in study.cells
        for seed in study.seeds_of(cell)
    ]


def rows(folder: Path) -> list[list[str]]:
    """Rows of the table: model, candidate, seeds, error in % (mean and by seed) and loss in nats (mean).

    Error and loss are those of the epoch that is kept, on validation rows.
    """
    kept_epochs: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for path in sorted(folder.glob("seed-*/*/*/*/*/curve.parquet")):
        curve = read_frame(path)
        kept = curve[curve["best"]].iloc[-1]
        error, loss = 100 * (1 - kept["validation_accuracy"]), kept["validation_loss"]
        kept_epochs[path.parts[-3], path.parts[-2]].append((error, loss))
    return [
        [model, variant, str(len(values)), f"{error:.2f} ({', '.join(f'{e:.2f}' for e, _ in values)})", f"{loss:.4f}"]
        for (model, variant), values in sorted(kept_epochs.items())
        for error, loss in [np.mean(values, axis=0)]
    ]


def main(command: str, path: str) -> None:
    """Print the targets on one line, or the table."""
    if command == "targets":
        print(" ".join(targets(path)))
        return
    header = ["Network", "Candidate", "Seeds", "Validation error, % (by seed)", "Validation loss, nats"]
    for cells in [header, ["---"] * len(header), *rows(Path(path))]:
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(*sys.argv[1:])
