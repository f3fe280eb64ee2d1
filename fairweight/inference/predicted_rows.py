"""The rows that are predicted: validation and test rows."""

import numpy as np

from fairweight.core.artifacts import PARTS, read_split, read_table
from fairweight.core.table import Table


def predicted_rows(table: str, split: str) -> tuple[Table, np.ndarray]:
    """Validation and test rows in the order of the table, and the part of each."""
    positions = read_split(split)
    order = np.sort(np.concatenate([positions["validation"], positions["test"]]))
    part = np.where(np.isin(order, positions["test"]), PARTS.index("test"), PARTS.index("validation"))
    return read_table(table).take(order), part
