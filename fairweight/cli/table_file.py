"""A user's table as `init` and `check` read it: its form and the kinds of its columns are guessed."""

import contextlib
import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.cli.column_findings import alike, is_path_of_picture, is_zip_code
from fairweight.cli.table_form import GUESSED, TYPED, Layout, TableForm, opened, table_form
from fairweight.core import components
from fairweight.core.errors import InputError, did_you_mean, listed, quoted
from fairweight.data import guess_formats, value_formats
from fairweight.data.raw_rows import FILE
from fairweight.data.value_formats import Formats
from fairweight.statistics.privacy import identifying

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", "-", "--")
MOST_CLASSES = 20  # a numeric target with more distinct values is a quantity
NO_CATEGORY = "distinct texts: no category"
MOST_LEVELS = 100  # a column with more categories is text
FEW_VALUES = 10  # a column with at most this number of distinct whole numbers may hold codes of categories
LEAST_ROWS = 20
IDENTIFIER = re.compile(r"(^|[\W_])(id|ids|key|uuid|index|row|record|nr|no|number)($|[\W_\d])|[a-z]I[dD]$", re.ASCII)


@dataclass
class Column:
    """Content of a column, and its use in the study."""

    name: str
    kind: str  # numeric, categorical or dropped
    distinct: int
    missing: int
    note: str | None = None  # why it is dropped, or what to check


@dataclass(frozen=True)
class Raw:
    """A table as it was read.

    Attributes:
        path: the file, or the folder of parts.
        separator: of its columns.
        quote: around values that contain separators, or `none`.
        encoding: of its text.
        missing: marks of missing values, such as `?`.
        frame: its rows, as strings; missing values are None.
        method: reader.
        columns: names of the columns of a table without a header line.
        typed: its rows with the types of a Parquet table or a workbook; None for text.
        sheet: of a workbook.
        skip: lines before the table.
    """

    path: Path
    separator: str
    quote: str
    encoding: str
    missing: list[str]
    frame: pd.DataFrame
    method: str = "delimited"
    columns: tuple[str, ...] = ()
    typed: pd.DataFrame | None = None
    sheet: str | None = None
    skip: int = 0

    @functools.cached_property
    def formats(self) -> Formats:
        """How numbers and dates are written, guessed from the values of text."""
        if self.typed is None:
            return guess_formats.guess(self.frame)
        typed = self.typed
        return guess_formats.guess(self.frame[[name for name in typed.columns if typed[name].dtype.kind in "OTU"]])

    def numbers(self, column: str) -> pd.Series:
        """A column as numbers, missing where a value is none."""
        source = self.frame if self.typed is None else self.typed
        return pd.Series(value_formats.numbers(source[column], column, self.formats))

    @property
    def rows(self) -> pd.DataFrame:
        """The rows as the reader of the study gives them."""
        return (self.frame if self.typed is None else self.typed).assign(**{FILE: "all"})


