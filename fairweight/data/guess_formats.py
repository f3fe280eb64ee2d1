"""Guess how a table of text writes its numbers and dates, for a first study file."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairweight.data import value_formats
from fairweight.data.value_formats import ISO, PLAIN, Formats

# of formats that read equally many columns, the first is taken: 1,234 is more than a thousand rather than below two
NUMBERS = [
    PLAIN,
    *(
        Formats(*marks)
        for marks in ((".", ","), (",", None), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))
    ),
]
DATES = (
    ISO,
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%d.%m.%y"),
    *("%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%d. %B %Y", "%b %d, %Y", "%B %d, %Y"),
    *(f"{day} {time}" for day in ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d") for time in ("%H:%M", "%H:%M:%S")),
    *("%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p"),
)
NO_DATE = re.compile(r"[-+]?(\d{0,7}|\d{9,})([.,]\d*)?|\D*")  # no format needs to be tried
EARLIEST, LATEST = (value_formats.days(pd.Series(pd.to_datetime([day])))[0] for day in ("1850-01-01", "2150-01-01"))
LIKELY = 0.9  # share of the values that a likely format reads
EXAMINED = 10_000  # distinct values of a column


def guess(frame: pd.DataFrame) -> Formats:
    """The formats that read the most columns whole.

    Args:
        frame: columns of text; missing values are None.

    Returns:
        The decimal mark and the mark of thousands, with which the most columns are numbers, and the format of each of
        the other columns that is a date throughout.
    """
    columns = {name: pd.Series(frame[name].dropna().unique(), dtype="str") for name in frame.columns}
    forms = {name: date_format(values) for name, values in columns.items() if len(values)}
    dates = {name: form for name, form in forms.items() if form is not None}
    others = [columns[name].head(EXAMINED) for name in forms if name not in dates]
    readable = [sum(all(map(formats.number, values)) for values in others) for formats in NUMBERS]
    best = NUMBERS[int(np.argmax(readable))]
    return Formats(best.decimal, best.thousands, dates)


def date_format(values: pd.Series) -> str | None:
    """The first format in which all values (n,) are days between 1850 and 2150; None if there is none."""
    if values.head(10).str.fullmatch(NO_DATE).any():
        return None
    for form in DATES:
        if _are_dates(values.head(10), form) and _are_dates(values, form):
            return form
    return None


def likely_date_format(values: pd.Series) -> str | None:
    """The first of the formats that read the most values (n,), texts, as days; None if it reads fewer than LIKELY."""
    shares = {form: float(_dates_among(values, form).mean()) for form in DATES}
    best = max(shares, key=shares.__getitem__)
    return best if shares[best] >= LIKELY else None


def may_be_swapped(values: pd.Series, form: str) -> bool:
    """Whether the values (n,) are also dates if day and month change places."""
    day_last = form == ISO or form.startswith("%Y")
    return not day_last and _are_dates(values, form.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m"))


def _are_dates(values: pd.Series, form: str) -> bool:
    return bool(_dates_among(values, form).all())


def _dates_among(values: pd.Series, form: str) -> NDArray[np.bool_]:
    """Which values (n,) are days between 1850 and 2150 in a format."""
    days = value_formats.numbers(values, "", Formats(dates={"": form}))
    dates: NDArray[np.bool_] = (days >= EARLIEST) & (days <= LATEST)
    # 2020 alone is a number
    return dates & values.str.len().ge(8).to_numpy() if form == ISO else dates
