"""Read ORC tables, whole or in parts; all files have the same columns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.orc

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
        The columns as they are; column `__file__` names the file of each row.

    Raises:
        InputError: see `typed_rows`.
    """
    return typed_rows(files, Format("an ORC table", _opened), keep=keep, optional=optional, rows=rows)


@contextmanager
def _opened(path: Path) -> Iterator[Opened]:
    file = pyarrow.orc.ORCFile(path)

    def batches(selected: list[str]) -> Iterator[pa.RecordBatch]:
        size = block_rows(len(selected))
        for stripe in range(file.nstripes):
            rows = file.read_stripe(stripe, columns=selected)
            for start in range(0, len(rows), size):
                yield rows.slice(start, size)

    yield Opened(file.schema, file.nrows, batches)
