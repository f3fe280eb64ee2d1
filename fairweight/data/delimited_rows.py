"""Rows of delimited text: one value for each column, or one sentence that names the line and the remedy."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from fairweight.core.errors import InputError, shown
from fairweight.data.column_names import checked_names
from fairweight.data.delimited_text import Form, Record, records

SEPARATORS = ",;\t|"  # the common ones, which messages propose


def rows(
    path: Path, name: str, form: Form, *, columns: list[str] | None = None, skip: int = 0, most: int | None = None
) -> tuple[list[str], Iterator[list[str]]]:
    """Column names and rows of a delimited file; blank lines are left out.

    Args:
        path: the file.
        name: its name in the study file, for messages.
        form: how it is delimited.
        columns: names of the columns of a file without a header; None reads the header.
        skip: lines to leave out at the start.
        most: number of rows to read; None reads all.

    Returns:
        (names, values of each row); a row has one value for each name.

    Raises:
        InputError: the file is empty, is not text in that encoding, or is not delimited as stated; at once or while
            the rows are read.
    """
    if columns:
        names, source = checked_names(columns, "reader: columns"), f"'columns' has {len(columns):,}"
        content = records(path, name, form, skip=skip, most=most)
    else:
        content = records(path, name, form, skip=skip, most=None if most is None else most + 1)
        header = next(content, None)
        if header is None:
            raise InputError(f"file {name!r} is empty" + (f" after the {skip:,} lines to skip" if skip else ""))
        if line := re.fullmatch(r"sep=(.)\s*", header.lines[0]):  # as spreadsheets write it
            remedy = f"set reader: separator: {json.dumps(line[1])}, and skip the line (skip_lines)"
            raise InputError(f"{header.place(name)}: it states the separator; {remedy}")
        if hint := _other_separator(header, form, None):
            raise InputError(f"{header.place(name)}: the header has one column, {shown(header.values[0])}{hint}")
        names = checked_names(header.values, header.place(name))
        source = f"the header has {len(names):,}"
    return names, _checked(content, name, form, names, source)


def _checked(content: Iterator[Record], name: str, form: Form, names: list[str], source: str) -> Iterator[list[str]]:
    width = len(names)
    for number, record in enumerate(content):
        if len(record.values) != width:
            raise InputError(_wrong_width(record, name, form, width, source))
        if number == 0 and width > 1 and [value.strip() for value in record.values] == names:
            raise InputError(f"{record.place(name)}: the row repeats the names of the columns; skip it (skip_lines)")
        yield record.values


def _wrong_width(record: Record, name: str, form: Form, width: int, source: str) -> str:
    number = len(record.values)
    surplus = record.values[width:]
    if hint := _other_separator(record, form, width):
        remedy = hint
    elif record.lines[0].lstrip().startswith("#"):
        remedy = "; remove comment lines"
    elif surplus and not any(value.strip() for value in surplus):
        remedy = "; remove the separators at the ends of the rows"
    else:
        remedy = "; complete or remove it" + ("" if form.fixed else ", or check reader: separator and quote")
    size, unit = "more" if surplus else "fewer", "value" if number == 1 else "values"
    return f"{record.place(name)}: the row has {size} values than columns: it has {number:,} {unit}, {source}{remedy}"


def _other_separator(record: Record, form: Form, width: int | None) -> str:
    """Remedy for a record with one value that another separator splits, into `width` values if that is stated."""
    line = record.lines[0]
    marks = [mark for mark in SEPARATORS if mark not in form.separator and mark in line]
    fitting = [mark for mark in marks if width is None or line.count(mark) + 1 == width]
    if len(record.values) > 1 or not fitting:
        return ""
    remedy = form.option(f"separator: {json.dumps(max(fitting, key=line.count))}", f"separate by {form.separator!r}")
    return f"; {remedy}"
