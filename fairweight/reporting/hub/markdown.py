"""Text and tables as Markdown (CommonMark with GitHub's tables). Any name is shown as plain text."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fairweight.core.formatting import Writer

# characters with a meaning inside a line; at its start, a list, a heading or a rule; a short code of an emoji
INSIDE = re.compile(r"[\\`*_{}\[\]#|~$@^]|:(?=\w+:)")
START = re.compile(r"^(\d*)([-+=.)])(?!\d)")  # a digit follows in a number only


def escape(text: Any) -> str:
    """Text as Markdown that shows it as it is, on one line; HTML is shown as text."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    quoted = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return START.sub(r"\1\\\2", INSIDE.sub(r"\\\g<0>", quoted))


MARKDOWN = Writer(escape)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """A table.

    Args:
        header: titles of the columns.
        rows: cells, as Markdown.
        text_columns: columns of text; those to the right of them are numbers, aligned right.
    """
    rule = ["---" if i < text_columns else "---:" for i in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)) + "\n"


def page(metadata: Mapping[str, Any], sections: Mapping[str, str], title: str) -> str:
    """A card: metadata as YAML, then a heading and sections.

    Args:
        metadata: what the hub reads; entries of None are left out.
        sections: heading -> Markdown; empty ones are left out.
        title: of the page, as text.
    """
    present = {key: value for key, value in metadata.items() if value is not None}
    front = yaml.safe_dump(present, sort_keys=False, allow_unicode=True, width=10**9)
    body = "\n\n".join(f"## {heading}\n\n{text.strip()}" for heading, text in sections.items() if text.strip())
    return f"---\n{front}---\n\n# {escape(title)}\n\n{body}\n"


def fenced(text: str, language: str = "") -> str:
    """A block of code, with a fence longer than any in the code."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"
