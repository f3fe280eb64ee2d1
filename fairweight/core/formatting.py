"""Numbers as text for people, the same in report, terminal, papers and cards.

Text has true minus signs; what cannot be computed is "not estimable". Writers of HTML, LaTeX and Markdown escape it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

NOT_ESTIMABLE = "not estimable"
DASH = "\N{EN DASH}"  # does not apply
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Writer:
    """How numbers are put together in one format.

    Attributes:
        escape: makes plain text legal in the format.
        interval: pattern of `value`, `low` and `high`, in the format.
        spread: pattern of `mean` and `sd`, in the format.
    """

    escape: Callable[[str], str] = str
    interval: str = "{value} ({low} to {high})"
    spread: str = "{mean} ± {sd}"


TEXT = Writer()
TWO_LINES = Writer(interval="{value}\n{low} to {high}")  # of a table whose cells show a second line small


def missing(value: Any) -> bool:
    """Whether a value is None or NaN."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 seed", "8 seeds"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def number(value: Any, digits: int = 1, scale: float = 1.0, signed: bool = False) -> str:
    """A number with a fixed number of decimals.

    Args:
        value: None and NaN are "not estimable".
        digits: decimals.
        scale: factor from the value to the unit that is shown.
        signed: whether a positive number has a plus sign.
    """
    if missing(value):
        return NOT_ESTIMABLE
    scaled = round(float(value) * scale, digits)
    text = f"{scaled + 0.0:{'+' if signed and scaled else ''},.{digits}f}"  # + 0.0 makes -0.0 a plain 0
    return text.replace("-", MINUS)


def as_stated(value: Any, scale: float = 1.0) -> str:
    """A number of the study file as it stands there, never rounded: what is claimed depends on it."""
    return NOT_ESTIMABLE if missing(value) else f"{float(value) * scale:,.10g}".replace("-", MINUS)


def points(value: Any) -> str:
    """A margin of the study file in percentage points."""
    text = as_stated(value, 100)
    return f"{text} point{'' if text == '1' else 's'}"


def significant(value: Any, scale: float = 1.0, digits: int = 3) -> str:
    """A number with a fixed number of significant digits, so that small ones do not read as 0."""
    if missing(value):
        return NOT_ESTIMABLE
    rounded = float(f"{float(value) * scale:.{digits}g}")
    return number(rounded, max(0, digits - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0)


def p_value(value: float) -> str:
    """A p-value; small ones are "below 0.001"."""
    return "below 0.001" if value < 0.001 else f"{value:.2g}"


def with_spread(
    mean: Any, sd: Any, digits: int = 1, scale: float = 1.0, signed: bool = False, *, writer: Writer = TEXT
) -> str:
    """Mean ± standard deviation over seeds; one seed has no spread."""
    if missing(mean):
        return writer.escape(NOT_ESTIMABLE)
    text = writer.escape(number(mean, digits, scale, signed))
    return text if missing(sd) else writer.spread.format(mean=text, sd=writer.escape(number(sd, digits, scale)))


def with_interval(
    value: Any,
    low: Any,
    high: Any,
    digits: int = 1,
    scale: float = 1.0,
    signed: bool = False,
    *,
    writer: Writer = TEXT,
    write: Callable[[Any], str] | None = None,
) -> str:
    """A value with its interval, "0.42 (0.31 to 0.53)"; without an interval the value alone.

    Args:
        value, low, high: None and NaN are "not estimable"; without both bounds there is no interval.
        digits, scale, signed: as of `number`.
        writer: how value and interval are put together, and how text is escaped.
        write: writes one number instead of `number`, for example `significant`.
    """

    def written(bound_or_value: Any) -> str:
        return writer.escape(write(bound_or_value) if write else number(bound_or_value, digits, scale, signed))

    if missing(value) or missing(low) or missing(high):
        return written(value)
    return writer.interval.format(value=written(value), low=written(low), high=written(high))
