"""Read a sheet of a workbook, such as .xlsx, .xls and .ods; all files have the same columns."""

import datetime
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairweight.core.errors import InputError, first_line, listed
from fairweight.data.archive_members import check_unpacked
from fairweight.data.column_names import check_same, checked_names
from fairweight.data.raw_rows import FILE

NEEDS = {"excel": ["python_calamine"]}  # extra of pyproject.toml -> packages
OPTIONS = {
    "sheet": {
        "type": ["string", "null"],
        "minLength": 1,
        "default": None,
        "description": "Name of the sheet; null is the only one.",
    },
    "columns": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "minItems": 1,
        "uniqueItems": True,
        "default": None,
        "description": "Column names of a sheet without a header row; null reads the header.",
    },
    "missing": {
        "type": "array",
        "items": {"type": "string"},
        "default": ["", "NA", "?"],
        "description": "Texts that mean a missing value. An empty cell is missing in any case.",
    },
    "rows": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Read only this number of rows from the start of each file, for a quick trial.",
    },
}
EXACT = 2**53  # float64, as which a workbook stores numbers, holds every whole number up to this one


def read(
    files: dict[str, Path], *, sheet: str | None, columns: list[str] | None, missing: list[str], rows: int | None
) -> Iterator[pd.DataFrame]:
    """Read the files one after the other.

    Args:
        files: name -> path.
        sheet, columns, missing, rows: see `OPTIONS`.

    Yields:
        Numbers, Booleans, dates and text as the cells have them, text without surrounding white space; a column of
        several kinds is text. Column `__file__` names the file of each row.

    Raises:
        InputError: a file is no workbook, has no such sheet or several without `sheet`, has no rows, or has other
            columns than the first.
    """
    first: list[str] = []
    for name, path in files.items():
        cells = _cells(path, name, sheet)
        place = f"file {name!r}"
        header = columns or (cells.pop(0) if cells else [])
        names = checked_names(["" if value is None else value for value in header], f"{place}: its first row")
        cells = [row for row in cells if any(value not in ("", None) for value in row)][:rows]
        if not cells:
            raise InputError(f"{place} has no rows")
        if len(cells[0]) != len(names):
            raise InputError(
                f"{place} has {len(cells[0]):,} columns, and 'columns' has {len(names):,}; name all of them"
            )
        first = first or names
        check_same(names, first, name, next(iter(files)))
        marks = frozenset(missing) | {""}
        values = zip(names, zip(*cells, strict=True), strict=True)
        frame = pd.DataFrame({column: _column(list(cell), marks) for column, cell in values})
        yield frame.assign(**{FILE: name})


def _cells(path: Path, name: str, sheet: str | None) -> list[list[Any]]:
    """Values of the cells of a sheet, row by row, from its first cell that is not empty.

    Raises:
        InputError: there is no such sheet, or the file cannot be read.
    """
    import python_calamine  # noqa: PLC0415 - the optional extra

    if zipfile.is_zipfile(path):
        check_unpacked(path)
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            sheets = book.sheet_names
            if sheet is None and len(sheets) != 1:
                raise InputError(f"file {name!r} has the sheets {listed(sheets)}; name one with reader: sheet")
            if sheet is not None and sheet not in sheets:
                raise InputError(f"reader: sheet: file {name!r} has no sheet {sheet!r}; it has {listed(sheets)}")
            cells: list[list[Any]] = book.get_sheet_by_name(sheet or sheets[0]).to_python(skip_empty_area=True)
            return cells
    except (InputError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic of its Rust code is no Exception
        raise InputError(
            f"file {name!r} is no workbook that can be read ({first_line(Exception(str(error)))}); save it again, or "
            "save the sheet as CSV"
        ) from None


def _column(cells: list[Any], marks: frozenset[str]) -> pd.Series:
    """The values of a column with one type; text where there are several kinds."""
    values = [cell.strip() if isinstance(cell, str) else cell for cell in cells]
    values = [None if isinstance(value, str) and value in marks else value for value in values]
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pd.Series(values, dtype=pd.BooleanDtype())
    if kinds and kinds <= {int, float}:
        numbers = [float(value) for value in values if value is not None]
        whole = all(number.is_integer() and abs(number) <= EXACT for number in numbers)
        if whole:
            return pd.Series([None if value is None else int(value) for value in values], dtype=pd.Int64Dtype())
        return pd.Series([np.nan if value is None else float(value) for value in values], dtype=float)
    if kinds and kinds <= {datetime.date, datetime.datetime}:
        return pd.Series(values, dtype=object).map(_stamp, na_action="ignore").astype("datetime64[us]")
    return pd.Series([None if value is None else _text(value) for value in values], dtype=object)


def _stamp(value: datetime.date) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value
    return datetime.datetime.combine(value, datetime.time())


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT else str(value)
