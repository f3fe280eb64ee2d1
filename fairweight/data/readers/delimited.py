"""Read delimited text such as CSV and TSV, whole or in parts; all files have the same columns."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from fairweight.core.errors import InputError, did_you_mean, listed
from fairweight.data.column_names import check_optional, check_same, kept_names, with_partition
from fairweight.data.delimited_columns import blocks
from fairweight.data.delimited_text import Form
from fairweight.data.parts import parts
from fairweight.data.raw_rows import FILE

PARTS = True  # a raw file may be a folder of parts
OPTIONS = {
    "separator": {"type": "string", "minLength": 1, "default": ",", "description": "Text between two values."},
    "quote": {
        "oneOf": [{"type": "string", "minLength": 1, "maxLength": 1}, {"enum": ["none"]}],
        "default": '"',
        "description": "Character around a value that contains separators or line breaks; it is doubled within the "
        "value. `none` makes quotes ordinary characters.",
    },
    "encoding": {
        "type": ["string", "object"],
        "additionalProperties": {"type": "string"},
        "default": "utf-8",
        "description": "Character encoding, or one per file name; files without one are UTF-8.",
    },
    "keep": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "minItems": 1,
        "default": None,
        "uniqueItems": True,
        "description": "Keep only these columns; files may differ in the others. Null keeps all.",
    },
    "columns": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "minItems": 1,
        "uniqueItems": True,
        "default": None,
        "description": "Column names of files without a header line; null reads the header. A file has at most 10,000 "
        "columns, and a line at most 10 million characters.",
    },
    "optional": {
        "type": "array",
        "items": {"type": "string"},
        "uniqueItems": True,
        "default": [],
        "description": "Columns that some of the files may lack, such as the outputs of a model for the test rows "
        "alone; they have no values there.",
    },
    "missing": {
        "type": "array",
        "items": {"type": "string"},
        "default": ["", "NA", "?"],
        "description": "Values that mean a missing value.",
    },
    "skip_lines": {
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 0},
        "default": {},
        "description": "Lines to skip at the start, by file name.",
    },
    "rows": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Read only this number of rows from the start of each file, for a quick trial.",
    },
}


def read(
    files: dict[str, Path],
    *,
    separator: str,
    quote: str,
    encoding: str | dict[str, str],
    keep: list[str] | None,
    columns: list[str] | None,
    missing: list[str],
    skip_lines: dict[str, int],
    rows: int | None,
    optional: Sequence[str] = (),
) -> Iterator[pd.DataFrame]:
    """Read the files one after the other, in blocks of rows.

    Args:
        files: name -> path.
        separator, quote, encoding, keep, columns, missing, skip_lines, rows, optional: see `OPTIONS`.

    Yields:
        Strings without surrounding white space, missing values as NaN; column `__file__` names the file of each row.

    Raises:
        InputError: a file is empty, has other columns, or is not delimited as the options say.
    """
    _check_names("skip_lines", skip_lines, files)
    _check_names("encoding", encoding if isinstance(encoding, dict) else (), files)
    expected: tuple[list[str], str] | None = None  # columns of the first part, and its name
    nowhere = set(optional)
    for name, path in files.items():
        file_encoding = encoding if isinstance(encoding, str) else encoding.get(name, "utf-8")
        form = Form(separator, None if quote == "none" else quote, file_encoding)
        left, total = rows, 0
        for part in parts(path, name):
            names, tables = blocks(
                part.path,
                part.name,
                form,
                columns=columns,
                skip=skip_lines.get(name, 0),
                most=left,
                missing=frozenset(missing),
            )
            every = with_partition(names, part.partition, part.name)
            kept = kept_names(every, part.name, keep, optional)
            expected = expected or (kept, part.name)
            check_same(kept, expected[0], part.name, expected[1])
            for table in tables:
                left, total = None if left is None else left - len(table), total + len(table)
                whole = table.to_pandas().assign(**part.partition)
                nowhere -= set(whole)
                absent = dict.fromkeys(column for column in expected[0] if column not in whole)
                yield whole.assign(**absent)[expected[0]].assign(**{FILE: name})
        if not total:
            raise InputError(f"file {name!r} has no rows")
    check_optional(nowhere, names)


def _check_names(option: str, names: Iterable[str], files: dict[str, Path]) -> None:
    for name in names:
        if name not in files:
            hint = did_you_mean(name, files)
            raise InputError(f"reader: {option}: there is no file {name!r}{hint}; there are {listed(files)}")
