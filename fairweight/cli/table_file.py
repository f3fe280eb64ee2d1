"""A user's table of text as `init` and `check` read it: separator, encoding and kinds of columns are guessed."""

import contextlib
import csv
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fairweight.core import components
from fairweight.core.errors import InputError, did_you_mean, listed, quoted
from fairweight.data import guess_formats, value_formats
from fairweight.data.delimited_text import MARKS
from fairweight.data.raw_rows import FILE
from fairweight.data.value_formats import Formats
from fairweight.statistics.privacy import identifying

SEPARATORS = ",;\t|"
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", "-", "--")
MOST_CLASSES = 20  # a numeric target with more distinct values is a quantity
MOST_LEVELS = 100  # a column with more categories is text
FEW_VALUES = 10  # a column with at most this number of distinct whole numbers may hold codes of categories
LEAST_ROWS = 20
MOST_CHARACTERS = 100_000  # of a header line, in which the separator is looked for


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
    """A delimited file as it was read.

    Attributes:
        path: the file.
        separator: of its columns.
        quote: around values that contain separators, or `none`.
        encoding: of its text.
        missing: marks of missing values, such as `?`.
        frame: its rows, as strings; missing values are None.
        formats: how numbers and dates are written.
    """

    path: Path
    separator: str
    quote: str
    encoding: str
    missing: list[str]
    frame: pd.DataFrame
    formats: Formats

    def numbers(self, column: str) -> pd.Series:
        """A column as numbers, missing where a value is none."""
        return pd.Series(value_formats.numbers(self.frame[column], column, self.formats))


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


def read_table_file(data: Path, marks: Sequence[str] = MISSING) -> Raw:
    """Read a delimited file; separator and encoding are guessed.

    Args:
        data: the file.
        marks: what may mark a missing value.
    """
    if not data.is_file():
        raise InputError(f"there is no file {data}.")
    if "#" in str(data):  # a source may be `file:archive.zip#member`
        raise InputError(f"{data} has a '#', after which a study file names a member of an archive; rename it.")
    text, encoding = _decoded(data)
    if "\0" in text or not text.strip():
        raise InputError(f"{data} is empty or not text; it takes a delimited table (CSV) with a header line.")
    separator = _separator(text.lstrip().splitlines()[0])
    quote, blocks = _rows(data, separator, encoding)
    frame = pd.concat(blocks, ignore_index=True).drop(columns=FILE)
    if len(frame) < LEAST_ROWS:
        raise InputError(f"{data} has {len(frame)} rows; a study needs at least {LEAST_ROWS}.")
    return marked(Raw(data, separator, quote, encoding, [""], frame, Formats()), marks)


def marked(raw: Raw, marks: Sequence[str]) -> Raw:
    """The same rows without values where these marks stand; formats are guessed from the rest."""
    missing = sorted({mark for mark in marks if (raw.frame == mark).to_numpy().any()} | {""})
    frame = raw.frame.mask(raw.frame.isin(missing), None)
    return dataclasses.replace(raw, missing=missing, frame=frame, formats=guess_formats.guess(frame))


def _separator(header: str) -> str:
    """The separator of most names in a header line, doubled if it always is there."""
    header = header[:MOST_CHARACTERS]
    mark = max(SEPARATORS, key=lambda mark: len(next(csv.reader([header], delimiter=mark))))
    return mark * 2 if header.count(mark) == 2 * header.count(mark * 2) > 0 else mark


def _rows(data: Path, separator: str, encoding: str) -> tuple[str, list[pd.DataFrame]]:
    """(quote, rows) of a file, by the reader that the study will use; `none` where quotes belong to the text."""
    read = components.load("readers", "delimited")
    options = {"separator": separator, "encoding": encoding, "missing": [""], "keep": None, "columns": None}
    mistakes = []
    for quote in ('"', "none"):
        try:
            blocks = list(read({data.name: data}, quote=quote, skip_lines={}, rows=None, **options))
        except InputError as error:
            mistakes.append(error)
            continue
        if not mistakes or not any(block[c].str.fullmatch('".*"').any() for block in blocks for c in block):
            return quote, blocks
    raise InputError(f"{mistakes[0]} (read with separator {separator!r}).")


def _decoded(data: Path) -> tuple[str, str]:
    """(text, encoding) of a file."""
    content = data.read_bytes()
    marked = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), "")
    for encoding in ("utf-8-sig" if marked == "utf-8" else marked or "utf-8", "latin-1"):
        with contextlib.suppress(UnicodeError):
            return content.decode(encoding), encoding
    raise AssertionError("every byte is a character of latin-1")


def class_counts(raw: Raw, target: str, positive: str | None) -> pd.Series:
    """Number of rows of each class; the positive one is first where there are two."""
    frame = raw.frame
    if frame[target].isna().any():
        number = int(frame[target].isna().sum())
        raise InputError(f"--target: {target!r} is missing in {number:,} rows; remove those rows from the file.")
    counts = frame[target].value_counts()
    if len(counts) < 2:
        raise InputError(f"--target: {target!r} has one value only; a label needs at least two classes.")
    numeric = raw.numbers(target).notna().all()
    if len(counts) > MOST_CLASSES and (numeric or len(counts) > len(frame) / 10):
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
    if column.distinct < 2:
        column.kind, column.note = "dropped", "it has one value only"
        return column
    numbers = raw.numbers(name)[values.index]
    if numbers.notna().all():
        column.kind = "numeric"
        whole = bool((numbers % 1 == 0).all())
        if name in raw.formats.dates:
            swapped = guess_formats.may_be_swapped(values, raw.formats.dates[name])
            column.note = "dates, as days since 1970-01-01" + (": day or month first?" if swapped else "")
        elif whole and column.distinct <= FEW_VALUES:
            column.note = f"{column.distinct} distinct whole numbers: categorical if they are codes"
    elif column.distinct > max(MOST_LEVELS, len(values) // 2):
        column.kind, column.note = "dropped", f"{column.distinct:,} distinct texts: no category"
    elif numbers.notna().mean() > 0.9:
        odd = values[numbers.isna()].iloc[0]
        column.note = f"numbers except for values like {odd!r}: numeric if it marks a missing value (add it to missing)"
    return column


def drop_identifiers(raw: Raw, columns: list[Column]) -> None:
    """Drop the columns that may identify a person, and note the reason."""
    # numbers are compared as numbers: a quantity is no identifier, although hardly any two of its values are equal
    numbers = {c.name: raw.numbers(c.name) for c in columns if c.kind == "numeric"}
    reasons = {entry["column"]: entry["reason"] for entry in identifying(raw.frame.assign(**numbers))}
    for column in columns:
        if column.name in reasons:
            column.kind, column.note = "dropped", f"may identify a person: {reasons[column.name]}"
        elif _numbers_the_rows(raw, column, numbers):
            column.kind, column.note = "dropped", "distinct whole numbers: they number the rows"


def _numbers_the_rows(raw: Raw, column: Column, numbers: dict[str, pd.Series]) -> bool:
    """Whether a column holds a different whole number in every row."""
    if column.name not in numbers or column.name in raw.formats.dates or column.distinct < len(raw.frame):
        return False
    return bool((numbers[column.name] % 1 == 0).all())
