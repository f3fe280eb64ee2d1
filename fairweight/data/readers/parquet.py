"""Read Parquet tables; all files have the same columns."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
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
    heads = []
    for name, path in files.items():
        try:
            heads.append(_head(path))
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"file {name!r} is not a Parquet table ({error})") from None
        if pq.read_metadata(path).num_rows == 0:
            raise InputError(f"file {name!r} has no rows")
        first = first or list(heads[0].columns)
        if list(heads[-1].columns) != first:
            raise InputError(f"file {name!r} has other columns than file {next(iter(files))!r}")
    types = {c: kind for c, kind in pd.concat(heads).dtypes.items() if isinstance(kind, np.dtype)}
    for name, path in files.items():
        left = rows
        for frame in _blocks(path):
            block = frame.iloc[:left]
            left = None if left is None else left - len(block)
            if len(block):
                yield block.astype(types).assign(__file__=name)


def _head(path: Path) -> pd.DataFrame:
    """An empty frame with the types that the columns of the whole file have in pandas.

    In pandas, a column of integers or Booleans changes its type if any value is missing, and with it the text of all
    values.
    """
    with pq.ParquetFile(path) as file:
        frame = _frame(file.schema_arrow.empty_table())
        plain = [c for c in frame.columns if isinstance(frame[c].dtype, np.dtype) and frame[c].dtype.kind in "iub"]
        gaps = dict.fromkeys(plain, 0)
        for batch in file.iter_batches(columns=plain):
            for column in plain:
                gaps[column] += batch.column(column).null_count
    changed = {c: object if frame[c].dtype.kind == "b" else float for c in plain if gaps[c]}
    return frame.astype(changed)


def _blocks(path: Path) -> Iterator[pd.DataFrame]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(block_rows(file.metadata.num_columns), use_threads=False):
            yield _frame(pa.Table.from_batches([batch]))


def _frame(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas().reset_index(drop=True)
