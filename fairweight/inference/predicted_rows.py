"""Rows that are predicted: validation and test rows."""

import numpy as np
from numpy.typing import NDArray

from fairweight.core.artifacts import PARTS, read_split, read_table
from fairweight.core.table import Table


def predicted_rows(table: str, split: str) -> tuple[Table, NDArray[np.int64]]:
    """Read the validation and test rows of a dataset.

    Args:
        table, split: Parquet files of the data.

    Returns:
        The rows (n), in the order of the table, and the part of each (n,): its position in `artifacts.PARTS`.
    """
    positions = read_split(split)
    order = np.sort(np.concatenate([positions["validation"], positions["test"]]))
    part = np.where(np.isin(order, positions["test"]), PARTS.index("test"), PARTS.index("validation"))
    return read_table(table).take(order), part
