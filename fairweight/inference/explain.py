"""Explanations of an exported file: which inputs its predictions of single test rows depend on."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core import components
from fairweight.core.artifacts import INPUT, PARTS, read_rows, read_split, write_predictions
from fairweight.core.random_streams import generator
from fairweight.core.table import Table
from fairweight.inference import load_engine, shapley
from fairweight.inference.onnx_file import read_signature
from fairweight.training.model_inputs import ModelInputs

SMALLEST = 1e-12  # probability in a log odds
BACKGROUND = 200  # background rows
Array = NDArray[Any]


def explain(
    *,
    model: str,
    table: str,
    split: str,
    destination: str,
    name: str,
    engine: str,
    batch_size: int,
    recipe: Any,
    threads: int,
) -> None:
    """Write the Shapley values of the log odds of the true class for a sample of test rows.

    All models of a dataset are explained on the same rows, with the same background rows and permutations, so that
    explanations differ because models do.

    Args:
        model: ONNX file.
        table, split: Parquet files of the data. Background rows are no test rows.
        destination: Parquet file to write: `row`, `label`, a column for each input, whose name has `INPUT` in front;
            `deletion` and `random`, the mean probability of the true class while inputs are exchanged, the most
            important first or in random order; `reliability`, see `_reliability`.
        name: name of the dataset, for the random streams.
        engine: name of the engine.
        batch_size: rows of one call.
        recipe: `explain` of the study file.
        threads: threads of the engine.
    """
    positions = read_split(split)
    every = np.sort(np.concatenate(list(positions.values())))
    others = np.setdiff1d(every, positions["test"])
    rng = generator("explained rows", name)
    chosen = np.sort(rng.choice(positions["test"], min(recipe["rows"], len(positions["test"])), replace=False))
    behind = rng.choice(others if len(others) else positions["test"], BACKGROUND)
    signature = read_signature(model)
    run = load_engine.load(engine, model, threads=threads)
    task = components.load("tasks", signature.task)

    def probability(rows: Table) -> Array:
        output = ModelInputs.from_rows(signature, rows).outputs(run, batch_size)
        probabilities: Array = task(output, rows)["probabilities"].astype(np.float64)
        return probabilities[np.arange(len(rows)), rows.label]

    mixed = Mixed(read_rows(table, chosen), read_rows(table, behind), recipe["patches"])
    write_predictions(destination, explained(mixed, probability, name, recipe["permutations"]), {"engine": engine})


@dataclass(frozen=True)
class Mixed:
    """Rows whose absent inputs come from background rows.

    Attributes:
        rows: n rows.
        background: rows to take absent inputs from.
        patches: patches along each side of an image, each of which is one input.
    """

    rows: Table
    background: Table
    patches: int

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs: columns, and patches of an image by row and column."""
        names = [*self.rows.numeric_names, *self.rows.levels]
        if self.rows.images is None:
            return names
        return [*names, *(f"patch {y + 1}, {x + 1}" for y in range(self.patches) for x in range(self.patches))]

    def table(self, present: Array, background: Array) -> Table:
        """The rows with the inputs that are present (n, d), and those of background rows (n,) for all others."""
        other = self.background.take(background)
        numbers = self.rows.numeric.shape[1]
        columns = numbers + self.rows.categorical.shape[1]
        mixed = dataclasses.replace(
            self.rows,
            numeric=np.where(present[:, :numbers], self.rows.numeric, other.numeric),
            categorical=np.where(present[:, numbers:columns], self.rows.categorical, other.categorical),
        )
        if self.rows.images is None or other.images is None:
            return mixed
        return dataclasses.replace(mixed, images=self._images(present[:, columns:], self.rows.images, other.images))

    def _images(self, present: Array, images: Array, others: Array) -> Array:
        height, width = images.shape[2:]
        of_row, of_column = (np.arange(size) * self.patches // size for size in (height, width))
        patch = of_row[:, None] * self.patches + of_column[None, :]  # (height, width)
        return np.where(present[:, patch][:, None], images, others)


def explained(mixed: Mixed, probability: Any, name: str, pairs: int) -> dict[str, Array]:
    """Explain rows; the columns of the file that `explain` writes.

    Args:
        mixed: the rows and their background.
        probability: function of rows (n) that returns the probability of each one's true class (n,).
        name: name of the dataset.
        pairs: pairs of permutations.
    """
    rows, inputs = mixed.rows, mixed.inputs
    rng = generator("explained", name)

    def log_odds(present: Array, background: Array) -> Array:
        true = probability(mixed.table(present, background))
        odds: Array = np.log(np.maximum(true, SMALLEST)) - np.log(np.maximum(1 - true, SMALLEST))
        return odds

    values = shapley.sampled(log_odds, len(rows), len(inputs), background=len(mixed.background), pairs=pairs, rng=rng)
    mean = values.mean(axis=0)
    behind = rng.integers(len(mixed.background), size=len(rows))
    orders = {"deletion": np.argsort(-mean, axis=1, kind="stable")}
    orders["random"] = rng.permuted(np.tile(np.arange(len(inputs)), (len(rows), 1)), axis=1)
    columns = {"row": rows.row, "part": np.full(len(rows), PARTS.index("test")), "label": rows.label}
    for key, order in orders.items():
        columns[key] = shapley.deletion(lambda m, b: probability(mixed.table(m, b)), order, behind)
    columns["reliability"] = _reliability(values)
    return columns | {f"{INPUT}{name}": mean[:, position] for position, name in enumerate(inputs)}


def _reliability(values: Array) -> Array:
    """How well the Shapley values of a row are known (n,): the correlation that a second sample would have with them.

    The correlation over inputs of two halves of the pairs (P, n, d), corrected to the whole (Spearman-Brown).
    NaN with one pair.
    """
    if len(values) < 2:
        return np.full(values.shape[1], np.nan)
    first, second = (half.mean(axis=0) for half in (values[::2], values[1::2]))
    first, second = (half - half.mean(axis=1, keepdims=True) for half in (first, second))
    norm = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (first * second).sum(axis=1) / norm
        whole: Array = 2 * r / (1 + r)
    return whole