@contextlib.contextmanager
def of_command(name: str) -> Iterator[None]:
    """Begin the sentences of mistakes with the name of the command."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {str(error).rstrip('.')}.") from None


def check_columns(raw: Raw, options: Mapping[str, Sequence[str]]) -> None:
    """Check that a file has the columns that options of the command name.

    Args:
        raw: the file.
        options: option of the command -> columns.

    Raises:
        InputError: it lacks one of them.
    """
    for option, columns in options.items():
        for column in columns:
            if column not in raw.frame.columns:
                hint = did_you_mean(column, raw.frame.columns)
                raise InputError(
                    f"{option}: {raw.path} has no column {quoted(column)}{hint}; it has {listed(raw.frame.columns)}."
                )


def read_table_file(
    data: Path, marks: Sequence[str] = MISSING, layout: Layout = GUESSED, target: str | None = None
) -> Raw:
    """Read a table: delimited text, Parquet, or a folder of parts; `.gz`, `.bz2` and `.xz` are unpacked.

    Args:
        data: the file or the folder.
        marks: what may mark a missing value.
        layout: what the command line says of its form.
        target: column of the label, by which a header line is recognised.

    Raises:
        InputError: it cannot be read, or has too few rows.
    """
    with opened(data) as path:
        form = table_form(path, data, layout, target)
        if form.method == "workbook":
            raw = _workbook(path, data, form, marks)
        else:
            raw = _typed(path, data, form.method) if form.method in TYPED else _delimited(path, data, form)
    if len(raw.frame) < LEAST_ROWS:
        raise InputError(f"{data} has {len(raw.frame)} rows; a study needs at least {LEAST_ROWS}.")
    return marked(raw, marks)


def marked(raw: Raw, marks: Sequence[str]) -> Raw:
    """The same rows without values where these marks stand; rows with types have been marked already."""
    if raw.typed is not None:
        return raw
    missing = sorted({mark for mark in marks if (raw.frame == mark).to_numpy().any()} | {""})
    return dataclasses.replace(raw, missing=missing, frame=raw.frame.mask(raw.frame.isin(missing), None))


def _delimited(path: Path, data: Path, form: TableForm) -> Raw:
    """Rows of delimited text, by the reader that the study will use; quotes may belong to the text."""
    read = components.load("readers", "delimited")
    options: dict[str, Any] = {"separator": form.separator, "encoding": form.encoding, "missing": [""], "keep": None}
    options |= {"columns": list(form.columns) or None, "skip_lines": {data.name: form.skip}, "rows": None}
    mistakes = []
    for quote in ('"', "none"):
        try:
            blocks = list(read({data.name: path}, quote=quote, **options))
        except InputError as error:
            mistakes.append(error)
            continue
        if not mistakes or not any(block[c].str.fullmatch('".*"').any() for block in blocks for c in block):
            frame = pd.concat(blocks, ignore_index=True).drop(columns=FILE)
            return Raw(data, form.separator, quote, form.encoding, [""], frame, columns=form.columns, skip=form.skip)
    raise InputError(f"{mistakes[0]} (read with separator {form.separator!r}).")


def _typed(path: Path, data: Path, method: str) -> Raw:
    """Rows of a table whose columns have types, as they are and as text."""
    blocks = list(components.load("readers", method)({data.name: path}, rows=None))
    typed = pd.concat(blocks, ignore_index=True).drop(columns=FILE)
    return Raw(data, ",", '"', "utf-8", [], _as_text(typed), method=method, typed=typed)


def _workbook(path: Path, data: Path, form: TableForm, marks: Sequence[str]) -> Raw:
    """Rows of a sheet, with the types of its cells and as text."""
    read = components.load("readers", "workbook")
    options: dict[str, Any] = {"sheet": form.sheet, "columns": list(form.columns) or None, "rows": None}
    (written,) = read({data.name: path}, missing=[""], **options)
    missing = sorted({mark for mark in marks if (written == mark).any(axis=None)} | {""})
    (typed,) = read({data.name: path}, missing=missing, **options)
    typed = typed.drop(columns=FILE)
    return Raw(
        *(data, ",", '"', "utf-8", missing, _as_text(typed)),
        method="workbook",
        columns=form.columns,
        typed=typed,
        sheet=form.sheet,
    )


def _as_text(typed: pd.DataFrame) -> pd.DataFrame:
    """Columns as text; missing values, and lists and mappings, are None."""
    single = [name for name in typed.columns if value_formats.nested(typed[name]) is None]
    texts = {name: value_formats.texts(typed[name]).astype(object) for name in single}
    frame = pd.DataFrame(texts | {name: None for name in typed.columns if name not in texts}, index=typed.index)
    return frame[list(typed.columns)].where(frame.notna(), None)


def is_quantity(raw: Raw, target: str) -> bool:
    """Whether the label is a number with many values, and not a class.

    Raises:
        InputError: it is missing in some rows.
    """
    if raw.frame[target].isna().any():
        number = int(raw.frame[target].isna().sum())
        raise InputError(f"--target: {target!r} is missing in {number:,} rows; remove those rows from the file.")
    return raw.frame[target].nunique() > MOST_CLASSES and bool(raw.numbers(target).notna().all())


def class_counts(raw: Raw, target: str, positive: str | None) -> pd.Series:
    """Number of rows of each class; the positive one is first where there are two."""
    quantity, frame = is_quantity(raw, target), raw.frame
    counts = frame[target].value_counts()
    if len(counts) < 2:
        raise InputError(f"--target: {target!r} has one value only; a label needs at least two classes.")
    if quantity or (len(counts) > MOST_CLASSES and len(counts) > len(frame) / 10):
        raise InputError(
            f"--target: {target!r} has {len(counts):,} distinct values, which is a quantity and not a class; "
            "make a column of classes from it, for example above and below a threshold."
        )
    if positive is not None and positive not in counts.index:
        hint = did_you_mean(positive, counts.index)
        raise InputError(f"--positive: {target!r} has no class {positive!r}{hint}; it has {listed(counts.index)}.")
    first = positive if positive is not None else counts.index[-1]
    return counts.reindex([first, *(c for c in counts.index if c != first)])


def guessed_column(raw: Raw, name: str) -> Column:
    """Guess the kind of a column from its values."""
    values = raw.frame[name].dropna()
    column = Column(name, "categorical", int(values.nunique()), int(raw.frame[name].isna().sum()))
    if raw.typed is not None and (nested := value_formats.nested(raw.typed[name])):
        column.kind, column.note = "dropped", f"it holds a {nested} in each row: make a column of each value"
        return column
    if column.distinct < 2:
        column.kind, column.note = "dropped", "it has one value only"
        return column
    numbers = raw.numbers(name)[values.index]
    if numbers.notna().all():
        _note_numbers(raw, column, values, numbers)
    elif is_path_of_picture(values):
        column.kind, column.note = "dropped", "paths of pictures: models read pictures from IDX files (reader: idx)"
    elif other := _other_format(values, raw.formats):
        column.kind = "dropped"
        column.note = f"numbers with another decimal mark than other columns, such as {other!r}: write all alike"
    elif column.distinct > max(MOST_LEVELS, len(values) // 2):
        column.kind, column.note = "dropped", f"{column.distinct:,} {NO_CATEGORY}"
    elif numbers.notna().mean() > 0.9:
        odd = values[numbers.isna()].iloc[0]
        column.note = f"numbers except for values like {odd!r}: numeric if it marks a missing value (add it to missing)"
    elif codes := alike(values.value_counts().to_dict()):
        column.note = (
            f"these may be one code, which models read as several: {listed(map(repr, next(iter(codes.values()))))}"
        )
    return column


def _note_numbers(raw: Raw, column: Column, values: pd.Series, numbers: pd.Series) -> None:
    """Kind of a column of numbers, and what to check of it."""
    column.kind = "numeric"
    whole = bool((numbers % 1 == 0).all())
    if column.name in raw.formats.dates:
        swapped = guess_formats.may_be_swapped(values, raw.formats.dates[column.name])
        column.note = "dates, as days since 1970-01-01" + (": day or month first?" if swapped else "")
    elif is_zip_code(column.name):
        column.kind = "categorical" if column.distinct <= MOST_LEVELS else "dropped"
        column.note = "zip codes are no quantity, and may stand for the origin of people"
    elif whole and values.str.fullmatch(r"0\d+").any():
        column.note = "numbers with leading zeros: categorical if they are codes"
    elif whole and column.distinct <= FEW_VALUES:
        column.note = f"{column.distinct} distinct whole numbers: categorical if they are codes"


def _other_format(values: pd.Series, formats: Formats) -> str | None:
    """A value of a column that has numbers throughout, but not in this format; None for other columns."""
    distinct = pd.Series(values.unique()).head(guess_formats.EXAMINED)
    for other in guess_formats.NUMBERS:
        numbers = [other.number(text) for text in distinct]
        if None not in numbers:
            return next(text for text in distinct if formats.number(text) is None)
    return None


def drop_identifiers(raw: Raw, columns: list[Column]) -> None:
    """Drop the columns that may identify a person, and note the reason."""
    # numbers are compared as numbers: a quantity is no identifier, although hardly any two of its values are equal
    numbers = {c.name: raw.numbers(c.name) for c in columns if c.kind == "numeric"}
    reasons = {entry["column"]: entry["reason"] for entry in identifying(raw.frame.assign(**numbers))}
    for column in columns:
        if column.kind == "dropped" and not (column.note or "").endswith(NO_CATEGORY):
            continue
        if column.name in reasons:
            column.kind, column.note = "dropped", f"may identify a person: {reasons[column.name]}"
        elif _differs_in_every_row(raw, column, numbers):
            values = numbers[column.name]
            if IDENTIFIER.search(column.name) or _in_sequence(values):
                column.kind, column.note = "dropped", "distinct whole numbers: they number the rows"
            else:
                column.note = "a different whole number in every row: drop it if it identifies a person"


def _in_sequence(numbers: pd.Series) -> bool:
    """Whether numbers rise or fall from row to row, or fill a range as row numbers do in any order."""
    rising = numbers.is_monotonic_increasing or numbers.is_monotonic_decreasing
    return bool(rising or numbers.max() - numbers.min() < 2 * len(numbers))


def _differs_in_every_row(raw: Raw, column: Column, numbers: dict[str, pd.Series]) -> bool:
    """Whether a column holds a different whole number in every row."""
    source = raw.frame if raw.typed is None else raw.typed
    if column.name not in numbers or value_formats.is_date(source[column.name], column.name, raw.formats):
        return False
    if column.distinct < len(raw.frame):
        return False
    return bool((numbers[column.name] % 1 == 0).all())
