"""Read YAML that people write, such as study files: what YAML would read as something else is refused (PyYAML only).

YAML 1.1 keeps the last of two equal keys, and reads `no` as false, `010` as 8, `12:30` as 750 and `2024-02-28` as a
date. None of this is what somebody meant who describes data.
"""

import contextlib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml

from fairweight.core.errors import InputError, quoted

MOST_BYTES = 2_000_000  # PyYAML takes seconds for more, and a study file has some thousand
MOST_LEVELS = 50
MOST_VALUES = 200_000  # values of the file, each alias counted with all that it stands for
LARGEST_INTEGER = 2**63 - 1
# libyaml, where PyYAML has been built with it, is ten times faster
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

TAG = "tag:yaml.org,2002:"
VALUES = (f"{TAG}bool", f"{TAG}int", f"{TAG}float")  # what a value of the data may be to YAML
KEYED_BY_VALUES = ("reference",)  # keys of a study file whose own keys are values of the data
# what libyaml and PyYAML say -> what to do
REMEDIES = {
    "did not find expected key": "the indentation of this line fits no line above it: indent keys of one level alike",
    "expected <block end>": "the indentation of this line fits no line above it: indent keys of one level alike",
    "expected ',' or": "a bracket is not closed before this line, or a comma is missing",
    "could not find expected ':'": "a key needs a colon and a blank after it, here or in the line above",
    "block sequence entries": "a list begins on a line of its own, each entry after '- '",
    "expected alphabetic or numeric": "a value cannot begin with '*' or '&': put it in quotes",
    "unknown escape character": "in double quotes a backslash begins an escape: use single quotes",
    "another document": "'---' begins a second document, and a file has one",
}
PLAIN_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*|0x[0-9a-fA-F]+)")
PLAIN_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        InputError: it is not YAML in UTF-8, it is too large or nested too deeply, a key occurs twice, or YAML reads a
            value as something else than what is written; one sentence with file, line and column.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise InputError(f"{path} has {size:,} bytes; a YAML file may have at most {MOST_BYTES:,}.")
    try:
        return parse_yaml(path.read_text(encoding="utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: this is not YAML in UTF-8 ({' '.join(str(error).split())}).") from None


def parse_yaml(text: str, name: str) -> Any:
    """Parse YAML, as `read_yaml` does.

    Args:
        text: the content of a file.
        name: name of the file, for messages.
    """
    try:
        _check_size(text, name)
        loader = LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            for child, key in _nodes(node):
                _check_node(child, key, loader, name)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise InputError(f"{_place(name, error.problem_mark)}: this is not YAML{_reason(error, text)}.") from None
    except yaml.YAMLError as error:
        raise InputError(f"{name}: this is not YAML in UTF-8 ({' '.join(str(error).split())}).") from None


def _place(name: str, mark: Any) -> str:
    return f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name


def _reason(error: yaml.MarkedYAMLError, text: str) -> str:
    """What is wrong, and how to write it, for the mistakes that people make; else PyYAML's own words."""
    problem, mark, lines = str(error.problem), error.problem_mark, text.splitlines()
    if (opened := _open_quote(error, text)) is not None:
        return f"; the quote in line {opened + 1} is not closed"
    line, column = (lines[mark.line], mark.column) if mark and mark.line < len(lines) else ("", 0)
    quotes = line[:column].count("'")
    remedy = next((remedy for words, remedy in REMEDIES.items() if words in problem), None)
    if line[column : column + 1] == "\t":
        remedy = "there is a tab, and YAML is indented with blanks only"
    elif mark and line and problem.startswith("mapping values are not allowed"):
        remedy = _colon(lines, mark.line, column)
    elif problem == "did not find expected key" and quotes and quotes % 2 == 0:
        remedy = "a value ends at its second quote: put it in double quotes"
    elif line and problem.startswith("found character"):
        remedy = f"a value cannot begin with {line[column : column + 1]!r}: put it in quotes"
    return f"; {remedy}" if remedy else f" ({problem})"


def _open_quote(error: yaml.MarkedYAMLError, text: str) -> int | None:
    """Line of a quote that is not closed on its own line, so that the next quote of a later line closes it."""
    mark, start = error.problem_mark, error.context_mark
    if start and "quoted scalar" in str(error.context):
        return int(start.line) if mark is None or mark.line != start.line else None
    last: Any = None
    with contextlib.suppress(yaml.YAMLError):  # the error itself, unless the parser has raised it
        for token in yaml.scan(text, Loader=LOADER):
            if mark is None or (token.end_mark.line, token.end_mark.column) > (mark.line, mark.column):
                break
            last = token if isinstance(token, yaml.ScalarToken) else None
    if mark is None or last is None or last.style not in ("'", '"') or last.end_mark.line != mark.line:
        return None
    between = text.splitlines()[mark.line][last.end_mark.column : mark.column]
    return int(last.start_mark.line) if last.start_mark.line < mark.line and not between.strip() else None


def _colon(lines: list[str], number: int, column: int) -> str:
    """Why a colon is not allowed: it is in a value, or that of a key which stands in the wrong place."""
    line, before = lines[number], lines[number - 1] if number else ""
    if ":" in line[:column]:
        return "a value with a colon and a blank needs quotes around it"
    if re.match(r"\s*[\w.-]+:\S", before):
        return f"line {number} needs a blank after the colon"
    return "this line is indented further than the keys above it, whose value stands on their own line"


def _check_size(text: str, name: str) -> None:
    """Refuse levels and aliases that stand for more values than memory holds, before anything is made of them."""
    opened: list[tuple[str | None, int]] = []  # anchor and number of values before it, of every open list and mapping
    sizes: dict[str, int | None] = {}  # values that an anchor stands for; None while it is open
    values = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, values))
            values += 1
            if event.anchor:
                sizes[event.anchor] = None
            if len(opened) > MOST_LEVELS:
                raise InputError(f"{_place(name, event.start_mark)}: more than {MOST_LEVELS} levels; use fewer.")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = values - before
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.AliasEvent) and event.anchor in sizes:
            size = sizes[event.anchor]
            if size is None:
                raise InputError(f"{_place(name, event.start_mark)}: *{event.anchor} contains itself; remove it.")
            values += size
        if values > MOST_VALUES:
            raise InputError(f"{_place(name, event.start_mark)}: more than {MOST_VALUES:,} values; use fewer.")


