"""Files of models that are examined further, and the rows of each group among the rows that they are about."""

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from fairweight.core.artifacts import read_table

CELL = ("dataset", "augmentation", "model")


class ExaminedFile(TypedDict):
    """What one file of the audit or of explanations is of."""

    dataset: str
    augmentation: str
    model: str
    variant: str
    baseline: str
    engine: str
    seed: int


def cell_of(entry: ExaminedFile) -> tuple[str, str, str]:
    """Values of `CELL` of a file: models of one cell are compared with each other."""
    return entry["dataset"], entry["augmentation"], entry["model"]


@dataclass(frozen=True)
class Scope:
    """The rows of a group, or all rows where attribute and group are None: bool (n,)."""

    attribute: str | None
    group: str | None
    rows: NDArray[Any]


def scopes(table: str, rows: NDArray[Any], smallest: int = 1) -> list[Scope]:
    """All rows first, then those of every group that has enough.

    Args:
        table: Parquet file of the dataset.
        rows: ids of some rows, in the order of the table.
        smallest: fewest rows of a group.
    """
    every = read_table(table, inputs=False)
    chosen = every.take(np.flatnonzero(np.isin(every.row, rows)))
    parts = [Scope(None, None, np.ones(len(rows), dtype=bool))]
    for attribute, codes in chosen.groups.items():
        members = [(level, codes == code) for code, level in enumerate(chosen.group_levels[attribute])]
        parts += [Scope(attribute, level, member) for level, member in members if member.sum() >= smallest]
    return parts
