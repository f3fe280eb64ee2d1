"""Parquet tables; every file has the same columns."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from fairweight.errors import InputError

OPTIONS = {
    "rows": {"type": ["integer", "null"], "minimum": 1, "default": None, "description": "Read only the first so many rows of each file, for a quick trial."},
}  # fmt: skip


def read(files: dict[str, Path], *, rows: int | None) -> pd.DataFrame:
    """Read the files, one below the other.

    Args:
        files: name -> path.

    Returns:
        The columns as they are, missing values as None; column `__file__` names the file of each row.

    Raises:
        InputError: a file is not Parquet, has no rows, or has other columns than the first.
    """
    frames = []
    for name, path in files.items():
        try:
            frame = pd.read_parquet(path).iloc[:rows]
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"file {name!r} is not a Parquet table ({error})") from None
        if frame.empty:
            raise InputError(f"file {name!r} has no rows")
        frames.append(frame.assign(__file__=name))
        if list(frames[0].columns) != [*frame.columns, "__file__"]:
            raise InputError(f"file {name!r} has other columns than file {next(iter(files))!r}")
    return pd.concat(frames, ignore_index=True)
