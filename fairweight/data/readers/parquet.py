"""Read Parquet tables; all files have the same columns."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fairweight.core.errors import InputError
from fairweight.core.table import block_rows

OPTIONS = {
    "rows": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Read only this number of rows from the start of each file, for a quick trial.",
    },
}
# types of pandas that hold whole numbers and Booleans beside missing values; without them, pandas would turn such a
# column into floats, and distinct numbers above 2^53 into one
WITH_GAPS = {
    pa.bool_(): pd.BooleanDtype(),
    **{
        getattr(pa, f"{sign}int{bits}")(): pd.array([], f"{sign.upper()}Int{bits}").dtype
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}


def read(files: dict[str, Path], *, rows: int | None) -> Iterator[pd.DataFrame]:
    """Read the files one after the other, in blocks of rows.

    Args:
        files: name -> path.
        rows: see `OPTIONS`.

    Yields:
        The columns as they are, missing values as None; column `__file__` names the file of each row.

    Raises:
        InputError: a file is not Parquet, has no rows, or has other columns than the first.
    """
    first: list[str] = []
    for name, path in files.items():
        try:
            columns = list(_head(path).columns)
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"file {name!r} is not a Parquet table ({error})") from None
        if pq.read_metadata(path).num_rows == 0:
            raise InputError(f"file {name!r} has no rows")
        first = first or columns
        if columns != first:
            raise InputError(f"file {name!r} has other columns than file {next(iter(files))!r}")
    for name, path in files.items():
        left = rows
        for frame in _blocks(path):
            block = frame.iloc[:left]
            left = None if left is None else left - len(block)
            if len(block):
                yield block.assign(__file__=name)


def _head(path: Path) -> pd.DataFrame:
    """The columns of a file, without rows."""
    with pq.ParquetFile(path) as file:
        return _frame(file.schema_arrow.empty_table())


def _blocks(path: Path) -> Iterator[pd.DataFrame]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(block_rows(file.metadata.num_columns), use_threads=False):
            yield _frame(pa.Table.from_batches([batch]))


def _frame(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas(types_mapper=WITH_GAPS.get).reset_index(drop=True)
