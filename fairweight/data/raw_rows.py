"""Raw rows of a dataset, one block at a time, with the conversion of their columns to numbers, text and bins."""

import bisect
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pandas as pd

from fairweight.core.errors import InputError, did_you_mean, listed
from fairweight.core.lookalikes import look
from fairweight.core.recipes import Target
from fairweight.core.table import MISSING, block_rows
from fairweight.data import value_formats
from fairweight.data.value_formats import PLAIN, Formats

FILE = "__file__"  # the column in which a reader names the raw file of each row
ROW = "__row__"  # the column in which `numbered` writes the number of each row


@dataclass(frozen=True)
class RawRows:
    """Consecutive raw rows of a dataset, with their position in it."""

    frame: pd.DataFrame
    start: int  # data row of the first row, counted from 0 over all files
    before: dict[str, int]  # raw file -> number of its rows before these
    formats: Formats = PLAIN  # how numbers and dates are written
    numbers_in_files: np.ndarray | None = None  # (n,) see `numbered`
    converted: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False, compare=False)  # columns, kept

    def __len__(self) -> int:
        return len(self.frame)

    def column(self, name: str, place: str) -> pd.Series:
        """A column.

        Raises:
            InputError: the data have no such column; the message names `place`, the key of the study file.
        """
        return present(self.frame, name, place)

    def numbers(self, name: str, place: str) -> np.ndarray:
        """A column as float64 (n,), NaN where a value is missing or is not a number (see `value_formats.numbers`)."""
        key = ("numbers", name)
        if key not in self.converted:
            self.converted[key] = value_formats.numbers(self.column(name, place), name, self.formats)
        return np.asarray(self.converted[key])

    def bins(self, name: str, place: str, cuts: list[float]) -> np.ndarray:
        """Position of each number of a column among bins (n,), 0 for those below the first cut; -1 where missing."""
        numbers, cuts, key = self.numbers(name, place), sorted(cuts), ("bins", name, *cuts)
        if key in self.converted:
            return np.asarray(self.converted[key])
        positions = np.where(np.isnan(numbers), -1, np.digitize(numbers, cuts))
        # float64 holds two whole numbers above 2^53 as one, which may lie on two sides of a cut
        large = np.flatnonzero(np.isfinite(numbers) & (np.abs(numbers) >= value_formats.EXACT))
        exact = [Decimal(repr(cut)) for cut in cuts] if len(large) else []
        names = self.names(name, place)
        for position in large:
            if number := self.formats.number(names.iloc[position]):
                positions[position] = bisect.bisect_right(exact, Decimal(value_formats.name_of(number)))
        self.converted[key] = positions
        return positions

    def names(self, name: str, place: str) -> pd.Series:
        """A column as text; a missing value stays missing.

        Raises:
            InputError: there is no such column, or its values are lists or mappings.
        """
        key = ("names", name)
        if key not in self.converted:
            values = self.column(name, place)
            if kind := value_formats.nested(values):
                raise InputError(f"{place}: column {name!r} holds a {kind} in each row; make a column of each value")
            self.converted[key] = value_formats.texts(values)
        return cast(pd.Series, self.converted[key])

    def categories(self, name: str, place: str) -> pd.Series:
        """A column as text; a missing value is a category of its own."""
        return self.names(name, place).fillna(MISSING)

    def labels(self, target: Target) -> pd.Series:
        """The label as text (see `label_names`)."""
        key = ("labels", target["column"])
        if key not in self.converted:
            self.converted[key] = label_names(self.names(target["column"], "target"), target)
        return cast(pd.Series, self.converted[key])

    def place(self, position: int) -> str:
        """Where a row is, in words; its number in its file counts from 1, without a header line."""
        file = str(self.frame[FILE].iloc[position])
        row = self.positions(file)[position] + 1 if self.numbers_in_files is None else self.numbers_in_files[position]
        return f"data row {row:,} of file {file!r}"

    def positions(self, file: str) -> np.ndarray:
        """Position of each row (n,) within a raw file; -1 for rows of other files."""
        member = self.frame[FILE].to_numpy() == file
        return np.where(member, self.before.get(file, 0) + np.cumsum(member) - 1, -1)


