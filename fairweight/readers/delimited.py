"""Delimited text: CSV, TSV and their relatives; every file has the same columns."""

import re
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.errors import InputError

OPTIONS = {
    "separator": {"type": "string", "minLength": 1, "default": ",", "description": "Between two values."},
    "quote": {"type": "string", "minLength": 1, "maxLength": 1, "default": '"', "description": "Around a value that holds separators."},
    "encoding": {"type": "string", "default": "utf-8", "description": "Character encoding."},
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
    encoding: str,
    columns: list[str] | None,
    missing: list[str],
    skip_lines: dict[str, int],
    rows: int | None,
) -> pd.DataFrame:
    """Read the files, one below the other.

    Args:
        files: name -> path.

    Returns:
        Strings, stripped of blanks, missing values as None; column `__file__` names the file of each row.

    Raises:
        InputError: a file is empty, has other columns, or is not of that form.
    """
    for name in skip_lines:
        if name not in files:
            raise InputError(f"reader: skip_lines: there is no file {name!r}; there are {', '.join(files)}")
    frames = []
    for name, path in files.items():
        try:
            frame = _read_csv(
                path,
                sep=separator if len(separator) == 1 else re.escape(separator),
                engine="c" if len(separator) == 1 else "python",
                quotechar=quote,
                encoding=encoding,
                names=columns,
                header=None if columns else "infer",
                index_col=False,
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
                skiprows=skip_lines.get(name, 0),
                nrows=rows,
            )
        except pd.errors.EmptyDataError:
            raise InputError(f"file {name!r} is empty") from None
        except pd.errors.ParserWarning:
            raise InputError(
                f"file {name!r} has rows with more values than columns; check separator and quote"
            ) from None
        except pd.errors.ParserError as error:
            raise InputError(f"file {name!r} is not delimited as stated: {' '.join(str(error).split())}") from None
        except LookupError:
            raise InputError(
                f"reader: encoding: {encoding!r} is not known; utf-8 and latin-1 are the common ones"
            ) from None
        except UnicodeDecodeError as error:
            raise InputError(f"file {name!r} is not {encoding} (byte {error.start}); set reader: encoding") from None
        if frame.empty:
            raise InputError(f"file {name!r} has no rows")
        frames.append(_cleaned(frame, missing).assign(__file__=name))
        if list(frames[0].columns) != list(frames[-1].columns):
            raise InputError(f"file {name!r} has other columns than file {next(iter(files))!r}")
    return pd.concat(frames, ignore_index=True)


def _read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a file; a row with surplus values, which pandas would cut, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(path, **options)


def _cleaned(frame: pd.DataFrame, missing: list[str]) -> pd.DataFrame:
    frame.columns = frame.columns.str.strip()
    stripped = frame.apply(lambda column: column.str.strip())
    return stripped.astype(object).mask(stripped.isin(missing) | stripped.isna(), None)
