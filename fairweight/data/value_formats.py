"""Values as raw files hold them: text and typed columns become numbers, days and names without loss."""

import datetime
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fairweight.core.recipes import DatasetRecipe
from fairweight.core.table import MISSING

ISO = "iso"  # a date or time stamp of ISO 8601
# characters that are written for one separator of thousands
SAME_MARK = {" ": " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}", "'": "'\N{RIGHT SINGLE QUOTATION MARK}"}
PER_DAY = {"s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}
LONGEST_PLAIN = 40  # digits of a number that is named without an exponent
SHORT = 16  # characters of a number that has at most 15 digits, or 16 and nothing else
EXACT = 2**53  # float64 holds every whole number up to this one

Number = tuple[bool, str, int]  # whether it is negative, digits without zeros at either end, exponent of the last digit


@dataclass(frozen=True)
class Formats:
    """How a dataset writes numbers and dates; see the keys `decimal`, `thousands` and `dates` of a dataset."""

    decimal: str = "."
    thousands: str | None = None
    dates: Mapping[str, str] = field(default_factory=dict)  # column -> `iso` or a format of strptime

    @classmethod
    def from_recipe(cls, recipe: DatasetRecipe) -> "Formats":
        """The formats of a dataset's part of the study file."""
        return cls(recipe["decimal"], recipe["thousands"], recipe["dates"])

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """A number as text: sign, whole digits, digits after the decimal mark, exponent."""
        whole = "[0-9]+"
        if self.thousands is not None:
            mark = f"[{re.escape(self.marks)}]"
            whole = f"[0-9]+|[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}"
        decimal = re.escape(self.decimal)
        return re.compile(rf"\s*([+-]?)(?:({whole})?{decimal}([0-9]+)|({whole}){decimal}?)(?:[eE]([+-]?[0-9]+))?\s*")

    @property
    def marks(self) -> str:
        """Characters that may separate thousands."""
        return SAME_MARK.get(self.thousands or "", self.thousands or "")

    @property
    def plain(self) -> bool:
        """Whether numbers are written as programs write them: a decimal point, and nothing between thousands."""
        return self.decimal == "." and self.thousands is None

    def number(self, text: str) -> Number | None:
        """The number that a text states, exactly; None if it states none."""
        match = self.pattern.fullmatch(text)
        if match is None:
            return None
        sign, before, after, whole, exponent = match.groups(default="")
        digits = "".join(c for c in before + whole if c not in self.marks) + after
        if len(exponent) > 6:  # no column of categories has such numbers, and their digits would not fit into memory
            return None
        shift = int(exponent or 0) - len(after)
        short = digits.rstrip("0")
        shift += len(digits) - len(short)
        short = short.lstrip("0")
        return (sign == "-", short, shift) if short else (False, "", 0)


PLAIN = Formats()


def name_of(number: Number) -> str:
    """The shortest usual text of a number: 1 for 1.0, 01 and 1e0."""
    negative, digits, shift = number
    sign = "-" if negative else ""
    if not digits:
        return "0"
    if max(len(digits) + shift, len(digits), 1 - shift) > LONGEST_PLAIN:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{shift + len(digits) - 1}"
    if shift >= 0:
        return sign + digits + "0" * shift
    padded = digits.rjust(1 - shift, "0")
    return f"{sign}{padded[:shift]}.{padded[shift:]}"


def spellings(names: Iterable[str], formats: Formats) -> dict[str, str]:
    """Names of categories that are written as numbers in more than one way: text -> the shortest text of its number.

    Args:
        names: distinct values of a column, as they are written.
        formats: how the dataset writes numbers.

    Returns:
        All numbers of the column; empty if a value is not a number or if every number is written in one way, so that
        the values can be used as they are written.
    """
    texts = [name for name in names if name != MISSING and name.lower() != "nan"]
    numbers = [formats.number(text) for text in texts]
    if None in numbers or len(set(numbers)) == len(numbers):
        return {}
    return {text: name_of(number) for text, number in zip(texts, numbers, strict=True) if number is not None}


def in_order(names: Collection[str], formats: Formats) -> list[str]:
    """Names sorted: by size if all are numbers, else alphabetically."""
    numbers = {name: formats.number(name) for name in names}
    if None in numbers.values():
        return sorted(names)
    return sorted(names, key=lambda name: (_size(numbers[name]), name))


def _size(number: Number | None) -> tuple[int, int, str]:
    """Key that sorts numbers by size, exactly."""
    assert number is not None  # `in_order` has looked
    negative, digits, shift = number
    if not digits:
        return 0, 0, ""
    magnitude = len(digits) + shift
    if negative:  # of two negative numbers the one with more or larger digits is smaller; ":" follows all digits
        return -1, -magnitude, "".join(chr(ord("0") + ord("9") - ord(digit)) for digit in digits) + ":"
    return 1, magnitude, digits


# ---- columns


def texts(values: pd.Series) -> pd.Series:
    """A column as text; a missing value stays missing."""
    values = _undictionaried(values)
    if isinstance(values.dtype, pd.StringDtype) or _kind(values) == "string":
        return values.astype("str")
    if values.dtype.kind == "f":  # as short as its own precision allows: 0.1, and not the float64 of a float32
        written = values.astype(str).astype(object)
    else:
        written = values.astype(object).map(_text, na_action="ignore")
    return written.where(values.notna(), None).astype("str")


def nested(values: pd.Series) -> str | None:
    """What the values of a column are that are not single values, such as "list"; None for single values."""
    if values.dtype.kind != "O":
        return None
    first = next((value for value in values if value is not None), None)
    return type(first).__name__ if isinstance(first, list | tuple | set | dict | np.ndarray) else None


def _text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def numbers(values: pd.Series, column: str, formats: Formats) -> NDArray[np.float64]:
    """A column as float64 (n,), NaN where a value is missing or is not a number.

    Dates and time stamps become days since 1970-01-01 (UTC where they have a time zone), durations days, times of day a
    share of the day. Columns of text are dates if `formats.dates` names them.
    """
    values = _undictionaried(values)
    if values.dtype.kind not in "Mm" and column in formats.dates:
        return days(_dates(texts(values), formats.dates[column]))
    if values.dtype.kind in "Mm":
        return days(values)
    if isinstance(values.dtype, pd.StringDtype):
        return _of_texts(values, formats)
    if values.dtype.kind in "OTU":
        return _of_objects(values, formats)
    return values.to_numpy(dtype=float, na_value=np.nan)


def is_date(values: pd.Series, column: str, formats: Formats) -> bool:
    """Whether the numbers of a column are days."""
    values = _undictionaried(values)
    return column in formats.dates or values.dtype.kind in "Mm" or _kind(values) in ("date", "datetime", "time")


def days(stamps: pd.Series) -> NDArray[np.float64]:
    """Days since 1970-01-01 of time stamps, and days of durations, in any unit and time zone (n,)."""
    if getattr(stamps.dt, "tz", None) is not None:
        stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    missing, stored = stamps.isna().to_numpy(), stamps.to_numpy()
    whole, rest = np.divmod(stored.view(np.int64), PER_DAY[np.datetime_data(stored.dtype)[0]])
    result: NDArray[np.float64] = whole + rest / PER_DAY[np.datetime_data(stored.dtype)[0]]
    result[missing] = np.nan
    return result


def _undictionaried(values: pd.Series) -> pd.Series:
    """A column without dictionary encoding: whole numbers stay whole beside missing values."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return values
    categories = values.cat.categories
    distinct = pd.Series(categories.astype("Int64") if categories.dtype.kind == "i" else categories)
    return distinct.reindex(values.cat.codes).reset_index(drop=True).set_axis(values.index)


def _kind(values: pd.Series) -> str:
    return pd.api.types.infer_dtype(values, skipna=True) if values.dtype == object else ""


def _of_texts(values: pd.Series, formats: Formats) -> NDArray[np.float64]:
    if formats.plain and (short := _short_numbers(pa.array(values))) is not None:
        return short
    if not formats.plain:
        codes, distinct = pd.factorize(values)
        plain = np.array([*(_plainly(text, formats) for text in distinct), None], dtype=object)
        values = pd.Series(plain[codes], dtype="str")
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _short_numbers(texts: pa.Array | pa.ChunkedArray) -> NDArray[np.float64] | None:
    """Numbers of at most `SHORT` digits, signs and decimal points, NaN where a text is missing.

    Arrow and pandas round longer ones differently. Of these, the digits are a whole number below 2^53, which either
    divides by a power of ten that float64 holds: there is one rounding.

    Returns:
        None if a text is longer or something else, or if one is -0, which pandas reads as 0 among whole numbers.
    """
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    content = array.buffers()[2]
    offsets = np.frombuffer(array.buffers()[1], np.int64 if pa.types.is_large_string(array.type) else np.int32)
    offsets = offsets[array.offset : array.offset + len(array) + 1]
    if content is None or not len(array) or np.diff(offsets).max() > SHORT:
        return None
    if content[int(offsets[0]) : int(offsets[-1])].to_pybytes().translate(None, b"0123456789.-"):
        return None
    try:
        numbers: NDArray[np.float64] = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None
    return None if (np.signbit(numbers) & (numbers == 0)).any() else numbers


def _of_objects(values: pd.Series, formats: Formats) -> NDArray[np.float64]:
    kind = _kind(values)
    if kind in ("date", "datetime"):
        return days(_stamps(values))
    if kind == "time":
        return np.array([np.nan if pd.isna(value) else _share_of_day(value) for value in values])
    if kind == "bytes":
        values = texts(values)
    if not formats.plain:
        values = values.map(lambda value: _plainly(value, formats) if isinstance(value, str) else value)
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _plainly(text: str, formats: Formats) -> str:
    """The text of a number with a decimal point and nothing between thousands; other texts become no number."""
    if formats.number(text) is None:
        return text if text.strip().lower().lstrip("+-") in ("inf", "infinity", "nan") else "not a number"
    return "".join(c for c in text if c not in formats.marks).replace(formats.decimal, ".")


def _share_of_day(time: datetime.time) -> float:
    return (time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6) / 86_400


def _dates(written: pd.Series, form: str) -> pd.Series:
    """Texts as time stamps; missing where a text is no date of that form."""
    stamps = pd.to_datetime(written, format="ISO8601" if form == ISO else form, errors="coerce", utc=True)
    if form == ISO and (odd := stamps.isna() & written.notna()).any():
        # one time stamp with nanoseconds narrows the range of all to the years 1677 to 2262
        stamps = stamps.astype("datetime64[us, UTC]")
        stamps[odd] = _stamps(written[odd].map(_iso))
    return stamps


def _iso(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _stamps(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values, utc=True).astype("datetime64[us, UTC]")
