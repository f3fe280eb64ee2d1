"""Text, numbers and tables as LaTeX. Any name is typeset as it is, by pdfLaTeX and LuaLaTeX alike."""

import re
from collections.abc import Collection, Sequence
from typing import Any

from fairweight.core.formatting import Writer, number
from fairweight.core.shown_measures import ShownMeasure

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\symbol{34}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}",
    "\N{MINUS SIGN}": r"$-$", "\N{NO-BREAK SPACE}": "~", "±": r"$\pm$", "×": r"$\times$",
}  # fmt: skip
PAGE = 36  # rows of a table that fits on a page
LONG = 7  # letters of a word after which a table cell may break it
WHOLE = 10  # letters of a part of a name that is not broken
ENDLESS = 40  # letters of a word that even running text may break
HEAD_WIDTH = 11  # letters of a line in the head of a narrow column


def escape(text: Any) -> str:
    """Text as LaTeX that shows it as it is; line breaks and control characters become blanks."""
    plain = "".join(c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else " " for c in str(text))
    return " ".join(_breakable(word) if len(word) > ENDLESS else _escaped(word) for word in plain.split(" "))


def cell(text: Any) -> str:
    """Text of a table cell: a long word may be broken."""
    return " ".join(map(_breakable, str(text).split()))


def _breakable(word: str) -> str:
    parts = []
    for part in re.findall(r"[^_/.-]*[_/.-]|[^_/.-]+", word):  # names break where their parts meet, if these are short
        step = LONG if len(part) > WHOLE else WHOLE
        parts += [_escaped(part[i : i + step]) for i in range(0, len(part), step)]
    return r"\allowbreak{}".join(parts)


def _escaped(text: str) -> str:
    escaped = "".join(SPECIAL.get(c, c) for c in text if c.isprintable() or c == "\N{NO-BREAK SPACE}")
    # two characters that TeX would join
    return re.sub(r"-(?=-)|[?!](?=\N{GRAVE ACCENT})|,(?=,)", lambda m: f"{m.group()}{{}}", escaped)


SPREAD = r"{mean}\,$\pm$\,{sd}"
LATEX = Writer(escape, interval="{value} [{low}, {high}]", spread=SPREAD)
# for a narrow column: the interval is small and below the value
LATEX_CELL = Writer(escape, interval=r"{value}\linebreak{{\scriptsize\mbox{{[{low}, {high}]}}}}", spread=SPREAD)


def number_text(value: Any, digits: int, scale: float = 1.0, signed: bool = False) -> str:
    """A number as LaTeX text; None and NaN are "not estimable"."""
    return escape(number(value, digits, scale, signed))


def amount(value: float, scale: float = 1.0) -> str:
    """An amount with two decimals, or four where it is below 1, so that a small one does not read as 0."""
    return number_text(value, 2 if value * scale >= 1 else 4, scale)


def tabular(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[float | None],
    breaks: Collection[int] = (),
) -> str:
    """A booktabs table, which breaks over pages where it has many rows.

    Args:
        header: titles of the columns, as LaTeX.
        rows: cells, as LaTeX.
        widths: share of the line's width of each column that wraps, negative where it aligns right; None is a column of
            numbers.
        breaks: numbers of rows above which there is extra space.
    """
    columns = "".join(map(_column, widths))
    long = len(rows) > PAGE
    kind, repeated = ("longtable", [r"\endhead"]) if long else ("tabular", [])
    lines = [rf"\begin{{{kind}}}{{@{{}}{columns}@{{}}}}", r"\toprule", _row(header), r"\midrule", *repeated]
    for position, row in enumerate(rows):
        if position and position in breaks:
            lines.append(r"\addlinespace")
        lines.append(_row(row))
    return "\n".join([*lines, r"\bottomrule", rf"\end{{{kind}}}"]) + "\n"


def _row(cells: Sequence[str]) -> str:
    r"""A row. The `\\` above it would take a bracket or an asterisk at its start for its own argument."""
    line = " & ".join(cells) + r" \\"
    return "{}" + line if line.lstrip().startswith(("[", "*")) else line


def _column(width: float | None) -> str:
    if width is None:
        return "r"
    side = "left" if width < 0 else "right"
    return rf">{{\ragged{side}\arraybackslash}}p{{{abs(width):g}\linewidth}}"


def heading(measure: ShownMeasure) -> str:
    """Title and unit of a measure as the head of a narrow column, stacked on short lines."""
    lines: list[str] = []
    for word in re.findall(r"[^\s/]+/?", measure.heading):  # a unit may break after its slash
        if lines and not lines[-1].endswith("/") and len(lines[-1]) + 1 + len(word) <= HEAD_WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    stacked = r"\\".join(map(escape, lines))
    return rf"\shortstack[r]{{{stacked}}}" if len(lines) > 1 else stacked


def slug(text: Any) -> str:
    """A part of a key: what is not a letter, a digit, `_`, `.` or `+` becomes a hyphen."""
    return re.sub(r"[^\w.+]+", "-", str(text)).strip("-") or "-"
