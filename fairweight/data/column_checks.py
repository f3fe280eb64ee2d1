"""Checks of single columns, whose findings add up over blocks: values that cannot be used, and copies of the label."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fairweight.core.errors import InputError, shown
from fairweight.core.table import MISSING
from fairweight.data import guess_formats, value_formats
from fairweight.data.narrowing import Range
from fairweight.data.raw_rows import RawRows
from fairweight.data.value_formats import EXACT, ISO, Formats

MOST_PAIRS = 2_000  # distinct values of a column that are compared with the label
SAMPLE = 100  # values of a column that a format of dates is guessed from
FEWEST_ROWS = 20  # of fewer rows, an input may agree with the label by chance


@dataclass(frozen=True)
class Bad:
    """Values of one column that may be unusable: their number, and the first of them."""

    count: int = 0
    row: str = ""  # place of the first, in words
    value: object = None
    sample: tuple[str, ...] = ()  # distinct values, as text

    @classmethod
    def among(cls, values: pd.Series, mask: np.ndarray, rows: RawRows) -> "Bad":
        """The values (n,) of a block's rows where the mask (n,) is true."""
        if not mask.any():
            return cls()
        first = int(mask.argmax())
        sample = tuple(value_formats.texts(values[mask].head(SAMPLE)).dropna().unique())
        return cls(int(mask.sum()), rows.place(first), values.iloc[first], sample)

    def __add__(self, later: "Bad") -> "Bad":
        first = self if self.count else later
        sample = tuple(dict.fromkeys((*self.sample, *later.sample)))[:SAMPLE]
        return Bad(self.count + later.count, first.row, first.value, sample)


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: values that cannot be used, by kind, and the range of the others."""

    unread: Bad  # not numbers
    infinite: Bad
    missing: Bad
    inexact: Bad  # whole numbers that float64 does not hold
    range: Range

    @classmethod
    def from_rows(cls, rows: RawRows, column: str, place: str) -> "Numbers":
        """Examine a column of one block."""
        numbers = rows.numbers(column, place)
        values, nan = rows.column(column, place), np.isnan(numbers)
        unread = np.zeros(len(rows), bool)
        if nan.any():
            unread = nan & values.notna().to_numpy()
            unread[unread] = value_formats.texts(values[unread]).str.strip().str.lower().to_numpy() != "nan"
        with np.errstate(over="ignore"):
            infinite = np.isinf(numbers.astype(np.float32))  # includes numbers too large for float32
        inexact = np.zeros(len(rows), bool)
        for position in np.flatnonzero((np.abs(numbers) >= EXACT) & np.isfinite(numbers) & (values.dtype.kind != "f")):
            text = str(values.iloc[position])
            inexact[position] = text.strip().lstrip("+-").isdigit() and int(text) != int(numbers[position])
        return cls(
            unread=Bad.among(values, unread, rows),
            infinite=Bad.among(values, infinite, rows),
            missing=Bad.among(values, nan & ~unread, rows),
            inexact=Bad.among(values, inexact, rows),
            range=Range.from_numbers(numbers, value_formats.is_date(values, column, rows.formats)),
        )

    def __add__(self, later: "Numbers") -> "Numbers":
        return Numbers(
            self.unread + later.unread,
            self.infinite + later.infinite,
            self.missing + later.missing,
            self.inexact + later.inexact,
            self.range + later.range,
        )

    def check_read(self, where: str, size: int, remedy: str, date: str | None) -> None:
        """Check that all values are finite numbers or missing.

        Args:
            where: the place in the study file, for the message.
            size: number of rows.
            remedy: what else to do with a column that holds other values.
            date: form of the column's dates, if it is one of `dates`.

        Raises:
            InputError: some are not; the message names the first of them.
        """
        if (bad := self.unread).count:
            kind = "a number" if date is None else "a date of ISO 8601" if date == ISO else f"a date like {date!r}"
            others = f" ({bad.count:,} of {size:,} values are not)" if bad.count > 1 else ""
            what = f"{where}: {shown(bad.value)} in {bad.row} is not {kind}{others}"
            if other := _other_date(bad, size, date) or _other_form(str(bad.value)):
                raise InputError(f"{what}; {other}")
            raise InputError(
                f"{what}; fix the value, list it under the reader's 'missing' if it marks a missing value{remedy}"
            )
        if (bad := self.infinite).count:
            raise InputError(f"{where}: {bad.count:,} values are infinite (first in {bad.row}); fix the data")

    def check_usable(self, where: str, policy: str, size: int, remedy: str) -> None:
        """Check that the numbers can be used as inputs or scores.

        Args:
            where: the place in the study file, for the message.
            policy: what to do with missing values (`inputs: missing_numeric`); 'refuse' allows none.
            size: number of rows.
            remedy: what to do about missing values.

        Raises:
            InputError: some are missing, or would become equal to others.
        """
        bad = self.missing
        if bad.count and (policy == "refuse" or bad.count == size):
            raise InputError(f"{where}: {bad.count:,} of {size:,} values are missing (first in {bad.row}); {remedy}")
        if (bad := self.inexact).count:
            raise InputError(
                f"{where}: {bad.value} in {bad.row} has more digits than float64 can hold ({bad.count:,} of {size:,} "
                "values have); list the column under 'categorical' if it holds codes, else under 'drop', or round it"
            )

    def check_narrow(self, where: str) -> None:
        """Check that float32 keeps the values of an input apart.

        Raises:
            InputError: it does not.
        """
        if (merged := self.range.merged()) is not None:
            first, second, remaining = merged
            raise InputError(
                f"{where}: {first!r} and {second!r} are one number in float32, in which models compute; of "
                f"{len(self.range.distinct):,} distinct numbers {remaining:,} remain, because they range from "
                f"{self.range.lowest!r} to {self.range.highest!r}: list numbers that mark missing values under the "
                "reader's 'missing', or scale the column"
            )


def _other_date(bad: Bad, size: int, date: str | None) -> str:
    """How the study file says that the values of a column are dates; empty where no format reads them.

    Args:
        bad: the values that were not read.
        size: number of rows.
        date: the format of `dates` that does not read them; None for a column that is not one of `dates`.
    """
    form = guess_formats.likely_date_format(pd.Series(bad.sample, dtype="str")) if bad.sample else None
    if form is None or form == date:
        return ""
    if bad.count <= size / 2:
        return "" if date is None else f"it is like {form!r}: write it like the other dates of the column"
    if date is None:
        return f"if it is a date, set {form!r} for the column under 'dates' of the dataset"
    return f"change the format of the column under 'dates' of the dataset to {form!r}"


def _other_form(value: str) -> str:
    """How the study file says that values such as this one are numbers or dates; empty where they are neither."""
    fitting = [
        (decimal, thousands)
        for thousands in (None, ".", ",", " ", "'", "_")
        for decimal in (".", ",")
        if decimal != thousands and Formats(decimal, thousands).number(value) is not None
    ]
    fewest = [marks for marks in fitting if marks[1] is None] or fitting[:1]
    if fewest == [(",", None)] and (".", ",") in fitting:  # 1,000
        fewest.append((".", ","))
    ways = [
        " and ".join([*([f"decimal: {d!r}"] if d == "," or not t else []), *([f"thousands: {t!r}"] if t else [])])
        for d, t in fewest
    ]
    if ways:
        return f"if it is one, set {' or '.join(ways)} of the dataset"
    if not np.isnan(value_formats.numbers(pd.Series([value]), "", Formats(dates={"": ISO}))).any():
        return "if it is a date, list the column under 'dates' of the dataset"
    return ""


@dataclass(frozen=True)
class Labels:
    """Labels of a block's rows."""

    codes: np.ndarray  # (n,) positions among the names, -1 where a label is missing
    names: np.ndarray

    @classmethod
    def from_series(cls, labels: pd.Series) -> "Labels":
        """The labels (n,) of rows, as text."""
        codes, names = pd.factorize(labels)
        return cls(codes, np.asarray(names, dtype=object))


