"""The rows of each group among some rows of a dataset, and all of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.artifacts import read_table


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
