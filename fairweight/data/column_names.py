"""Names of the columns of raw files: one name for one column."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence

from fairweight.core.errors import InputError, did_you_mean, listed
from fairweight.data.raw_rows import FILE

RESERVED = (FILE, "__row__")  # columns that are added to raw rows
MOST_COLUMNS = 10_000


def checked_names(names: Iterable[object], where: str) -> list[str]:
    """Names of the columns of a raw file, without white space around them.

    A column without a name is called `Unnamed: 0` by its position, as in pandas, because tables are often saved with
    the row numbers as such a column.

    Args:
        names: the names as the file or the study file has them.
        where: the file or the key, for the message.

    Raises:
        InputError: there are more than `MOST_COLUMNS`, one is reserved, or two are equal or look the same.
    """
    stripped = [str(name).strip() for name in names]
    if len(stripped) > MOST_COLUMNS:
        raise InputError(
            f"{where} has {len(stripped):,} columns, and at most {MOST_COLUMNS:,} are allowed; "
            "remove those that the study does not use"
        )
    position_of: dict[str, int] = {}
    for position, name in enumerate(stripped, start=1):
        if not name:
            continue
        if name in RESERVED:
            raise InputError(f"{where} has a column {name!r}, a name that is added to all rows; rename it")
        form = unicodedata.normalize("NFC", name)
        first = position_of.setdefault(form, position)
        if first != position:
            same = "" if stripped[first - 1] == name else ", which differ only in their Unicode form"
            raise InputError(
                f"{where} has two columns {listed([name])} ({first} and {position}){same}; rename one, "
                "or name all columns with reader: columns and skip the header with reader: skip_lines"
            )
    return [name or _unnamed(position, stripped) for position, name in enumerate(stripped)]


def _unnamed(position: int, names: list[str]) -> str:
    """A name that no column has."""
    name, number = f"Unnamed: {position}", 0
    while name in names:
        number += 1
        name = f"Unnamed: {position}.{number}"
    return name


def with_partition(names: list[str], partition: Iterable[str], file: str) -> list[str]:
    """Names of the columns of a part, followed by those of its folders (see `parts.Part`).

    Raises:
        InputError: a name occurs twice.
    """
    return checked_names([*names, *partition], f"file {file!r} with its folders")


def kept_names(every: list[str], file: str, keep: list[str] | None, optional: Sequence[str]) -> list[str]:
    """Columns of a file that are kept; those that files may lack come last.

    Args:
        every: all columns of the file.
        file: its name, for the message.
        keep, optional: as options of a reader.

    Raises:
        InputError: the file lacks a column to keep that is not optional.
    """
    if absent := [column for column in keep or [] if column not in every and column not in optional]:
        hint = did_you_mean(absent[0], every)
        raise InputError(f"reader: keep: file {file!r} has no column {absent[0]!r}{hint}; it has {listed(every)}")
    return [*(column for column in keep or every if column not in optional), *optional]


def check_optional(nowhere: Collection[str], last: list[str]) -> None:
    """Refuse optional columns that no file has.

    Args:
        nowhere: these columns.
        last: columns of the last file, for the message.

    Raises:
        InputError: there are any.
    """
    if nowhere:
        raise InputError(
            f"reader: optional: no file has a column {listed(sorted(nowhere))}; the last one has {listed(last)}"
        )


def check_same(names: list[str], first: list[str], file: str, first_file: str) -> None:
    """Refuse a file with other columns than the first one.

    Raises:
        InputError: a column is missing, is not in the first file, or stands at another position.
    """
    if names == first:
        return
    absent, further = [n for n in first if n not in names], [n for n in names if n not in first]
    reasons = [f"it lacks {listed(absent)}"] if absent else []
    reasons += [f"it also has {listed(further)}"] if further else []
    what = " and ".join(reasons) or "their order differs"
    raise InputError(f"file {file!r} has other columns than file {first_file!r}: {what}; make them equal")
