"""Data of a training run: training rows, augmented rows and validation rows, as tables and as encoded tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairweight.core.artifacts import read_augmented, read_split, read_table
from fairweight.core.errors import InputError, did_you_mean, listed
from fairweight.core.table import Table
from fairweight.training.model import Model

WeightedTable = tuple[Table, NDArray[Any]]  # n rows, and the weight of each in the loss (n,)


@dataclass(frozen=True)
class EncodedRows:
    """Rows as tensors.

    Attributes:
        features: (n, ...) from the model's input encoder.
        labels: int64 (n,).
        weights: (n,) weights in the loss.
        groups: int64 (n,), -1 for no group.
    """

    features: Tensor
    labels: Tensor
    weights: Tensor
    groups: Tensor

    @classmethod
    def from_tables(cls, model: Model, parts: Sequence[WeightedTable], attribute: str | None) -> "EncodedRows":
        """Encode tables with the weights of their rows; without an attribute, all rows belong to one group."""
        tables = [table for table, _ in parts]
        codes = [np.zeros(len(t), np.int64) if attribute is None else t.groups[attribute] for t in tables]
        return cls(
            model.encoder.concatenate([model.encode(table) for table in tables]),
            torch.from_numpy(np.concatenate([table.label for table in tables])),
            torch.from_numpy(np.concatenate([weights for _, weights in parts])),
            torch.from_numpy(np.concatenate(codes)),
        )


@dataclass(frozen=True)
class TrainingData:
    """Rows of one split.

    Attributes:
        training: training rows.
        validation: validation rows.
        made: rows that an augmentation made from training rows.
        row_weights: (n,) weight of each training row; a row of weight 0 is left out.
    """

    training: Table
    validation: Table
    made: Table
    row_weights: NDArray[Any]

    @classmethod
    def read(cls, table: str, split: str, augmented: str) -> "TrainingData":
        """Read the Parquet files of a dataset's table, a seed's split and an augmentation."""
        rows, positions = read_table(table), read_split(split)
        training = rows.take(positions["train"])
        extra = read_augmented(augmented, training)
        made = training.take(extra.source)
        made = Table(**{**made.__dict__, **extra.inputs()})
        return cls(training, rows.take(positions["validation"]), made, extra.row_weights)

    def fitted(self) -> list[WeightedTable]:
        """Rows that a model is trained on, in their order: training rows with a weight, then augmented rows."""
        used = np.flatnonzero(self.row_weights)
        parts = [(self.training.take(used), self.row_weights[used])]
        if len(self.made):
            parts.append((self.made, np.ones(len(self.made), np.float32)))
        return parts

    def example(self, model: Model) -> Tensor:
        """Features of two training rows."""
        return model.encode(self.training.take(np.arange(2)))

    def encoded(self, model: Model, attribute: str | None = None) -> tuple[EncodedRows, EncodedRows]:
        """Encode the rows with a model's input encoder.

        Args:
            model: a model whose encoder is fitted.
            attribute: the sensitive attribute whose groups an objective uses, if it uses any.

        Returns:
            Training rows followed by augmented rows, and validation rows.

        Raises:
            InputError: the dataset has no such attribute, or no training row has a value of it.
        """
        if attribute is not None and attribute not in self.training.groups:
            hint, legal = did_you_mean(attribute, self.training.groups), listed(self.training.groups)
            raise InputError(f"training: objective: attribute {attribute!r} is not a group{hint}; there are: {legal}.")
        if attribute is not None and not (self.training.groups[attribute] >= 0).any():
            raise InputError(f"training: objective: no training row has a value of {attribute!r}.")
        parts = self.fitted()
        validation = [(self.validation, np.ones(len(self.validation), np.float32))]
        return EncodedRows.from_tables(model, parts, attribute), EncodedRows.from_tables(model, validation, attribute)
