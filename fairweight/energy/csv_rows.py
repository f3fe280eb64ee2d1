"""Read small CSV files that people or meters write, strictly (standard library only)."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from fairweight.core.errors import InputError, listed, quoted
from fairweight.core.local_files import is_file, similar_file

MOST_BYTES = 200_000_000  # a meter that is read each second writes 1 GB in a year; a run takes days
YEARS = range(1970, 2200)  # what is outside is a slip, and overflows in calculations


def read_rows(path: Path, what: str) -> Iterator[tuple[dict[str, str], str]]:
    """Read the rows below a header line.

    Args:
        path: CSV file in UTF-8, with commas.
        what: what the file is, for the message if there is none: "of hourly carbon intensities".

    Yields:
        The cells of a row by column, and its place in words. The header alone comes first, as a row whose cells are
        the names of the columns; empty lines are left out.

    Raises:
        InputError: there is no such file; it is too large, or not CSV in UTF-8; two columns have one name; a row has
            more or fewer cells than the header.
    """
    if not is_file(path):
        raise InputError(f"there is no file {path} {what}{similar_file(path)}.")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise InputError(
            f"{path} has {size:,} bytes; a file {what} may have {MOST_BYTES:,}; keep the part of this run."
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            names = [name.strip() for name in next(lines, [])]
            _check_names(names, path)
            yield dict(zip(names, names, strict=True)), f"{path}, line 1"
            for cells in lines:
                if not cells:
                    continue
                place = f"{path}, line {lines.line_num}"
                if len(cells) != len(names):
                    raise InputError(
                        f"{place}: has {len(cells)} cells, and the first line {len(names)}; make them equal."
                    )
                yield dict(zip(names, cells, strict=True)), place
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: this is not CSV in UTF-8 ({error}).") from None


def _check_names(names: list[str], path: Path) -> None:
    for position, name in enumerate(names, start=1):
        if (first := names.index(name) + 1) != position and name:
            raise InputError(f"{path}: columns {first} and {position} are both {listed([name])}; rename one.")


def read_time(text: str, place: str, example: str) -> datetime:
    """Read a time in ISO 8601 with its time zone, as UTC.

    Args:
        text: the cell.
        place: where it stands, for the message.
        example: what a legal cell looks like, for the message.

    Raises:
        InputError: it is no time, has no zone, or is not of this age.
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        time = None
    if time is None or time.year not in YEARS:
        raise InputError(f"{place}: {quoted(text)} is not a time such as {example}.")
    if time.tzinfo is None:
        raise InputError(
            f"{place}: {quoted(text)} has no time zone; write {text.strip()}Z for UTC, or an offset such as +01:00."
        )
    return time.astimezone(UTC)
