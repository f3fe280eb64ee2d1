"""Print the reference of the command line, in Markdown, from its argparse parser.

    python -P docs/generate/command_line.py

A process of its own: the command answers interrupts in its own way from its import on.
"""

import argparse
import textwrap
from collections.abc import Iterator

from fairweight.cli.main import command_parser


def lines() -> Iterator[str]:
    """Lines of the page: a section for each command, with a table of its arguments."""
    _, commands = command_parser([])
    for action in commands._choices_actions:
        name, one_line = action.dest, action.help or ""
        sub = commands.choices[name]
        words = " ".join(sub.format_usage().removeprefix("usage:").replace(" [-h]", "").split())
        usage = textwrap.fill(words, 78, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)
        yield from (f"## fairweight {name}", "", _sentence(sub.description or one_line), "", "```sh", usage, "```", "")
        arguments = [a for a in sub._actions if not isinstance(a, argparse._HelpAction)]
        if arguments:
            yield from ("| argument | meaning |", "|---|---|", *map(_row, arguments), "")
        if sub.epilog:
            yield from (sub.epilog, "")


def _row(argument: argparse.Action) -> str:
    names = ", ".join(f"`{name}`" for name in argument.option_strings) or f"`{argument.dest}`"
    shown = argument.help or ""
    if argument.choices:
        shown = f"{shown} one of {', '.join(map(str, argument.choices))}".strip()
    required = " Required." if argument.required and argument.option_strings else ""
    meaning = f"{_sentence(shown)}{required}".replace("%%", "%").replace("|", "\\|")
    return f"| {names} | {meaning} |"


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if not text or text.endswith(".") else f"{text}."


if __name__ == "__main__":
    print("\n".join(lines()))