def present(frame: pd.DataFrame, name: str, place: str) -> pd.Series:
    """A column of a frame; see `RawRows.column`."""
    if name in frame.columns:
        return frame[name]
    legal = [str(c) for c in frame.columns if c != FILE]
    hint = did_you_mean(name, legal)
    for other in legal:
        if look(other) == look(name):
            hint = f" (the data have {other!a}, which looks like {name!a}; copy the name from the file)"
    raise InputError(f"{place}: column {name!r} is not in the data{hint}; the columns are: {listed(legal)}")


def label_names(values: pd.Series, target: Target) -> pd.Series:
    """Labels, of the data or of the study file, as they are compared: the only place that applies `target: strip`.

    Args:
        values: texts, missing ones as NaN or None.
        target: the study file's `target`.

    Returns:
        The texts without white space around them and without the characters to strip; a label of which nothing is left
        is missing.
    """
    names = values.str.strip().str.rstrip(target["strip"] + string.whitespace)
    return names.where(names != "")


def numbered(read: pd.DataFrame | Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The raw rows of a reader with the number of each row in its file, from 1: for rows of which some are removed."""
    before = dict[str, int]()
    for frame in [read] if isinstance(read, pd.DataFrame) else read:
        first = frame[FILE].map(before).fillna(0).to_numpy(dtype=int)
        yield frame.assign(**{ROW: first + frame.groupby(FILE, sort=False).cumcount().to_numpy() + 1})
        for file, rows in rows_by_file(frame).items():
            before[file] = before.get(file, 0) + rows


def rows_by_file(frame: pd.DataFrame) -> dict[str, int]:
    """Number of rows of each raw file, in the order of the files."""
    codes, files = pd.factorize(frame[FILE])
    return dict(zip(map(str, files), np.bincount(codes, minlength=len(files)).tolist(), strict=True))


def raw_blocks(
    read: pd.DataFrame | Iterable[pd.DataFrame], drop: list[str], formats: Formats = PLAIN
) -> Iterator[RawRows]:
    """Blocks of the raw rows that a reader returns or yields, without the columns that identify someone.

    Args:
        read: what the reader returns, or `numbered` of it.
        drop: columns that identify someone.
        formats: how numbers and dates are written.

    Raises:
        InputError: a column to drop is not in the data.
    """
    start, before = 0, dict[str, int]()
    for frame in _cut(read) if isinstance(read, pd.DataFrame) else read:
        _check_columns(frame)
        for column in drop:
            present(frame, column, "drop")
        numbers = frame[ROW].to_numpy() if ROW in frame else None
        kept = frame.drop(columns=drop if numbers is None else [*drop, ROW])
        yield RawRows(kept, start, dict(before), formats, numbers)
        start += len(frame)
        for file, rows in rows_by_file(frame).items():
            before[file] = before.get(file, 0) + rows


def _check_columns(frame: pd.DataFrame) -> None:
    """Check what a reader, which may be a user's own, has promised of its columns."""
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise InputError(f"reader: it gives two columns {listed(repeated[:1])}; rename one")
    if FILE not in frame.columns:
        raise InputError(f"reader: it gives no column {FILE!r}, which names the raw file of each row; add it")


def _cut(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    size = block_rows(frame.shape[1])
    for start in range(0, len(frame), size):
        yield frame.iloc[start : start + size].reset_index(drop=True)


def bin_names(cuts: list[float], whole: bool) -> list[str]:
    """Names of the bins between cuts, from the lowest.

    Args:
        cuts: boundaries between bins; a number equal to a boundary belongs to the bin above it.
        whole: whether all numbers are whole, so that bins can be named by their last number (25-59 instead of 25-60).
    """
    cuts = sorted(cuts)
    named = whole and all(float(cut).is_integer() for cut in cuts)
    ends = [int(cut) - 1 for cut in cuts[1:]] if named else cuts[1:]
    short = all(float(f"{number:g}") == number for number in (*cuts, *ends))  # else six digits do not say which it is
    texts, ends_text = ([f"{n:g}" if short else _all_digits(n) for n in numbers] for numbers in (cuts, ends))
    between = [f"{first}-{last}" for first, last in zip(texts[:-1], ends_text, strict=True)]
    return [f"<{texts[0]}", *between, f">={texts[-1]}"]


def _all_digits(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(number)
