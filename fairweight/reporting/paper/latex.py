"""Text, numbers and tables as LaTeX.  Whatever a name holds comes out as text, with pdfLaTeX and LuaLaTeX alike."""

import re
from collections.abc import Collection, Sequence
from typing import Any

from fairweight.core.formatting import missing, number

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\symbol{34}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}",
    "\N{MINUS SIGN}": r"$-$", "\N{NO-BREAK SPACE}": "~", "±": r"$\pm$", "×": r"$\times$",
}  # fmt: skip
PAGE = 36  # rows of a table that fits on a page
LONG = 7  # letters of a word after which a table cell may break it
WHOLE = 10  # letters of a part of a name that is not broken
ENDLESS = 40  # letters of a word that running text may break, too


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
    found = "".join(SPECIAL.get(c, c) for c in text if c.isprintable() or c == "\N{NO-BREAK SPACE}")
    # two characters that TeX would join
    return re.sub(r"-(?=-)|[?!](?=\N{GRAVE ACCENT})|,(?=,)", lambda m: f"{m.group()}{{}}", found)


def modelled(value: float, scale: float = 1.0) -> str:
    """A small or large amount with digits enough to be told from nothing."""
    return figure_text(value, 2 if value * scale >= 1 else 4, scale)


def figure_text(value: Any, digits: int, scale: float = 1.0, signed: bool = False) -> str:
    """A number as LaTeX text; what cannot be computed is said to be so."""
    return escape(number(value, digits, scale, signed))


def with_spread(mean: Any, sd: Any, digits: int, scale: float = 1.0, signed: bool = False) -> str:
    """Mean and standard deviation over seeds; of one seed there is no spread."""
    text = figure_text(mean, digits, scale, signed)
    return text if missing(mean) or missing(sd) else rf"{text}\,$\pm$\,{figure_text(sd, digits, scale)}"


def with_interval(value: Any, low: Any, high: Any, digits: int, scale: float = 1.0, signed: bool = True) -> str:
    """A value with its interval in brackets."""
    text = figure_text(value, digits, scale, signed)
    if missing(value) or missing(low):
        return text
    return f"{text} [{figure_text(low, digits, scale, signed)}, {figure_text(high, digits, scale, signed)}]"


def above_interval(value: Any, low: Any, high: Any, digits: int, scale: float = 1.0, signed: bool = True) -> str:
    """The same for a narrow column: the interval stands small below the value."""
    return with_interval(value, low, high, digits, scale, signed).replace(" [", r"\linebreak{\scriptsize\mbox{[", 1) + (
        "" if missing(value) or missing(low) else "}}"
    )


def tabular(header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float | None], breaks: Collection[int] = ()) -> str:  # fmt: skip
    """A booktabs table, which breaks over pages where it has many rows.

    Args:
        header: titles of the columns, as LaTeX.
        rows: cells, as LaTeX.
        widths: share of the line's width of each column that wraps, negative where it aligns right; None is a column of
            numbers.
        breaks: numbers of rows above which a rule stands.
    """
    columns = "".join(map(_column, widths))
    long = len(rows) > PAGE
    kind, repeated = ("longtable", [r"\endhead"]) if long else ("tabular", [])
    lines = [
        rf"\begin{{{kind}}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        _row(header),
        r"\midrule",
        *repeated,
    ]
    for position, row in enumerate(rows):
        if position and position in breaks:
            lines.append(r"\addlinespace")
        lines.append(_row(row))
    return "\n".join([*lines, r"\bottomrule", rf"\end{{{kind}}}"]) + "\n"


def _row(cells: Sequence[str]) -> str:
    r"""A row; what stands above it, such as `\\`, would take a bracket or an asterisk at its start for its own argument."""
    line = " & ".join(cells) + r" \\"
    return "{}" + line if line.lstrip().startswith(("[", "*")) else line


def _column(width: float | None) -> str:
    if width is None:
        return "r"
    side = "left" if width < 0 else "right"
    return rf">{{\ragged{side}\arraybackslash}}p{{{abs(width):g}\linewidth}}"


def head(*lines: str) -> str:
    """The title of a column, on several lines; it is LaTeX already."""
    broken = r"\\".join(lines)
    return rf"\shortstack[r]{{{broken}}}" if len(lines) > 1 else broken


def slug(text: Any) -> str:
    """A part of a key: what is not a letter, a digit, `_`, `.` or `+` becomes a hyphen."""
    return re.sub(r"[^\w.+]+", "-", str(text)).strip("-") or "-"
