"""Tables and figures as HTML that needs no other file. All text from studies and data is escaped."""

import base64
import io
import re
from collections.abc import Collection
from html import escape
from typing import Any

from IPython.display import HTML, display
from matplotlib.figure import Figure

from fairweight.core.formatting import NOT_ESTIMABLE

MOST_ITEMS = 6  # items of a list that are shown on the first screen; the others are folded
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


def table(
    header: list[str],
    rows: list[list[str]],
    caption: str,
    *,
    notes: str = "",
    text_columns: int = 1,
    breaks: Collection[int] = (),
) -> HTML:
    """A table that scrolls inside itself on a narrow screen.

    Args:
        header: column titles.
        rows: cells as text; what follows a line break is shown small below.
        caption: what the table shows, in one sentence or less.
        notes: how to read it: definitions, intervals, assumptions.
        text_columns: number of leading columns with text; the others hold numbers and align right.
        breaks: positions of rows that start a new block.
    """
    kinds = ["text" if column < text_columns else "number" for column in range(len(header))]
    head = "".join(f'<th scope="col" class="{k}">{escape(t)}</th>' for k, t in zip(kinds, header, strict=True))
    body = []
    for position, row in enumerate(rows):
        cells = "".join(
            _cell(text, kind, column == 0) for column, (text, kind) in enumerate(zip(row, kinds, strict=True))
        )
        body.append(f"<tr{' class=block' if position in breaks else ''}>{cells}</tr>")
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption[:80], quote=True)}">'
    return HTML(
        f'<figure class="table">{_caption(caption, notes)}{region}'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div></figure>"
    )


def _caption(caption: str, notes: str) -> str:
    return f"<figcaption><b>{escape(caption)}</b>{f' {escape(notes)}' if notes else ''}</figcaption>"


def _cell(text: str, kind: str, first: bool) -> str:
    main, _, small = text.partition("\n")
    inner = escape(main) + (f"<small>{escape(small)}</small>" if small else "")
    style = f"{kind} faint" if text == NOT_ESTIMABLE else f"{kind} long" if len(text) > LONG_TEXT else kind
    return f'<th scope="row" class="{style}">{inner}</th>' if first else f'<td class="{style}">{inner}</td>'


def picture(figure: Figure, caption: str, alternative: str, notes: str = "") -> HTML:
    """A figure as SVG inside the page.

    Args:
        figure: it is drawn as it is.
        caption: what the figure shows, in one sentence or less.
        alternative: a description for readers who cannot see it.
        notes: how to read it.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return HTML(
        f'<figure class="picture"><img alt="{escape(alternative, quote=True)}" '
        f'src="data:image/svg+xml;base64,{encoded}">{_caption(caption, notes)}</figure>'
    )
