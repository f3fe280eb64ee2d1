"""Rows of the summary tables, looked up by value."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fairweight.core.lineage import CELL


def where(table: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Rows that have these values in these columns."""
    kept = np.ones(len(table), bool)
    for key, value in values.items():  # one take at the end: taking rows of many columns costs more than comparing
        kept &= (table[key] == value).to_numpy(bool, na_value=False)
    return table[kept]


def by_cell(table: pd.DataFrame) -> dict[tuple[Any, ...], dict[str, Any]]:
    """First row of each cell, by the values of CELL: a mask for each of many look-ups would take seconds."""
    return {tuple(row[key] for key in CELL): row for row in reversed(table.to_dict("records"))}  # type: ignore[misc]