@dataclass(frozen=True)
class Agreement:
    """Distinct values of an input column, each with the one label that its rows have."""

    label_of: Mapping[object, str] | None  # None: some value has two labels, or there are too many values

    @classmethod
    def from_rows(cls, values: pd.Series | np.ndarray, labels: "Labels") -> "Agreement":
        """The values of one block's rows (n,) with their labels."""
        for rows in (slice(2 * MOST_PAIRS), slice(None)):  # the first rows show it of nearly every column
            codes, distinct = pd.factorize(values[rows], use_na_sentinel=False)
            own = labels.codes[rows]
            if len(distinct) > MOST_PAIRS or (own < 0).any():
                return cls(None)
            label_of = np.empty(len(distinct), int)
            label_of[codes] = own
            if (label_of[codes] != own).any():
                return cls(None)
        pairs = zip(distinct, labels.names[label_of], strict=True)
        return cls({MISSING if pd.isna(value) else value: label for value, label in pairs})

    def __add__(self, later: "Agreement") -> "Agreement":
        if self.label_of is None or later.label_of is None:
            return Agreement(None)
        together = {**self.label_of, **later.label_of}
        if len(together) > MOST_PAIRS or any(together[value] != label for value, label in self.label_of.items()):
            return Agreement(None)
        return Agreement(together)

    def check(self, where: str, size: int, names: Mapping[str, str], labels: Mapping[str, str]) -> None:
        """Check that the column is not the label under another name.

        Args:
            where: the place in the study file, for the message.
            size: number of rows.
            names, labels: spellings of the column and of the label, see `value_formats.spellings`.

        Raises:
            InputError: every value stands for one label, and every label for one value.
        """
        if self.label_of is None or size < FEWEST_ROWS:
            return
        pairs = {(names.get(str(value), value), labels.get(label, label)) for value, label in self.label_of.items()}
        values, of_labels = ({pair[side] for pair in pairs} for side in (0, 1))
        if len(values) == len(of_labels) == len(pairs):
            value, label = min(pairs, key=str)
            raise InputError(
                f"{where}: it says in all {size:,} rows what the label says ({shown(value)} where it is "
                f"{shown(label)}), so that there is nothing to learn; remove it from the inputs"
            )
