"""Pieces of a page: tables and pictures as HTML that stands alone.  All text from studies and data is escaped."""

import base64
import io
from html import escape
from typing import Any

from IPython.display import HTML
from matplotlib.figure import Figure

NOT_ESTIMABLE = "not estimable"


def missing(value: Any) -> bool:
    """Whether a value is None or NaN."""
    return value is None or value != value


def number(value: Any, digits: int = 1, scale: float = 1.0, signed: bool = False) -> str:
    """A number for people, with a true minus sign; what cannot be computed is said to be so."""
    if missing(value):
        return NOT_ESTIMABLE
    scaled = round(float(value) * scale, digits)
    text = f"{scaled + 0.0:{'+' if signed and scaled else ''},.{digits}f}"  # + 0.0 makes -0.0 a plain 0
    return text.replace("-", "\N{MINUS SIGN}")


def with_spread(mean: Any, sd: Any, digits: int = 1, scale: float = 1.0, signed: bool = False) -> str:
    """Mean and standard deviation over seeds; of one seed there is no spread."""
    if missing(mean):
        return NOT_ESTIMABLE
    text = number(mean, digits, scale, signed)
    return text if missing(sd) else f"{text} ± {number(sd, digits, scale)}"


def table(header: list[str], rows: list[list[str]], caption: str, *, text_columns: int = 1, breaks: set[int] = frozenset()) -> HTML:  # type: ignore[assignment]
    """A table that scrolls inside itself on a narrow screen.

    Args:
        header: column titles.
        rows: cells, as text.
        caption: what the table shows, in a sentence or two.
        text_columns: the first so many columns are text, the others are numbers and align right.
        breaks: numbers of rows that start a new block.
    """
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in header)
    body = []
    for position, row in enumerate(rows):
        cells = []
        for column, text in enumerate(row):
            style = "text" if column < text_columns else "number"
            if text == NOT_ESTIMABLE:
                style += " faint"
            tag = 'th scope="row"' if column == 0 else "td"
            cells.append(f'<{tag} class="{style}">{escape(text)}</{tag.split()[0]}>')
        body.append(f"<tr{' class=block' if position in breaks else ''}>{''.join(cells)}</tr>")
    return HTML(
        f'<figure class="table"><figcaption>{escape(caption)}</figcaption><div class="scroll" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div></figure>"
    )


def picture(figure: Figure, caption: str, alternative: str) -> HTML:
    """A figure as SVG inside the page, with a caption, and a description for those who cannot see it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return HTML(
        f'<figure class="picture"><img alt="{escape(alternative, quote=True)}" '
        f'src="data:image/svg+xml;base64,{encoded}"><figcaption>{escape(caption)}</figcaption></figure>'
    )