def _nodes(root: Any) -> Iterator[tuple[Any, str]]:
    """(node, its key) of a node and of every node below it, once; without the keys of mappings."""
    seen, pending = set[int](), [(root, "")]
    while pending:
        node, key = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node, key
        if isinstance(node, yaml.MappingNode):
            pending += [(value, str(key.value)) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            pending += [(child, "") for child in node.value]


def _check_node(node: Any, key: str, loader: Any, name: str) -> None:
    kind = node.tag.removeprefix(TAG)
    if isinstance(node, yaml.ScalarNode):
        _check_scalar(node, loader, name)
    elif kind not in ("map", "seq"):
        raise InputError(f"{_place(name, node.start_mark)}: the tag {quoted(node.tag)} is not known; remove it.")
    if isinstance(node, yaml.MappingNode):
        _check_keys(node, name, VALUES if key in KEYED_BY_VALUES else ())


def _check_scalar(node: Any, loader: Any, name: str) -> None:
    """Refuse tags, dates, and numbers in other notations than the decimal one."""
    place, kind, text = _place(name, node.start_mark), node.tag.removeprefix(TAG), node.value
    written = loader.resolve(yaml.ScalarNode, text, (not node.style, bool(node.style))).removeprefix(TAG)
    if kind not in ("str", written):
        raise InputError(f"{place}: the tag {quoted(node.tag)} does not fit {quoted(text)}; remove it.")
    if kind not in ("str", "int", "float", "bool", "null"):
        what = "a date" if kind == "timestamp" else "more than text"
        raise InputError(f"{place}: YAML reads {quoted(text)} as {what}; put it in quotes.")
    if (kind == "int" and not PLAIN_INTEGER.fullmatch(text)) or (kind == "float" and not PLAIN_NUMBER.fullmatch(text)):
        raise InputError(f"{place}: YAML reads {quoted(text)} as another number; write it in decimal, or in quotes.")
    if kind == "int" and (len(text) > 2 * len(str(LARGEST_INTEGER)) or abs(int(text, 0)) > LARGEST_INTEGER):
        raise InputError(f"{place}: an integer of {len(text):,} digits is too large; put a name in quotes.")


def _check_keys(node: Any, name: str, others: Collection[str]) -> None:
    """Refuse keys that are neither text nor of other tags, and keys that occur twice, of which YAML keeps the last."""
    lines: dict[str, int] = {}
    for key, _ in node.value:
        place = _place(name, key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            raise InputError(f"{place}: a key is a list or a mapping; write a name.")
        if key.tag not in (f"{TAG}str", f"{TAG}merge", *others):
            raise InputError(f"{place}: YAML reads the key {quoted(key.value)} as no text; put it in quotes.")
        text = str(yaml.SafeLoader.bool_values[key.value.lower()]) if key.tag == f"{TAG}bool" else key.value
        if text in lines:
            raise InputError(
                f"{place}: the key {quoted(key.value)} occurs twice, first in line {lines[text]}; remove one of them."
            )
        lines[text] = key.start_mark.line + 1
