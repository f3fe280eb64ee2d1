"""Read Parquet tables, whole or in parts; all files have the same columns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fairweight.core.table import block_rows
from fairweight.data.typed_rows import Format, Opened, typed_rows

PARTS = True  # a raw file may be a folder of parts
OPTIONS = {
    "keep": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "minItems": 1,
        "default": None,
        "uniqueItems": True,
        "description": "Keep only these columns; files may differ in the others. Null keeps all.",
    },
    "optional": {
        "type": "array",
        "items": {"type": "string"},
        "uniqueItems": True,
        "default": [],
        "description": "Columns that some of the files may lack, such as the outputs of a model for the test rows "
        "alone; they have no values there.",
    },
    "rows": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Read only this number of rows from the start of each file, for a quick trial.",
    },
}


def read(
    files: dict[str, Path], *, rows: int | None, keep: list[str] | None = None, optional: Sequence[str] = ()
) -> Iterator[pd.DataFrame]:
    """Read the files one after the other, in blocks of rows.

    Args:
        files: name -> path.
        rows, keep, optional: see `OPTIONS`.

    Yields:
        The columns as they are, without the index that pandas has saved; column `__file__` names the file of each row.

    Raises:
        InputError: see `typed_rows`.
    """
    return typed_rows(files, Format("a Parquet table", _opened, nested=True), keep=keep, optional=optional, rows=rows)


@contextmanager
def _opened(path: Path) -> Iterator[Opened]:
    with pq.ParquetFile(path) as file:
        schema, wide = file.schema_arrow, file.metadata.num_columns
        names = _names(schema)

        def batches(selected: list[str]) -> Iterator[pa.RecordBatch]:
            # Parquet selects by path: of a name with a point it cannot tell whether it is one of a nested column
            by_name = selected != schema.names and not any("." in name for name in schema.names)
            size = block_rows(len(selected) if by_name else wide)
            yield from file.iter_batches(size, columns=selected if by_name else None, use_threads=False)

        fields = [schema.field(schema.names.index(name)) for name in names]
        yield Opened(pa.schema(fields), file.metadata.num_rows, batches)


def _names(schema: pa.Schema) -> list[str]:
    """Names of the columns that are no index of pandas."""
    try:
        listed_index = (schema.pandas_metadata or {}).get("index_columns", [])
        index = {column for column in listed_index if isinstance(column, str)}  # a mapping is an index without a column
    except (ValueError, AttributeError, TypeError):  # anything may stand there
        index = set()
    return [name for name in schema.names if name not in index]
