"""The simple model of a dataset: a logistic or ridge regression of its inputs, which costs next to nothing.

Models that are worse than it are too weak to compare with (see `guards`). It is fitted once for each dataset, on
training rows of one split, with bounded time and memory.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from fairweight.core.artifacts import PARTS, number_of_blocks, read_split, read_table, write_predictions
from fairweight.core.labels import ABSOLUTE, SQUARED
from fairweight.core.random_streams import generator
from fairweight.core.table import Table

Array = np.ndarray[Any, Any]
MOST_ROWS = 50_000  # training rows that it is fitted on
FEWEST_ROWS = 1_000  # the same where rows are long and classes are many
MOST_PRODUCTS = 1e8  # rows x values of a row x outputs: multiplications of one iteration
MOST_WEIGHTS = 1_000_000  # frequent levels are kept, and words share hashes
MOST_PIXELS = 4_096  # of an image; larger images are averaged
MOST_CHARACTERS = 2_000  # of a text
MOST_WORDS = 2**16  # hashes of words
WORDS_PER_TEXT = 100  # assumed where rows are chosen
ITERATIONS = 100
NOTHING = -1  # prediction where there is no model


def simple_model(*, table: str, split: str, destination: str) -> None:
    """Write what a logistic regression of the raw inputs, or of numbers a ridge regression, predicts for the test rows.

    Numbers are standardised, levels are one-hot, pixels are averaged to at most 4,096 of an image, and texts are
    hashed bags of words. The regression has scikit-learn's L2 penalty, and at most 100 iterations.

    Args:
        table: Parquet file of the dataset.
        split: Parquet file of one split.
        destination: Parquet file to write: predictions of the test rows, -1 where there is no model. Its description
            has `classes`, `fitted_rows`, `training_rows`, `features`, `iterations`, and the `reason` if there is no
            model; of labels that are numbers, also `naive`: for each loss, what is best predicted without inputs.
    """
    positions = read_split(split)
    first = read_table(table, block=0)
    chosen = _chosen(first, positions["train"])
    training = list(_parts(table, first.block_rows, chosen))
    reason = _impossible(first, training)
    model = None if reason else Fitted.to(training)
    about: dict[str, Any] = {"classes": first.classes, "reason": reason}
    about |= {"fitted_rows": len(chosen) if model else 0, "training_rows": len(positions["train"])}
    about |= model.about if model else {"features": None, "iterations": None}
    if first.measured:
        label = read_table(table, inputs=False).label[positions["train"]]
        about["naive"] = {ABSOLUTE: float(np.median(label)), SQUARED: float(label.mean())} if len(label) else {}
    tested = [_tested(rows, model) for rows in _parts(table, first.block_rows, positions["test"])]
    columns = {name: np.concatenate([part[name] for part in tested]) for name in tested[0]}
    write_predictions(destination, columns, about)


def _impossible(rows: Table, training: list[Table]) -> str | None:
    """Why there is nothing to fit, or None."""
    if not training:
        return "the dataset has no training rows"
    if rows.images is None and rows.texts is None and not rows.numeric.shape[1] + rows.categorical.shape[1]:
        return "the dataset has no inputs"
    if len(set().union(*(rows.label.tolist() for rows in training))) > 1:
        return None
    return "all labels are equal" if rows.measured else "there is one class only"


def _chosen(rows: Table, training: Array) -> Array:
    """Positions of the training rows that the model is fitted on, in order.

    Args:
        rows: some rows, for their number of values and classes.
        training: positions of the training rows (n,).
    """
    values = rows.numeric.shape[1] + rows.categorical.shape[1]
    values += 0 if rows.images is None else min(int(np.prod(rows.images.shape[1:])), MOST_PIXELS)
    values += 0 if rows.texts is None else WORDS_PER_TEXT
    outputs = 1 if len(rows.classes) == 2 else len(rows.classes)
    most = int(max(min(MOST_ROWS, MOST_PRODUCTS / max(values * outputs, 1)), FEWEST_ROWS))
    if len(training) <= most:
        return training
    drawn: Array = np.sort(generator("simple model").choice(training, most, replace=False))
    return drawn


def _parts(table: str, size: int, positions: Array) -> Iterator[Table]:
    """Rows of a table at these positions, block by block; blocks without such a row are not read.

    Args:
        table: Parquet file.
        size: rows of each block but the last.
        positions: in ascending order.
    """
    for block in range(number_of_blocks(table)):
        inside = positions[slice(*np.searchsorted(positions, (block * size, (block + 1) * size)))]
        if len(inside):
            yield read_table(table, block=block).take(inside - block * size)


def _tested(rows: Table, model: "Fitted | None") -> dict[str, Array]:
    nothing = np.nan if rows.measured else NOTHING
    predicted = np.full(len(rows), nothing) if model is None else model.predict(rows)
    part = np.full(len(rows), PARTS.index("test"))
    return {"row": rows.row, "part": part, "label": rows.label, "prediction": predicted}


@dataclass(frozen=True)
class Fitted:
    """A logistic regression, and what its inputs need: means and scales of numbers, and the levels that are kept."""

    mean: Array  # (k,)
    scale: Array  # (k,)
    levels: list[Array]  # of each categorical column, its position among the features of each level, -1 if left out
    number: int  # of levels that are kept
    words: int  # number of hashes of words
    regression: LogisticRegression | Ridge

    @classmethod
    def to(cls, training: list[Table]) -> "Fitted":
        """Fit the regression to training rows.

        Args:
            training: one or more tables of the same dataset; the labels have at least two values.
        """
        numeric = _finite(np.concatenate([rows.numeric for rows in training]))
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # columns without a number
            mean, scale = np.nan_to_num(np.nanmean(numeric, axis=0)), np.nan_to_num(np.nanstd(numeric, axis=0))
        scale[scale == 0] = 1.0
        label = np.concatenate([rows.label for rows in training])
        measured = training[0].measured
        most = max(MOST_WEIGHTS // (1 if measured else len(np.unique(label))), 2)  # features
        levels, number = _frequent(training, most - numeric.shape[1])
        regression = Ridge(max_iter=ITERATIONS) if measured else LogisticRegression(max_iter=ITERATIONS)
        fitted = cls(mean, scale, levels, number, min(most, MOST_WORDS), regression)
        features = [fitted.features(rows) for rows in training]
        stacked = sparse.vstack(features).tocsr() if sparse.issparse(features[0]) else np.concatenate(features)
        # one thread: sums in another order would end the bounded iterations elsewhere
        with threadpool_limits(1), warnings.catch_warnings(action="ignore", category=UserWarning):
            regression.fit(stacked, label)
        return fitted

    @property
    def about(self) -> dict[str, Any]:
        """Number of features and of iterations."""
        iterations = self.regression.n_iter_  # None where a ridge regression is solved directly
        return {
            "features": int(self.regression.n_features_in_),
            "iterations": None if iterations is None else int(iterations.max()),
        }

    def predict(self, rows: Table) -> Array:
        """Predicted class code, or number, of each row (n,)."""
        predicted: Array = self.regression.predict(self.features(rows))
        return predicted.astype(np.float64 if rows.measured else np.int64)

    def features(self, rows: Table) -> Any:
        """Features (n, d): dense, or sparse where there are levels or words."""
        dense, loose = [], []
        if rows.numeric.shape[1]:
            numeric = _finite(rows.numeric)
            dense.append((np.where(np.isnan(numeric), self.mean, numeric) - self.mean) / self.scale)
        if rows.images is not None:
            dense.append(_pixels(rows.images))
        if self.number:
            loose.append(self._one_hot(rows.categorical))
        if rows.texts is not None:
            loose.append(_words(rows.texts, self.words))
        if not loose:
            return np.concatenate(dense, axis=1) if dense else np.zeros((len(rows), 1))  # every level is missing
        return sparse.hstack([*map(sparse.csr_matrix, dense), *loose]).tocsr()

    def _one_hot(self, codes: Array) -> sparse.csr_matrix:
        """Features of categorical codes (n, c); levels that are not kept have none."""
        columns = np.stack([np.append(kept, -1)[codes[:, n]] for n, kept in enumerate(self.levels)], axis=1)
        row, column = np.nonzero(columns >= 0)
        ones = np.ones(len(row))
        return sparse.csr_matrix((ones, (row, columns[row, column])), shape=(len(codes), self.number))


def _finite(numeric: Array) -> Array:
    """Numbers in float64 (n, k); what is infinite counts as missing."""
    numbers: Array = np.where(np.isfinite(numeric), numeric, np.nan).astype(np.float64)
    return numbers


def _frequent(training: list[Table], most: int) -> tuple[list[Array], int]:
    """Positions among the features of the levels that are kept, by column (see `Fitted`), and their number."""
    codes = np.concatenate([rows.categorical for rows in training])
    counts = [
        np.bincount(codes[codes[:, n] >= 0, n], minlength=len(names))
        for n, names in enumerate(training[0].levels.values())
    ]
    flat = np.concatenate([*counts, np.empty(0, np.int64)])
    order = np.argsort(-flat, kind="stable")[: max(most, 0)]
    kept = np.sort(order[flat[order] > 0])
    position = np.full(len(flat), -1)
    position[kept] = np.arange(len(kept))
    ends = np.cumsum([len(of_column) for of_column in counts])
    return np.split(position, ends[:-1]) if counts else [], len(kept)


def _pixels(images: Array) -> Array:
    """Pixels of images (n, channels, height, width) from 0 to 1, float32 (n, d); large images are averaged."""
    n, channels, height, width = images.shape
    factor = int(np.ceil(max(np.sqrt(channels * height * width / MOST_PIXELS), 1.0)))
    tall, wide = max(height // factor, 1), max(width // factor, 1)
    high, broad = min(factor, height), min(factor, width)
    cut = images[:, :, : tall * high, : wide * broad].reshape(n, channels, tall, high, wide, broad)
    averaged: Array = cut.mean(axis=(3, 5), dtype=np.float32).reshape(n, -1) / np.float32(255)
    return averaged


def _words(texts: Array, hashes: int) -> sparse.csr_matrix:
    """Hashed words of texts (n,), each row of length 1."""
    return HashingVectorizer(n_features=hashes, alternate_sign=False).transform(_beginnings(texts))


def _beginnings(texts: Array) -> Iterator[str]:
    return (str(text)[:MOST_CHARACTERS] for text in texts)
