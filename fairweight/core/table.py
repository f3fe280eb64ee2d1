"""Rows in memory: inputs, labels, groups; and what a shipped model must know to be fed with them.  NumPy only."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = "(missing)"  # the category that a missing categorical value is
BLOCK_ROWS = 65_536
BLOCK_VALUES = 2**21


def block_rows(values: int) -> int:
    """Rows of one row block, of a table whose rows hold so many values: 65,536, and fewer where a row has over 32.

    It depends on nothing else, because random streams are keyed by row block (docs/decisions/0010-row-blocks.md).
    """
    return max(1, min(BLOCK_ROWS, BLOCK_VALUES // max(1, values)))


@dataclass(frozen=True)
class Table:
    """n rows of one dataset.  A categorical or group column holds codes into its levels; -1 is "none"."""

    row: NDArray[np.int64]  # (n,) row id, stable for the dataset
    file: NDArray[Any]  # (n,) name of the raw file that the row comes from
    label: NDArray[np.int64]  # (n,) code into classes
    classes: tuple[str, ...]  # of a binary label the second is the positive one
    numeric: NDArray[np.float32]  # (n, k)
    numeric_names: tuple[str, ...]
    categorical: NDArray[np.int64]  # (n, c)
    levels: dict[str, tuple[str, ...]]  # categorical column -> its levels, in column order
    images: NDArray[np.uint8] | None  # (n, channels, height, width)
    groups: dict[str, NDArray[np.int64]] = field(default_factory=dict)  # attribute -> (n,)
    group_levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    given: dict[str, NDArray[np.float64]] = field(default_factory=dict)  # column of scores -> (n,)
    texts: NDArray[Any] | None = None  # (n,) strings
    pairs: NDArray[np.int64] | None = (
        None  # (n,) number of a text's pair, negative for the less stereotyping text, 0 is none
    )

    def __len__(self) -> int:
        return len(self.row)

    @property
    def block_rows(self) -> int:
        """Rows of one row block of this dataset; four bytes of an image count as one value."""
        pixels = 0 if self.images is None else int(np.prod(self.images.shape[1:]))
        return block_rows(self.numeric.shape[1] + self.categorical.shape[1] + pixels // 4)

    def take(self, positions: NDArray[Any]) -> "Table":
        """The rows at these positions."""
        return replace(
            self,
            row=self.row[positions],
            file=self.file[positions],
            label=self.label[positions],
            numeric=self.numeric[positions],
            categorical=self.categorical[positions],
            images=None if self.images is None else self.images[positions],
            texts=None if self.texts is None else self.texts[positions],
            pairs=None if self.pairs is None else self.pairs[positions],
            groups={name: codes[positions] for name, codes in self.groups.items()},
            given={name: scores[positions] for name, scores in self.given.items()},
        )


@dataclass(frozen=True)
class Augmented:
    """What an augmentation makes of n training rows: m new rows, and a weight in the loss for every row.

    A made row takes label and groups from its source row.
    """

    source: NDArray[np.int64]  # (m,) position of the source among the training rows
    numeric: NDArray[np.float32]  # (m, k)
    categorical: NDArray[np.int64]  # (m, c)
    images: NDArray[np.uint8] | None  # (m, channels, height, width)
    row_weights: NDArray[np.float32]  # (n,) weight of each original row
    texts: NDArray[Any] | None = None  # (m,) strings

    @classmethod
    def nothing(cls, training: Table) -> "Augmented":
        """No row made, every weight 1."""
        none = np.empty(0, dtype=np.int64)
        part = training.take(none)
        weights = np.ones(len(training), dtype=np.float32)
        return cls(none, part.numeric, part.categorical, part.images, weights, part.texts)

    @classmethod
    def of_texts(cls, training: Table, source: NDArray[np.int64], texts: list[str]) -> "Augmented":
        """Texts made from the rows at these positions (m,), whose other inputs are as they were; every weight 1."""
        rest = training.take(source)
        made = np.array(texts, dtype=object)
        nothing = cls.nothing(training)
        return replace(nothing, source=source, texts=made, numeric=rest.numeric, categorical=rest.categorical)

    def inputs(self) -> dict[str, Any]:
        """The made rows' inputs, by their field of a table."""
        return {name: getattr(self, name) for name in ("numeric", "categorical", "images", "texts")}
