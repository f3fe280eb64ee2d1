"""Rows in memory: inputs, labels, groups; and what a shipped model must know to be fed with them.  NumPy only."""

from dataclasses import asdict, dataclass, field, replace
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


@dataclass(frozen=True)
class Signature:
    """What travels with a shipped model so that rows can be fed to it; levels are those of its training rows."""

    numeric: tuple[str, ...]
    categorical: dict[str, tuple[str, ...]]
    image: tuple[int, ...] | None  # (channels, height, width)
    classes: tuple[str, ...]
    text: dict[str, Any] | None = None  # a tokenizer, see `tokenizing`
    task: str = "classification"

    @property
    def form(self) -> str:
        """What a row is: `text`, `image` or `tabular`."""
        return "text" if self.text is not None else "image" if self.image is not None else "tabular"

    @classmethod
    def fitted(cls, training: Table) -> "Signature":
        """Signature of a model that is trained on these rows."""
        seen = {}
        for position, (name, levels) in enumerate(training.levels.items()):
            codes = np.unique(training.categorical[:, position])
            seen[name] = tuple(levels[code] for code in codes)
        image = None if training.images is None else tuple(training.images.shape[1:])
        return cls(training.numeric_names, seen, image, training.classes)

    @classmethod
    def from_dict(cls, stated: dict[str, Any]) -> "Signature":
        """Inverse of `to_dict`."""
        return cls(
            tuple(stated["numeric"]),
            {name: tuple(levels) for name, levels in stated["categorical"].items()},
            None if stated["image"] is None else tuple(stated["image"]),
            tuple(stated["classes"]),
            stated.get("text"),
            stated.get("task", "classification"),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible form."""
        return asdict(self)

    def feeds(self, table: Table) -> dict[str, NDArray[Any]]:
        """Input tensors of the shipped file, by name, for these rows.

        Returns:
            `tokens` int64 (n, length, ...), padded at the end; `image` uint8 (n, channels, height, width); or `numeric`
            float32 (n, k) and `categorical` int64 (n, c), whichever the model has; a category that no training row
            had is -1.
        """
        if self.text is not None:
            if table.texts is None:
                raise ValueError("the model takes texts, and the table has none")
            from fairweight.tokenizing import tokens  # noqa: PLC0415 - a tokenizer is for texts only

            return {"tokens": tokens(self.text, table.texts)}
        if self.image is not None:
            if table.images is None:
                raise ValueError("the model takes images, and the table has none")
            return {"image": table.images}
        feeds: dict[str, NDArray[Any]] = {}
        if self.numeric:
            feeds["numeric"] = table.numeric
        if self.categorical:
            columns = [self._codes(table, position, name) for position, name in enumerate(self.categorical)]
            feeds["categorical"] = np.stack(columns, axis=1)
        return feeds

    def _codes(self, table: Table, position: int, name: str) -> NDArray[np.int64]:
        known = {level: code for code, level in enumerate(self.categorical[name])}
        translation = np.array([known.get(level, -1) for level in table.levels[name]], dtype=np.int64)
        translated: NDArray[np.int64] = translation[table.categorical[:, position]]
        return translated
