"""Data of a training run: training rows, augmented rows and validation rows, read and encoded block by block."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairweight.core.artifacts import number_of_blocks, positions_of, read_made, read_sources, read_split, read_table
from fairweight.core.errors import InputError, did_you_mean, listed
from fairweight.core.memory import check_memory
from fairweight.core.table import Table, block_rows
from fairweight.training.input_encoders import Encoder
from fairweight.training.model import Model
from fairweight.training.row_spool import Spool, fixed_blocks, held_or_spooled
from fairweight.training.signature import Signature

KEPT_BYTES = 2**26  # rows of a table up to this size are read once
PREDICTED_ROWS = 2**14  # rows of one table of `fitted`; a multiple of any batch of an engine

WeightedTable = tuple[Table, NDArray[Any]]  # n rows, and the weight of each in the loss (n,)


@dataclass(frozen=True)
class EncodedRows:
    """Rows as tensors.

    Attributes:
        features: (n, ...) from the model's input encoder; those of a large table are mapped from a file.
        labels: int64 (n,).
        weights: (n,) weights in the loss.
        groups: int64 (n,), -1 for no group.
        spool: the file that the features are mapped from.
    """

    features: Tensor
    labels: Tensor
    weights: Tensor
    groups: Tensor
    spool: Spool | None = None

    def at(self, positions: Tensor) -> Tensor:
        """Features of the rows at these positions."""
        return self.features[positions] if self.spool is None else self.spool.at(positions)


@dataclass(frozen=True)
class TrainingData:
    """Rows of one split, whose inputs are read when they are needed.

    Attributes:
        table, augmented: Parquet files of a dataset's table and of an augmentation.
        training, validation: positions of the rows in the table, in ascending order.
        columns: a table without rows: its columns, levels, classes and groups.
        labels: (n,) of the training rows.
        groups: attribute -> codes (n,) of the training rows.
        sources: (m,) the training rows from which the augmentation made new rows.
        row_weights: float32 (n,) weight of each training row; a row of weight 0 is left out.
        small: whether the table is kept in memory once it is read.
    """

    table: str
    augmented: str
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    columns: Table
    labels: NDArray[Any]
    groups: dict[str, NDArray[np.int64]]
    sources: NDArray[np.int64]
    row_weights: NDArray[np.float32]
    small: bool
    _read: dict[int, Table] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, table: str, split: str, augmented: str) -> "TrainingData":
        """Read labels and groups from the Parquet files of a table, a seed's split and an augmentation."""
        positions = read_split(split)
        columns = read_table(table, block=0).take(np.arange(0))
        used = len(positions["train"])
        # ids, labels, groups, positions and weights; features of many rows are in files
        needed = used * (32 + 8 * len(columns.groups))
        check_memory("training", needed, f"{used:,} training rows", "use fewer rows, or a machine with more memory")
        row, labels, groups = _bare(table, positions["train"], columns)
        ids, made, weight = read_sources(augmented)
        source = positions_of(ids, row) if len(ids) else np.empty(0, np.int64)
        weights = np.ones(len(positions["train"]), np.float32)
        weights[source[~made]] = weight[~made]
        rows = sum(map(len, positions.values()))
        return cls(
            table=table,
            augmented=augmented,
            training=positions["train"],
            validation=positions["validation"],
            columns=columns,
            labels=labels,
            groups=groups,
            sources=source[made],
            row_weights=weights,
            # texts are of any length, and their tokens are kept in memory all the same
            small=columns.texts is not None or rows * _bytes_of_a_row(columns) <= KEPT_BYTES,
        )

    def __len__(self) -> int:
        """Number of training rows."""
        return len(self.training)

    @property
    def values(self) -> int:
        """Values of one row before encoding."""
        pixels = 0 if self.columns.images is None else int(np.prod(self.columns.images.shape[1:]))
        return max(1, self.columns.numeric.shape[1] + self.columns.categorical.shape[1] + pixels)

    # ---- rows

    def parts(self, positions: NDArray[np.int64]) -> Iterator[Table]:
        """Rows of the table at these positions, in ascending order, one row block after the other."""
        yield from _blocks(self.table, positions, self._block)

    def _block(self, number: int) -> Table:
        if number in self._read:
            return self._read[number]
        rows = read_table(self.table, block=number)
        if self.small:
            self._read[number] = rows
        return rows

    def made(self) -> Iterator[Table]:
        """Rows that the augmentation made, one row group after the other; they are no rows of the dataset."""
        start = 0
        for number in range(number_of_blocks(self.augmented)):
            inputs = read_made(self.augmented, self.columns, number)
            size = len(inputs["numeric"])
            source = self.sources[start : start + size]
            start += size
            rows: dict[str, Any] = {
                "row": np.full(size, -1),
                "file": np.full(size, ""),
                "label": self.labels[source],
                "groups": {attribute: codes[source] for attribute, codes in self.groups.items()},
                "given": {},
                "pairs": None,
            }
            if size:
                yield dataclasses.replace(self.columns, **rows, **inputs)

    def few(self) -> Table:
        """Two rows that give the shapes of a model's inputs."""
        positions = self.validation if len(self.validation) else self.training
        part = next(self.parts(positions[:2]))
        return part.take(np.resize(np.arange(len(part)), 2))

    def texts(self) -> NDArray[Any] | None:
        """Texts of the training rows (n,); None for other rows."""
        if self.columns.texts is None:
            return None
        return np.concatenate([part.texts for part in self.parts(self.training) if part.texts is not None])

    def fitted(self) -> Iterator[WeightedTable]:
        """Rows that a model is trained on, in their order: training rows with a weight, then augmented rows."""
        used = np.flatnonzero(self.row_weights)
        size = len(used) if self.small else PREDICTED_ROWS
        for start in range(0, len(used), max(size, 1)):
            chosen = used[start : start + size]
            yield _joined(list(self.parts(self.training[chosen]))), self.row_weights[chosen]
        made = self.made()
        if self.small and len(self.sources):
            made = iter([_joined(list(made))])
        for part in made:
            yield part, np.ones(len(part), np.float32)

    # ---- what is learned from them

    def signature(self) -> Signature:
        """Signature of a model that is trained on these rows: of a categorical column it has the levels that occur."""
        seen = [np.zeros(len(levels), bool) for levels in self.columns.levels.values()]
        for part in self.parts(self.training) if seen else ():
            for position, used in enumerate(seen):
                used[part.categorical[:, position]] = True
        names = zip(self.columns.levels.items(), seen, strict=True)
        levels = {name: tuple(np.array(every, object)[used]) for (name, every), used in names}
        fitted = Signature.fitted(dataclasses.replace(self.columns, label=self.labels))
        return dataclasses.replace(fitted, categorical=levels)

    def fit(self, encoder: Encoder) -> None:
        """Fit an input encoder on the training rows."""
        encoder.fit(lambda: fixed_blocks(self.fitted_columns(), block_rows(self.values)))

    def fitted_columns(self) -> Iterator[NDArray[Any]]:
        """What an input encoder learns from: numeric columns (k, c) or images of the training rows, part by part."""
        for part in self.parts(self.training):
            yield part.numeric if part.images is None else part.images

    def example(self, model: Model) -> Tensor:
        """Features of two training rows."""
        return self.features(model, np.arange(min(2, len(self))))

    def features(self, model: Model, rows: NDArray[np.int64]) -> Tensor:
        """Features of these training rows, each named once, in the given order."""
        order = np.argsort(rows)
        encoded = [model.encode(part) for part in self.parts(self.training[rows[order]])]
        return model.encoder.concatenate(encoded or [model.encode(self.columns)])[torch.from_numpy(np.argsort(order))]

    def encoded(self, model: Model, attribute: str | None = None) -> tuple[EncodedRows, EncodedRows]:
        """Encode the rows with a model's input encoder.

        Args:
            model: a model whose encoder is fitted.
            attribute: the sensitive attribute whose groups an objective uses, if it uses any.

        Returns:
            Training rows followed by augmented rows, and validation rows.

        Raises:
            InputError: the dataset has no such attribute, no training row has a value of it, or the disk is full.
        """
        self.check_attribute(attribute)
        used = np.flatnonzero(self.row_weights)
        labels, groups = self.labels_and_groups(attribute, used)
        weights = np.concatenate([self.row_weights[used], np.ones(len(self.sources), np.float32)])
        parts = itertools.chain(self.parts(self.training[used]), self.made())
        training = self._encoded(model, parts, labels, weights, groups)
        labels, groups = self.held_out(attribute)
        ones = np.ones(len(labels), np.float32)
        return training, self._encoded(model, self.parts(self.validation), labels, ones, groups)

    def _encoded(
        self,
        model: Model,
        parts: Iterable[Table],
        labels: NDArray[Any],
        weights: NDArray[Any],
        groups: NDArray[np.int64],
    ) -> EncodedRows:
        """Encode consecutive rows, and join them with their labels, weights and groups (n,)."""
        spool, encoded = None, (model.encode(part) for part in parts)
        if model.signature.text is not None or not len(labels):
            features = model.encoder.concatenate(list(encoded) or [model.encode(self.columns)])
        else:
            first = next(encoded)
            features, spool = held_or_spooled(itertools.chain([first], encoded), len(labels), tuple(first.shape[1:]))
        return EncodedRows(features, _labels(model, labels), torch.from_numpy(weights), torch.from_numpy(groups), spool)

    def check_attribute(self, attribute: str | None) -> None:
        """Check that an objective's attribute is one of the dataset's groups.

        Raises:
            InputError: it is not, or no training row has a value of it.
        """
        if attribute is not None and attribute not in self.groups:
            hint, legal = did_you_mean(attribute, self.groups), listed(self.groups)
            raise InputError(f"training: objective: attribute {attribute!r} is not a group{hint}; there are: {legal}.")
        if attribute is not None and not (self.groups[attribute] >= 0).any():
            raise InputError(f"training: objective: no training row has a value of {attribute!r}.")

    def labels_and_groups(
        self, attribute: str | None, used: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Labels, and groups of an attribute (0 without one), of these training rows and then of made rows."""
        rows = np.concatenate([used, self.sources])
        return self.labels[rows], np.zeros(len(rows), np.int64) if attribute is None else self.groups[attribute][rows]

    def held_out(self, attribute: str | None = None) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Labels of the validation rows, and their groups of an attribute (0 without one)."""
        _, labels, groups = _bare(self.table, self.validation, self.columns)
        return labels, np.zeros(len(labels), np.int64) if attribute is None else groups[attribute]


def _bytes_of_a_row(columns: Table) -> int:
    pixels = 0 if columns.images is None else int(np.prod(columns.images.shape[1:]))
    return 64 + 4 * columns.numeric.shape[1] + 8 * columns.categorical.shape[1] + pixels


def _blocks(table: str, positions: NDArray[np.int64], read: Callable[[int], Table]) -> Iterator[Table]:
    """Rows at these positions, in ascending order; `read` returns the rows of a row block."""
    start = 0
    for number in range(number_of_blocks(table)):
        if not len(positions) or start > positions[-1]:
            return
        rows = read(number)
        inside = positions[slice(*np.searchsorted(positions, (start, start + len(rows))))]
        if len(inside):
            yield rows.take(inside - start)
        start += len(rows)


def _bare(
    table: str, positions: NDArray[np.int64], columns: Table
) -> tuple[NDArray[np.int64], NDArray[Any], dict[str, NDArray[np.int64]]]:
    """Ids, labels and groups of the rows at these positions, in ascending order."""
    ids, labels = np.empty(len(positions), np.int64), np.empty(len(positions), columns.label.dtype)
    groups = {attribute: np.empty(len(positions), np.int64) for attribute in columns.groups}
    start = 0
    for part in _blocks(table, positions, lambda number: read_table(table, inputs=False, block=number)):
        place = slice(start, start + len(part))
        ids[place], labels[place] = part.row, part.label
        for attribute, codes in groups.items():
            codes[place] = part.groups[attribute]
        start += len(part)
    return ids, labels, groups


def _joined(tables: list[Table]) -> Table:
    """One table of the rows of several, which have the same columns."""
    if len(tables) == 1:
        return tables[0]

    def joined(values: list[Any]) -> Any:
        if isinstance(values[0], np.ndarray):
            return np.concatenate(values)
        if isinstance(values[0], dict) and values[0] and isinstance(next(iter(values[0].values())), np.ndarray):
            return {name: np.concatenate([value[name] for value in values]) for name in values[0]}
        return values[0]

    names = [column.name for column in dataclasses.fields(Table)]
    return Table(**{name: joined([getattr(table, name) for table in tables]) for name in names})


def _labels(model: Model, labels: NDArray[Any]) -> Tensor:
    """Labels (n,) as a network is trained on them: codes, or numbers minus their mean, in standard deviations."""
    if (scale := model.signature.label) is not None:
        labels = ((labels - scale["mean"]) / scale["scale"]).astype(np.float32)
    return torch.from_numpy(labels)
