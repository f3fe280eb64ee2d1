"""Pieces of a page: tables and pictures as HTML that stands alone.  All text from studies and data is escaped."""

import base64
import io
import math
import re
from collections.abc import Collection
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML, display
from matplotlib.figure import Figure

NOT_ESTIMABLE = "not estimable"
DASH = "\N{EN DASH}"  # does not apply
MOST_ITEMS = 6  # of a list on the first screen that are not folded
LONG_TEXT = 28  # letters of a cell that wraps on a phone, too


def show(*pieces: HTML | None) -> None:
    """Show the pieces that there are; a study without groups, say, has no figure of them."""
    for piece in pieces:
        if piece is not None:
            display(piece)


def missing(value: Any) -> bool:
    """Whether a value is None or NaN."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def plain(value: Any) -> str:
    """Text of a cell; empty where there is none."""
    return value if isinstance(value, str) else ""


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def number(value: Any, digits: int = 1, scale: float = 1.0, signed: bool = False) -> str:
    """A number for people, with a true minus sign; what cannot be computed is said to be so."""
    if missing(value):
        return NOT_ESTIMABLE
    scaled = round(float(value) * scale, digits)
    text = f"{scaled + 0.0:{'+' if signed and scaled else ''},.{digits}f}"  # + 0.0 makes -0.0 a plain 0
    return text.replace("-", "\N{MINUS SIGN}")


def as_stated(value: Any, scale: float = 1.0) -> str:
    """A number of the study file as it stands there, never rounded: what is claimed depends on it."""
    return NOT_ESTIMABLE if missing(value) else f"{float(value) * scale:,.10g}".replace("-", "\N{MINUS SIGN}")


def points(value: Any) -> str:
    """A stated margin in points."""
    text = as_stated(value, 100)
    return f"{text} point{'' if text == '1' else 's'}"


def significant(value: Any, scale: float = 1.0, digits: int = 3) -> str:
    """A number with so many significant digits: a small one is told from nothing, and a large one promises no more."""
    if missing(value):
        return NOT_ESTIMABLE
    rounded = float(f"{float(value) * scale:.{digits}g}")
    return number(rounded, max(0, digits - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0)


def p_value(value: float) -> str:
    """A p-value in words."""
    return "below 0.001" if value < 0.001 else f"{value:.2g}"


def with_spread(mean: Any, sd: Any, digits: int = 1, scale: float = 1.0, signed: bool = False) -> str:
    """Mean and standard deviation over seeds; of one seed there is no spread."""
    if missing(mean):
        return NOT_ESTIMABLE
    text = number(mean, digits, scale, signed)
    return text if missing(sd) else f"{text} ± {number(sd, digits, scale)}"


def tied(text: str) -> str:
    """Text in which no line breaks between a number and its unit or its letter."""
    return re.sub(r"(?<=\d) (?=%|kB|µs)|(?<=\bp) (?==)|(?<=\bp.=) (?=\d)", "\N{NO-BREAK SPACE}", text)


def listing(items: list[str], most: int = MOST_ITEMS) -> HTML:
    """A list of sentences that are HTML already; those after the first so many are folded."""
    first, more = ("".join(f"<li>{item}</li>" for item in part) for part in (items[:most], items[most:]))
    folded = f"<details><summary>and {len(items) - most:,} more</summary><ul>{more}</ul></details>" if more else ""
    return HTML(f"<ul>{first}</ul>{folded}")


def table(
    header: list[str],
    rows: list[list[str]],
    caption: str,
    *,
    text_columns: int = 1,
    breaks: Collection[int] = (),
) -> HTML:
    """A table that scrolls inside itself on a narrow screen.

    Args:
        header: column titles.
        rows: cells, as text; what follows a line break is shown small below.
        caption: what the table shows, in a sentence or two.
        text_columns: the first so many columns are text, the others are numbers and align right.
        breaks: numbers of rows that start a new block.
    """
    kinds = ["text" if column < text_columns else "number" for column in range(len(header))]
    head = "".join(f'<th scope="col" class="{k}">{escape(t)}</th>' for k, t in zip(kinds, header, strict=True))
    body = []
    for position, row in enumerate(rows):
        cells = "".join(
            _cell(text, kind, column == 0) for column, (text, kind) in enumerate(zip(row, kinds, strict=True))
        )
        body.append(f"<tr{' class=block' if position in breaks else ''}>{cells}</tr>")
    return HTML(
        f'<figure class="table"><figcaption>{escape(caption)}</figcaption><div class="scroll" tabindex="0" role="region" aria-label="{escape(caption[:80], quote=True)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div></figure>"
    )


def _cell(text: str, kind: str, first: bool) -> str:
    main, _, small = text.partition("\n")
    inner = escape(main) + (f"<small>{escape(small)}</small>" if small else "")
    style = f"{kind} faint" if text == NOT_ESTIMABLE else f"{kind} long" if len(text) > LONG_TEXT else kind
    return f'<th scope="row" class="{style}">{inner}</th>' if first else f'<td class="{style}">{inner}</td>'


def picture(figure: Figure, caption: str, alternative: str) -> HTML:
    """A figure as SVG inside the page, with a caption, and a description for those who cannot see it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return HTML(
        f'<figure class="picture"><img alt="{escape(alternative, quote=True)}" '
        f'src="data:image/svg+xml;base64,{encoded}"><figcaption>{escape(caption)}</figcaption></figure>'
    )
