"""Encoded rows in blocks of a fixed number of rows, kept in files: training does not hold them in memory.

Blocks are counted over the rows that are trained on, and not over the row groups of a file, so that sums by block are
the same for any row groups and any number of threads.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.artifacts import number_of_blocks, read_augmented, read_split, read_table
from fairweight.core.errors import InputError, did_you_mean, first_line, listed
from fairweight.core.table import Table, block_rows
from fairweight.training.model import Model

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """Encoded rows, of which the features are in a file.

    Attributes:
        path: .npy file of the features, float32 (n, d).
        labels: int64 (n,).
        weights: float64 (n,), weights in the loss.
    """

    path: Path
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]

    def features(self) -> Floats:
        """The features (n, d), mapped from the file."""
        features: Floats = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return features


@dataclass(frozen=True)
class StoredRows:
    """Rows of a dataset for one training run, read block by block.

    Attributes:
        table: Parquet file of the dataset.
        training, validation: positions of the rows in the table, in ascending order.
        made: rows that augmentation made, which are held in memory.
        weights: weights in the loss of the training rows and then of the made rows, float32.
        first: rows of the table, for its columns and classes.
    """

    table: str
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    made: Table
    weights: Floats
    first: Table

    @classmethod
    def read(cls, table: str, split: str, augmented: str) -> "StoredRows":
        """Find the rows in the Parquet files of a dataset's table, a seed's split and an augmentation."""
        positions, first = read_split(split), read_table(table, block=0)
        bare = read_table(table, inputs=False).take(positions["train"])
        bare = replace(bare, numeric_names=first.numeric_names, levels=first.levels, origins=first.origins)
        extra = read_augmented(augmented, replace(bare, images=first.images, texts=first.texts))
        made = Table(**{**bare.take(extra.source).__dict__, **extra.inputs()})
        weights = np.concatenate([extra.row_weights, np.ones(len(made), np.float32)])
        return cls(table, positions["train"], positions["validation"], made, weights, first)

    @property
    def values(self) -> int:
        """Values of one row before encoding."""
        pixels = 0 if self.first.images is None else int(np.prod(self.first.images.shape[1:]))
        return max(1, self.first.numeric.shape[1] + self.first.categorical.shape[1] + pixels)

    def parts(self, positions: NDArray[np.int64]) -> Iterator[Table]:
        """Rows at these positions, in ascending order, one row group after the other."""
        start = 0
        for number in range(number_of_blocks(self.table)):
            rows = read_table(self.table, block=number)
            inside = positions[slice(*np.searchsorted(positions, (start, start + len(rows))))]
            if len(inside):
                yield rows.take(inside - start)
            start += len(rows)

    def check_attribute(self, attribute: str | None) -> None:
        """Check that an objective's attribute is one of the dataset's.

        Raises:
            InputError: it is not.
        """
        if attribute is not None and attribute not in self.first.groups:
            hint, legal = did_you_mean(attribute, self.first.groups), listed(self.first.groups)
            raise InputError(f"training: objective: attribute {attribute!r} is not a group{hint}; there are: {legal}.")

    def labels_and_groups(self, attribute: str | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Labels, and groups of an attribute (0 without one), of training rows and then of made rows."""
        bare = read_table(self.table, inputs=False).take(self.training)
        labels = np.concatenate([bare.label, self.made.label])
        if attribute is None:
            return labels, np.zeros(len(labels), np.int64)
        return labels, np.concatenate([bare.groups[attribute], self.made.groups[attribute]])

    def spooled(self, model: Model, folder: Path, weights: NDArray[np.float64]) -> tuple[list[Block], list[Block]]:
        """Encode all rows and write their features.

        Args:
            model: a model whose encoder is fitted.
            folder: folder to write to.
            weights: of training rows and then of made rows (n,).

        Returns:
            Blocks of the training rows, followed by the made ones, and blocks of the validation rows.
        """
        made = _slices(self.made, block_rows(self.values))
        fitted = _spool(itertools.chain(self.parts(self.training), made), model, folder, "training", weights)
        held_out = self.parts(self.validation)
        return fitted, _spool(held_out, model, folder, "validation", np.ones(len(self.validation)))


def fixed_blocks(arrays: Iterable[NDArray[Any]], rows: int) -> Iterator[NDArray[Any]]:
    """Concatenate arrays (n, ...) of any length and cut them into ones of `rows` rows; the last one may have fewer."""
    pending: list[NDArray[Any]] = []
    size = 0
    for array in arrays:
        while size + len(array) >= rows:
            taken = rows - size
            yield np.concatenate([*pending, array[:taken]])
            array, pending, size = array[taken:], [], 0  # noqa: PLW2901 - the rest of it
        pending.append(array)
        size += len(array)
    if size:
        yield np.concatenate(pending)


def _slices(rows: Table, size: int) -> Iterator[Table]:
    for start in range(0, len(rows), size):
        yield rows.take(np.arange(start, min(start + size, len(rows))))


def _spool(parts: Iterable[Table], model: Model, folder: Path, name: str, weights: NDArray[np.float64]) -> list[Block]:
    """Encode tables and write their features in fixed blocks."""
    labels: list[NDArray[np.int64]] = []
    rows = block_rows(math.prod(model.encoder.features))

    def encoded() -> Iterator[NDArray[Any]]:
        for part in parts:
            labels.append(part.label)
            yield model.encode(part).flatten(1).numpy()

    paths, sizes = [], []
    for number, features in enumerate(fixed_blocks(encoded(), rows)):
        paths.append(folder / f"{name}-{number}.npy")
        sizes.append(len(features))
        try:
            np.save(paths[-1], features, allow_pickle=False)
        except OSError as error:  # NumPy's error of a full disk has no number
            raise InputError(
                f"training: the encoded rows cannot be written to {folder.parent} ({first_line(error)}); free space "
                "there, or set TMPDIR to another folder."
            ) from None
    if not paths:
        return []
    ends = np.cumsum(sizes)[:-1]
    label = np.split(np.concatenate([*labels, np.empty(0, np.int64)]), ends)
    return [Block(*block) for block in zip(paths, label, np.split(weights, ends), strict=True)]
