"""What methods that generate rows share: which rows they fill up, which inputs stay, and columns as normal scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from fairweight.core.errors import InputError, did_you_mean, listed
from fairweight.core.table import Augmented, Table
from fairweight.data.column_statistics import Columns
from fairweight.statistics.slices import Features

Array = NDArray[Any]
FEWEST = 20  # rows of a cell that has margins of its own; smaller ones have those of their label


@dataclass(frozen=True)
class Cell:
    """Training rows of one combination of group and label.

    Attributes:
        rows: their positions (n,).
        label: code of the label.
        source: positions of the rows that new rows take label and groups from (m,).
    """

    rows: Array
    label: int
    source: Array


def cells(
    training: Table, rng: np.random.Generator, method: str, *, attribute: str | None, fill: str, share: float
) -> list[Cell]:
    """Combinations of group and label for which rows are made, each with the source of every new row.

    Args:
        training: training rows.
        rng: random stream.
        method: name of the method, for messages.
        attribute, fill, share: options of the methods, such as `smote`.

    Raises:
        InputError: the rows are not tabular, or have no such attribute.
    """
    if training.images is not None or training.texts is not None or not training.classes:
        raise InputError(
            f"augmentation {method} is for tabular rows with classes; images take affine_noise, texts typing_errors"
        )
    if attribute is not None and attribute not in training.groups:
        hint = did_you_mean(attribute, training.groups)
        raise InputError(
            f"augmentation {method}: attribute {attribute!r} is not a group{hint}; there are: {listed(training.groups)}"
        )
    group = np.zeros(len(training), np.int64) if attribute is None else training.groups[attribute]
    code = np.where(group < 0, -1, group * len(training.classes) + training.label)
    members = [np.flatnonzero(code == value) for value in np.unique(code[code >= 0])]
    sizes = np.array([len(rows) for rows in members])
    wanted = sizes.max() - sizes if fill == "balance" else sizes * share
    scale = min(1.0, share * len(training) / max(1.0, float(wanted.sum())))
    numbers = np.floor(wanted * scale + rng.random(len(sizes))).astype(int)
    return [
        Cell(rows, int(training.label[rows[0]]), rng.choice(rows, number))
        for rows, number in zip(members, numbers, strict=True)
        if number
    ]


def kept_inputs(training: Table, rng: np.random.Generator) -> tuple[Array, Array]:
    """Inputs from which groups are made: a new row keeps those of its source, as it keeps its groups.

    Returns:
        Whether each numeric column (k,) and each categorical one (c,) is kept.
    """
    features = Features.from_table(training.numeric, training.numeric_names, training.categorical, training.levels)
    names = set(features.sources_of(training.groups, rng)) if training.groups else set()
    numeric, categorical = ([name in names for name in every] for every in (training.numeric_names, training.levels))
    return np.array(numeric, dtype=bool), np.array(categorical, dtype=bool)


def assembled(training: Table, made: Iterator[tuple[Array, Array, Array]]) -> Augmented:
    """New rows, cell by cell.

    Args:
        training: training rows.
        made: for each cell the positions of the sources (m,), numbers (m, k) and codes (m, c). Numbers of columns that
            hold whole numbers are rounded, and none leaves the range of its column.
    """
    columns, nothing = Columns.from_rows(training), Augmented.nothing(training)
    parts = list(made)
    if not parts:
        return nothing
    source, numeric, categorical = (np.concatenate([part[position] for part in parts]) for position in range(3))
    numeric = np.where(columns.whole, np.round(numeric), numeric)
    numeric = np.clip(numeric, columns.lowest, columns.highest).astype(np.float32)
    weights = nothing.row_weights
    return Augmented(source, numeric, categorical.astype(np.int64), None, weights)


# ---- columns as normal scores


@dataclass(frozen=True)
class Margins:
    """Distributions of k numeric and c categorical columns, by which values become normal scores and back.

    Attributes:
        numbers: sorted numbers of each numeric column; missing ones come first.
        shares: cumulative shares of the levels of each categorical column, which start at 0.
    """

    numbers: tuple[Array, ...]
    shares: tuple[Array, ...]

    @classmethod
    def from_rows(cls, rows: Table) -> "Margins":
        """Distributions of some rows."""
        numbers = []
        for column in rows.numeric.T.astype(np.float64):
            ordered = np.sort(column)  # NumPy puts missing numbers last
            missing = int(np.isnan(ordered).sum())
            numbers.append(np.roll(ordered, missing))
        shares = []
        for codes, levels in zip(rows.categorical.T, rows.levels.values(), strict=True):
            counts = np.bincount(codes[codes >= 0], minlength=len(levels)).astype(float)
            shares.append(np.concatenate([[0.0], np.cumsum(counts) / max(1.0, counts.sum())]))
        return cls(tuple(numbers), tuple(shares))

    def scores(self, rows: Table, rng: np.random.Generator) -> Array:
        """Normal scores of rows (n, k + c); a value that many rows have is spread over its share at random."""
        columns = []
        for column, ordered in zip(rows.numeric.T.astype(np.float64), self.numbers, strict=True):
            missing = int(np.isnan(ordered).sum())
            known, number = ordered[missing:], len(ordered)
            low = np.searchsorted(known, column, side="left") + missing
            high = np.searchsorted(known, column, side="right") + missing
            low, high = (np.where(np.isnan(column), end, side) for end, side in ((0, low), (missing, high)))
            columns.append((low + rng.random(len(column)) * np.maximum(high - low, 1)) / max(number, 1))
        for codes, shares in zip(rows.categorical.T, self.shares, strict=True):
            width = shares[codes + 1] - shares[codes]
            columns.append(shares[codes] + rng.random(len(codes)) * width)
        uniform = np.stack(columns, axis=1) if columns else np.empty((len(rows), 0))
        scores: Array = special.ndtri(np.clip(uniform, 1e-6, 1 - 1e-6))
        return scores

    def values(self, scores: Array) -> tuple[Array, Array]:
        """Numbers (n, k) and codes (n, c) of normal scores: numbers lie between neighbours of the training rows."""
        uniform, numeric, categorical = special.ndtr(scores), [], []
        for position, ordered in enumerate(self.numbers):
            missing = int(np.isnan(ordered).sum())
            place = uniform[:, position] * len(ordered)
            known = ordered[missing:]
            inside = np.clip(place - missing - 0.5, 0, max(len(known) - 1, 0))
            number = np.interp(inside, np.arange(len(known)), known) if len(known) else np.full(len(place), np.nan)
            numeric.append(np.where(place < missing, np.nan, number))
        for position, shares in enumerate(self.shares, start=len(self.numbers)):
            codes = np.searchsorted(shares, uniform[:, position], side="right") - 1
            categorical.append(np.clip(codes, 0, len(shares) - 2))
        return _columns(numeric, len(scores), np.float64), _columns(categorical, len(scores), np.int64)


def _columns(columns: list[Array], rows: int, kind: type[Any]) -> Array:
    return np.stack(columns, axis=1).astype(kind) if columns else np.empty((rows, 0), kind)
