"""The training recipe that `init` writes compared with a logistic regression, by number of rows.

Usage: learning_recipe.py [SEEDS [ROWS ...]]

Rows like those of German credit are simulated. The data sets that come with scikit-learn are real ones with few rows;
three tenths of each are test rows. The recipe falls short where its mean accuracy is lower by more than 1.5 points and
two standard errors of the difference over seeds.
"""

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import sklearn.datasets

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit"))
from credit_rows import accuracies, credit, tabular_rows

from fairweight.core.table import Table

ROWS = (300, 1_000, 5_000, 20_000, 200_000, 1_000_000)
UNSEEN = 20_000
REAL = ("load_breast_cancer", "load_wine", "load_digits")
SHORT = 0.015


def real(name: str, seed: int) -> tuple[Table, int]:
    """A data set of scikit-learn in random order, and the number of rows that are no test rows."""
    inputs, label = getattr(sklearn.datasets, name)(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(label))
    classes = tuple(map(str, range(label.max() + 1)))
    none = np.empty((len(label), 0), np.int64)
    table = tabular_rows(inputs[order].astype(np.float32), none, label[order].astype(np.int64), classes, {})
    return table, int(0.7 * len(label))


def cases(seeds: int, rows: list[int]) -> Iterator[tuple[str, Iterator[tuple[Table, int]]]]:
    """Name of a case, and a table with the number of rows to learn from, for each seed."""
    for number in rows:
        repeats = range(seeds if number <= 20_000 else 1)
        yield f"credit, {number:,} rows", ((credit(number + UNSEEN, seed), number) for seed in repeats)
    for name in REAL:
        yield name.removeprefix("load_"), (real(name, seed) for seed in range(seeds))


def main(seeds: int, rows: list[int]) -> None:
    """Print the accuracies of each case; exit with 1 where the recipe falls short."""
    short = []
    print(f"{'case':<26}{'recipe':>8}{'logistic':>10}{'larger class':>14}{'seconds':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name, tables in cases(seeds, rows):
            start = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):  # of every epoch
                values = [accuracies(Path(folder), table, number, seed) for seed, (table, number) in enumerate(tables)]
            ours, linear, larger = np.mean(values, axis=0)
            behind = np.array([theirs - own for own, theirs, _ in values])
            error = behind.std(ddof=1) / len(behind) ** 0.5 if len(behind) > 1 else 0.0
            took = (time.perf_counter() - start) / len(values)
            print(f"{name:<26}{ours:>8.3f}{linear:>10.3f}{larger:>14.3f}{took:>9.1f}", flush=True)
            short += [name] if behind.mean() > max(SHORT, 2 * error) else []
    sys.exit(f"The recipe falls short: {', '.join(short)}" if short else 0)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, [int(text) for text in sys.argv[2:]] or list(ROWS))
