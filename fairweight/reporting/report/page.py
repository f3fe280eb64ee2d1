"""Tables and figures as HTML that needs no other file. All text from studies and data is escaped."""

import base64
import io
import re
from collections.abc import Collection
from html import escape
from typing import Any

from IPython.display import HTML, display
from matplotlib.figure import Figure

from fairweight.core.formatting import NOT_ESTIMABLE, count

MOST_ITEMS = 6  # items of a list that are shown on the first screen; the others are folded
SHOWN_ROWS = 12  # rows of a table that `report.js` shows at first; it has the same number
LONG_TEXT = 28  # characters from which the text of a cell may wrap


def show(*pieces: HTML | None) -> None:
    """Display the pieces that are not None: for example, a study without groups has no figure of groups."""
    for piece in pieces:
        if piece is not None:
            display(piece)


def plain(value: Any) -> str:
    """Text of a cell; empty for a missing value."""
    return value if isinstance(value, str) else ""


def tied(text: str) -> str:
    """Text in which no line breaks between a number and its unit or its letter."""
    return re.sub(r"(?<=\d) (?=%|kB|µs|±)|(?<=±) (?=\d)|(?<=\bp) (?==)|(?<=\bp.=) (?=\d)", "\N{NO-BREAK SPACE}", text)


def listing(items: list[str], most: int = MOST_ITEMS) -> HTML:
    """A list of sentences, folded after the first `most`.

    Args:
        items: sentences that are HTML already.
        most: items that are not folded.
    """
    first, more = ("".join(f"<li>{item}</li>" for item in part) for part in (items[:most], items[most:]))
    folded = f"<details><summary>and {len(items) - most:,} more</summary><ul>{more}</ul></details>" if more else ""
    return HTML(f"<ul>{first}</ul>{folded}")


def fold(summary: str, body: str, size: str = "") -> str:
    """A part of the page that is folded under a line that says what is in it.

    Args:
        summary: that line, as text.
        body: HTML.
        size: small print after it, for example a number of rows.
    """
    small = f' <span class="size">{escape(size)}</span>' if size else ""
    return f'<details class="fold"><summary>{escape(summary)}{small}</summary>{body}</details>'


def opened(piece: HTML | None) -> HTML | None:
    """A folded table or figure that is open at first: the first of a section."""
    return piece and HTML(piece.data.replace('<details class="fold">', '<details class="fold" open>', 1))


def table(
    header: list[str],
    rows: list[list[str]],
    caption: str,
    *,
    notes: str = "",
    text_columns: int = 1,
    breaks: Collection[int] = (),
    repeated: int = 0,
    finding: str = "",
) -> HTML:
    """A table, folded under its caption, that scrolls inside itself on a narrow screen.

    The whole table stands in the page; `report.js` hides rows after the first SHOWN_ROWS, sorts and filters.

    Args:
        header: column titles.
        rows: cells as text; what follows a line break is shown small below.
        caption: what the table shows, in one sentence or less.
        notes: how to read it: definitions, intervals, assumptions.
        text_columns: number of leading columns with text; the others hold numbers and align right.
        breaks: positions of rows that start a new block.
        repeated: leading columns in which an empty cell means that of the row above.
        finding: what the table says in a few words; it stands beside the caption.
    """
    kinds = ["text" if column < text_columns else "number" for column in range(len(header))]
    head = "".join(f'<th scope="col" class="{k}">{escape(t)}</th>' for k, t in zip(kinds, header, strict=True))
    body: list[str] = []
    above: list[str] = []
    for position, row in enumerate(rows):
        again = [column < repeated and not text and bool(above) for column, text in enumerate(row)]
        above = [above[column] if again[column] else text for column, text in enumerate(row)]
        cells = "".join(
            _cell(text, kind, column == 0, again[column])
            for column, (text, kind) in enumerate(zip(above, kinds, strict=True))
        )
        body.append(f"<tr{' class=block' if position in breaks else ''}>{cells}</tr>")
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption[:80], quote=True)}">'
    return HTML(
        fold(
            caption.removesuffix("."),
            f'<figure class="table">{_notes(notes)}{region}<table class="data"><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div></figure>",
            size="; ".join(filter(None, (finding, count(len(rows), "row")))),
        )
    )


def _notes(notes: str) -> str:
    return f"<figcaption>{escape(notes)}</figcaption>" if notes else ""


def _cell(text: str, kind: str, first: bool, again: bool = False) -> str:
    """A cell; one that repeats the cell above is only shown where rows are sorted or filtered."""
    main, _, small = text.partition("\n")
    inner = escape(main) + (f"<small>{escape(small)}</small>" if small and not again else "")
    inner = f'<span class="again">{inner}</span>' if again else inner
    style = f"{kind} faint" if text == NOT_ESTIMABLE else f"{kind} long" if len(text) > LONG_TEXT else kind
    return f'<th scope="row" class="{style}">{inner}</th>' if first else f'<td class="{style}">{inner}</td>'


def picture(figure: Figure, caption: str, alternative: str, notes: str = "", finding: str = "") -> HTML:
    """A figure as SVG inside the page, folded under its caption.

    Args:
        figure: it is drawn as it is.
        caption: what the figure shows, in one sentence or less.
        alternative: a description for readers who cannot see it.
        notes: how to read it.
        finding: what the figure says in a few words; it stands beside the caption.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    encoded = base64.b64encode(buffer.getvalue()).decode()
    image = f'<img alt="{escape(alternative, quote=True)}" src="data:image/svg+xml;base64,{encoded}">'
    body = f'<figure class="picture">{image}{_notes(notes)}</figure>'
    return HTML(fold(caption.removesuffix("."), body, size=finding or "figure"))
