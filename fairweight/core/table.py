"""Rows of a dataset in memory: inputs, labels and groups; and the rows that augmentation adds (NumPy only)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

MISSING = "(missing)"  # category of a missing categorical value
BLOCK_ROWS = 65_536
BLOCK_VALUES = 2**21

Rows = TypeVar("Rows")


def block_rows(values: int) -> int:
    """Rows of one row block of a table with `values` values a row: 65,536, and fewer if a row has over 32.

    It depends on nothing else, because random streams are keyed by row block (docs/decisions/0010-row-blocks.md).
    """
    return max(1, min(BLOCK_ROWS, BLOCK_VALUES // max(1, values)))


@dataclass(frozen=True)
class Table:
    """n rows of one dataset. A categorical or group column holds codes into its levels; -1 is "none"."""

    row: NDArray[np.int64]  # (n,) row id, stable for the dataset
    file: NDArray[Any]  # (n,) name of the raw file that the row comes from
    label: NDArray[Any]  # (n,) int64 codes into classes, or float64 numbers
    classes: tuple[str, ...]  # of a binary label the second is the positive one; empty for numbers
    numeric: NDArray[np.float32]  # (n, k), minus the origin of each column
    numeric_names: tuple[str, ...]
    categorical: NDArray[np.int64]  # (n, c)
    levels: dict[str, tuple[str, ...]]  # categorical column -> its levels, in column order
    images: NDArray[np.uint8] | None  # (n, channels, height, width)
    groups: dict[str, NDArray[np.int64]] = field(default_factory=dict)  # attribute -> (n,)
    group_levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    given: dict[str, NDArray[np.float64]] = field(default_factory=dict)  # column of scores -> (n,)
    texts: NDArray[Any] | None = None  # (n,) strings
    # (n,) number of a text's pair, negative for the less stereotyping text, 0 is none
    pairs: NDArray[np.int64] | None = None
    # numeric column -> what was subtracted from its numbers in float64, because float32 holds fewer digits; 0 if absent
    origins: dict[str, float] = field(default_factory=dict)
    unit: str = ""  # of a label that is a number

    def __len__(self) -> int:
        return len(self.row)

    @property
    def measured(self) -> bool:
        """Whether the label is a number, and not the code of a class."""
        return self.label.dtype.kind == "f"

    @property
    def block_rows(self) -> int:
        """Rows of one row block of this dataset; four bytes of an image count as one value."""
        pixels = 0 if self.images is None else int(np.prod(self.images.shape[1:]))
        return block_rows(self.numeric.shape[1] + self.categorical.shape[1] + pixels // 4)

    @property
    def bytes_of_a_row(self) -> int:
        """Bytes of one row in memory; a text is counted as short."""
        pixels = 0 if self.images is None else int(np.prod(self.images.shape[1:]))
        codes = 8 * (self.categorical.shape[1] + len(self.groups) + len(self.given))
        return 32 + 4 * self.numeric.shape[1] + codes + pixels + (64 if self.texts is not None else 0)

    def in_files(self, names: Collection[str]) -> NDArray[np.bool_]:
        """Whether the raw file of each row has one of these names (n,)."""
        return np.isin(self.file.astype(str), list(names))

    def take(self, positions: NDArray[Any]) -> "Table":
        """The rows at these positions (or under this mask)."""
        return take_rows(self, positions)


@dataclass(frozen=True)
class Labels:
    """Labels and groups of n rows of a dataset, without inputs, in the narrowest integers that hold the codes."""

    label: NDArray[Any]  # (n,) codes into classes, or float64 numbers
    classes: tuple[str, ...]
    groups: dict[str, NDArray[Any]]  # attribute -> (n,) codes into its levels, -1 is none
    group_levels: dict[str, tuple[str, ...]]
    file: NDArray[Any]  # (n,) codes into `files`
    files: tuple[str, ...]  # names of the raw files
    pairs: NDArray[np.int64] | None = None  # see `Table`

    def __len__(self) -> int:
        return len(self.label)

    @property
    def measured(self) -> bool:
        """Whether the label is a number, and not the code of a class."""
        return self.label.dtype.kind == "f"

    def in_files(self, names: Collection[str]) -> NDArray[np.bool_]:
        """Whether the raw file of each row has one of these names (n,)."""
        return np.isin(self.file, [code for code, name in enumerate(self.files) if name in names])


def narrowest(levels: int) -> type[np.signedinteger[Any]]:
    """The narrowest type of integers for codes into this number of levels, and for -1."""
    return np.int8 if levels <= 2**7 else np.int16 if levels <= 2**15 else np.int32


def narrowed(codes: NDArray[Any]) -> NDArray[Any]:
    """The same codes in the narrowest integers; numbers that are no integers stay as they are."""
    if codes.dtype.kind != "i" or not len(codes):
        return codes
    return codes.astype(np.min_scalar_type(min(int(codes.min()), -1 - int(codes.max()))))


def take_rows(rows: Rows, positions: NDArray[Any]) -> Rows:
    """A dataclass of rows with the rows at these positions: every array (n, ...), also in mappings, is indexed."""
    names = [column.name for column in fields(rows)]  # type: ignore[arg-type]
    columns = {name: _taken(getattr(rows, name), positions) for name in names}
    return replace(rows, **columns)  # type: ignore[type-var]


def _taken(value: Any, positions: NDArray[Any]) -> Any:
    if isinstance(value, np.ndarray):
        return value[positions]
    if isinstance(value, Mapping) and any(isinstance(column, np.ndarray) for column in value.values()):
        return {name: column[positions] for name, column in value.items()}
    return value


@dataclass(frozen=True)
class Augmented:
    """Result of an augmentation of n training rows: m new rows, and a weight in the loss for each original row.

    A new row has the label and the groups of its source row.
    """

    source: NDArray[np.int64]  # (m,) position of the source among the training rows
    numeric: NDArray[np.float32]  # (m, k)
    categorical: NDArray[np.int64]  # (m, c)
    images: NDArray[np.uint8] | None  # (m, channels, height, width)
    row_weights: NDArray[np.float32]  # (n,) weight of each original row
    texts: NDArray[Any] | None = None  # (m,) strings

    @classmethod
    def nothing(cls, training: Table) -> "Augmented":
        """No new row, and weight 1 for every original row."""
        none = np.empty(0, dtype=np.int64)
        part = training.take(none)
        weights = np.ones(len(training), dtype=np.float32)
        return cls(none, part.numeric, part.categorical, part.images, weights, part.texts)

    @classmethod
    def from_texts(cls, training: Table, source: NDArray[np.int64], texts: list[str]) -> "Augmented":
        """New texts, made from the rows at positions `source` (m,), whose other inputs they keep; every weight is 1."""
        rest = training.take(source)
        made = np.array(texts, dtype=object)
        nothing = cls.nothing(training)
        return replace(nothing, source=source, texts=made, numeric=rest.numeric, categorical=rest.categorical)

    def inputs(self) -> dict[str, NDArray[Any] | None]:
        """Inputs of the new rows, by their field of `Table`."""
        return {name: getattr(self, name) for name in ("numeric", "categorical", "images", "texts")}
