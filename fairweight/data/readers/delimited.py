"""Read delimited text such as CSV and TSV; all files have the same columns."""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.errors import InputError
from fairweight.core.table import block_rows

OPTIONS = {
    "separator": {"type": "string", "minLength": 1, "default": ",", "description": "Text between two values."},
    "quote": {
        "type": "string",
        "minLength": 1,
        "maxLength": 1,
        "default": '"',
        "description": "Character around a value that contains separators.",
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
        "description": "Keep only these columns; files may differ in the others. Null keeps all.",
    },
    "columns": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "default": None,
        "description": "Column names of files without a header line; null reads the header.",
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
) -> Iterator[pd.DataFrame]:
    """Read the files one after the other, in blocks of rows.

    Args:
        files: name -> path.
        separator, quote, encoding, keep, columns, missing, skip_lines, rows: see `OPTIONS`.

    Yields:
        Strings without surrounding white space, missing values as None; column `__file__` names the file of each row.

    Raises:
        InputError: a file is empty, has other columns, or is not delimited as the options say.
    """
    _check_names("skip_lines", skip_lines, files)
    _check_names("encoding", encoding if isinstance(encoding, dict) else (), files)
    first: list[str] = []
    for name, path in files.items():
        file_encoding = encoding if isinstance(encoding, str) else encoding.get(name, "utf-8")
        blocks = _blocks(
            path,
            sep=separator if len(separator) == 1 else re.escape(separator),
            engine="c" if len(separator) == 1 else "python",
            quotechar=quote,
            encoding=file_encoding,
            names=columns,
            header=None if columns else "infer",
            index_col=False,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            skiprows=skip_lines.get(name, 0),
            nrows=rows,
        )
        for frame in _explained(blocks, name, file_encoding):
            if frame.empty:
                raise InputError(f"file {name!r} has no rows")
            block = _kept(_cleaned(frame, missing), keep, name)
            first = first or list(block.columns)
            if list(block.columns) != first:
                raise InputError(f"file {name!r} has other columns than file {next(iter(files))!r}")
            yield block.assign(__file__=name)


def _check_names(option: str, names: Iterable[str], files: dict[str, Path]) -> None:
    for name in names:
        if name not in files:
            raise InputError(f"reader: {option}: there is no file {name!r}; there are {', '.join(files)}")


def _kept(frame: pd.DataFrame, keep: list[str] | None, name: str) -> pd.DataFrame:
    if absent := [column for column in keep or [] if column not in frame]:
        raise InputError(
            f"reader: keep: file {name!r} has no column {absent[0]!r}; it has {', '.join(map(str, frame.columns))}"
        )
    return frame[keep] if keep else frame


def _blocks(path: Path, **options: Any) -> Iterator[pd.DataFrame]:
    """Blocks of a file's rows; the first one is yielded even if it is empty."""
    size = block_rows(len(_strict(pd.read_csv, path, **(options | {"nrows": 0})).columns))
    with _strict(pd.read_csv, path, iterator=True, **options) as parser:
        yield _strict(parser.get_chunk, size)
        with contextlib.suppress(StopIteration):
            while True:
                yield _strict(parser.get_chunk, size)


def _strict(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call pandas, and raise an error for rows with surplus values, which it would otherwise cut."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return function(*arguments, **options)


def _explained(blocks: Iterator[pd.DataFrame], name: str, encoding: str) -> Iterator[pd.DataFrame]:
    """The same blocks; errors of pandas become one sentence."""
    try:
        yield from blocks
    except pd.errors.EmptyDataError:
        raise InputError(f"file {name!r} is empty") from None
    except pd.errors.ParserWarning:
        raise InputError(f"file {name!r} has rows with more values than columns; check separator and quote") from None
    except pd.errors.ParserError as error:
        raise InputError(
            f"file {name!r} is not delimited as the reader's options say: {' '.join(str(error).split())}"
        ) from None
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
