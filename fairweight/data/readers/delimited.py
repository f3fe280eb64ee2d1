"""Delimited text: CSV, TSV and their relatives; every file has the same columns."""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.errors import InputError
from fairweight.core.table import block_rows

OPTIONS = {
    "separator": {"type": "string", "minLength": 1, "default": ",", "description": "Between two values."},
    "quote": {"type": "string", "minLength": 1, "maxLength": 1, "default": '"', "description": "Around a value that holds separators."},
    "encoding": {"type": ["string", "object"], "additionalProperties": {"type": "string"}, "default": "utf-8", "description": "Character encoding; or by file name, where the others are UTF-8."},
    "keep": {"type": ["array", "null"], "items": {"type": "string"}, "minItems": 1, "default": None, "description": "Only these columns; files may differ in the others. Null keeps all."},
    "columns": {"type": ["array", "null"], "items": {"type": "string"}, "default": None, "description": "Names of the columns where the file has no header line; null reads the header."},
    "missing": {"type": "array", "items": {"type": "string"}, "default": ["", "NA", "?"], "description": "Marks of a missing value."},
    "skip_lines": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}, "default": {}, "description": "Lines to skip at the start, by file name."},
    "rows": {"type": ["integer", "null"], "minimum": 1, "default": None, "description": "Read only the first so many rows of each file, for a quick trial."},
}  # fmt: skip


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
) -> Iterator[pd.DataFrame]:
    """Read the files, one below the other, in blocks of rows.

    Args:
        files: name -> path.

    Yields:
        Strings, stripped of blanks, missing values as None; column `__file__` names the file of each row.

    Raises:
        InputError: a file is empty, has other columns, or is not of that form.
    """
    for name in skip_lines:
        if name not in files:
            raise InputError(f"reader: skip_lines: there is no file {name!r}; there are {', '.join(files)}")
    for name in encoding if isinstance(encoding, dict) else ():
        if name not in files:
            raise InputError(f"reader: encoding: there is no file {name!r}; there are {', '.join(files)}")
    first: list[str] = []
    for name, path in files.items():
        coded = encoding if isinstance(encoding, str) else encoding.get(name, "utf-8")
        blocks = _blocks(
            path,
            sep=separator if len(separator) == 1 else re.escape(separator),
            engine="c" if len(separator) == 1 else "python",
            quotechar=quote,
            encoding=coded,
            names=columns,
            header=None if columns else "infer",
            index_col=False,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            skiprows=skip_lines.get(name, 0),
            nrows=rows,
        )
        for frame in _explained(blocks, name, coded):
            if frame.empty:
                raise InputError(f"file {name!r} has no rows")
            block = _kept(_cleaned(frame, missing), keep, name)
            first = first or list(block.columns)
            if list(block.columns) != first:
                raise InputError(f"file {name!r} has other columns than file {next(iter(files))!r}")
            yield block.assign(__file__=name)


def _kept(frame: pd.DataFrame, keep: list[str] | None, name: str) -> pd.DataFrame:
    if absent := [column for column in keep or [] if column not in frame]:
        raise InputError(
            f"reader: keep: file {name!r} has no column {absent[0]!r}; it has {', '.join(map(str, frame.columns))}"
        )
    return frame[keep] if keep else frame


def _blocks(path: Path, **options: Any) -> Iterator[pd.DataFrame]:
    """Blocks of a file's rows, the first one even if it is empty."""
    size = block_rows(len(_strict(pd.read_csv, path, **(options | {"nrows": 0})).columns))
    with _strict(pd.read_csv, path, iterator=True, **options) as parser:
        yield _strict(parser.get_chunk, size)
        with contextlib.suppress(StopIteration):
            while True:
                yield _strict(parser.get_chunk, size)


def _strict(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call pandas; a row with surplus values, which it would cut, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return function(*arguments, **options)


def _explained(blocks: Iterator[pd.DataFrame], name: str, encoding: str) -> Iterator[pd.DataFrame]:
    """The same blocks; what pandas cannot read is told in one sentence."""
    try:
        yield from blocks
    except pd.errors.EmptyDataError:
        raise InputError(f"file {name!r} is empty") from None
    except pd.errors.ParserWarning:
        raise InputError(f"file {name!r} has rows with more values than columns; check separator and quote") from None
    except pd.errors.ParserError as error:
        raise InputError(f"file {name!r} is not delimited as stated: {' '.join(str(error).split())}") from None
    except LookupError:
        raise InputError(
            f"reader: encoding: {encoding!r} is not known; utf-8 and latin-1 are the common ones"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"file {name!r} is not {encoding} (byte {error.start}); set reader: encoding") from None


def _cleaned(frame: pd.DataFrame, missing: list[str]) -> pd.DataFrame:
    frame.columns = frame.columns.str.strip()
    stripped = frame.apply(lambda column: column.str.strip())
    return stripped.astype(object).mask(stripped.isin(missing) | stripped.isna(), None)
