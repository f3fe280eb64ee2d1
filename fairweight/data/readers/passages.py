"""Read texts for a language model: passages from text or JSON, pairs of sentences, questions with answers."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core import text_sets
from fairweight.core.errors import InputError, did_you_mean, listed
from fairweight.data.delimited_rows import rows as delimited_rows
from fairweight.data.delimited_text import Form, check_first_bytes, undecodable
from fairweight.data.questions import Columns, Question, read_questions

OPTIONS = {
    "pairs": {
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "description": "Names of the CSV files with one pair of sentences per row. Other files are UTF-8 text; if the "
        "text is JSON, all strings in it are read, and the strings of one list are joined.",
    },
    "more": {"type": "string", "default": "sent_more", "description": "Column of the more stereotyping sentence."},
    "less": {"type": "string", "default": "sent_less", "description": "Column of the less stereotyping sentence."},
    "kind": {"type": "string", "default": "bias_type", "description": "Column that states what a pair is about."},
    "characters": {
        "type": "integer",
        "minimum": 20,
        "default": 1500,
        "description": "Longest passage; text is cut at the ends of sentences.",
    },
    "passages": {
        "type": ["integer", "object", "null"],
        "minimum": 1,
        "additionalProperties": {"type": "integer", "minimum": 1},
        "default": None,
        "description": "Read only this number of passages of each file, or of each file that is named (`file: number`),"
        " spread evenly over it.",
    },
    "pairs_a_kind": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Read only this number of pairs of each kind, from the start, for a quick trial.",
    },
    "questions": {
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "description": "Names of the files with one question and its answers per row: CSV, or JSON with one object per "
        "line.",
    },
    "question": {
        "type": "array",
        "items": {"type": "string"},
        "minItems": 1,
        "default": ["question"],
        "description": "Columns of a question, joined by blanks.",
    },
    "answers": {
        "type": "array",
        "items": {"type": "string"},
        "minItems": 2,
        "default": ["ans0", "ans1", "ans2"],
        "description": "Columns of the answers.",
    },
    "right": {
        "type": "string",
        "default": "label",
        "description": "Column with the number of the right answer, from 0, or with its text.",
    },
    "category": {
        "type": "string",
        "default": "category",
        "description": "Column that states what a question is about.",
    },
    "questions_a_kind": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Read only this number of questions of each kind, spread evenly, for a quick trial.",
    },
}
HALF = re.compile(r"[\ud800-\udfff]")  # of a surrogate pair
SENTENCE = re.compile(r"(?<=[.!?])\s+")


def read(
    files: dict[str, Path],
    *,
    pairs: list[str],
    more: str,
    less: str,
    kind: str,
    characters: int,
    passages: int | dict[str, int] | None,
    pairs_a_kind: int | None,
    questions: Sequence[str] = (),
    question: Sequence[str] = ("question",),
    answers: Sequence[str] = (),
    right: str = "label",
    category: str = "category",
    questions_a_kind: int | None = None,
) -> Iterator[pd.DataFrame]:
    """Read the files one after the other, one text per row.

    Args:
        files: name -> path.
        pairs, more, less, kind, characters, passages, pairs_a_kind, questions, question, answers, right, category,
            questions_a_kind: see `OPTIONS`.

    Yields:
        `text`; `pair`, a number of `core.text_sets`: of a sentence's pair, positive for the more stereotyping sentence,
        negative for the less stereotyping one, or of a question, and 0 for a passage; `kind` and `category`, what a
        pair and what a question is about, None for other texts; and `__file__`.

    Raises:
        InputError: a file is empty, is not UTF-8, or lacks a column.
    """
    numbered = list(passages) if isinstance(passages, dict) else []
    for option, names in (("pairs", pairs), ("passages", numbered), ("questions", questions)):
        for name in names:
            if name not in files:
                hint = did_you_mean(name, files)
                raise InputError(f"reader: {option}: there is no file {name!r}{hint}; there are {listed(files)}")
    number = asked = 0
    columns = Columns([*question], [*answers], right, category)
    rows: list[tuple[str, int, str | None, str | None]]
    for name, path in files.items():
        if name in pairs:
            sentences = _pairs(path, name, [more, less, kind], pairs_a_kind)
            rows = [
                (text, signed, about, None)
                for pair, (more_text, less_text, about) in enumerate(sentences, start=number + 1)
                for text, signed in ((more_text, pair), (less_text, -pair))
            ]
            number += len(sentences)
        elif name in questions:
            asked_here = read_questions(path, name, columns, questions_a_kind)
            rows = [row for n, each in enumerate(asked_here, start=asked + 1) for row in _question_rows(n, each)]
            asked += len(asked_here)
        else:
            wanted = passages.get(name) if isinstance(passages, dict) else passages
            rows = [(text, 0, None, None) for text in _passages(_utf8_text(path, name), name, characters, wanted)]
        frame = pd.DataFrame(rows, columns=["text", "pair", "kind", "category"])
        frame = frame.astype({"text": object, "kind": object, "category": object})
        yield frame.assign(__file__=name)


def _question_rows(number: int, asked: Question) -> Iterator[tuple[str, int, None, str]]:
    """Rows of a question: its text alone, and with each answer."""
    yield asked.text, text_sets.question(number), None, asked.kind
    for position, answer in enumerate(asked.answers):
        yield f"{asked.text} {answer}", text_sets.answer(number, right=position == asked.right), None, asked.kind


def _utf8_text(path: Path, name: str) -> str:
    check_first_bytes(path, name, "utf-8")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{undecodable(path, name, 'utf-8', error)}; convert it") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"file {name!r}, line {line:,}: there is a NUL character; convert the file to UTF-8")
    if not text.strip():
        raise InputError(f"file {name!r} contains no text")
    return text


def _passages(content: str, name: str, characters: int, wanted: int | None) -> list[str]:
    try:
        texts = (
            list(_texts(json.loads(content, object_pairs_hook=_values))) if content.lstrip()[:1] in "[{" else [content]
        )
    except ValueError:
        texts = [content]
    except RecursionError:
        raise InputError(f"file {name!r} is JSON of too many levels; write it with fewer") from None
    parts = [passage for text in texts for passage in _cut(text, characters)]
    if not parts:
        raise InputError(f"file {name!r} contains no text")
    for number, passage in enumerate(parts, start=1):
        if half := HALF.search(passage):  # JSON can express it, but text cannot hold it
            raise InputError(
                f"file {name!r} has half a character, \\u{ord(half[0]):x}, in passage {number:,}; "
                "write both halves or none"
            )
    if wanted is None or wanted >= len(parts):
        return parts
    return [parts[position * len(parts) // wanted] for position in range(wanted)]


def _values(pairs: list[tuple[str, Any]]) -> dict[int, Any]:
    """The values of a JSON object, by position: two of them may have the same key."""
    return dict(enumerate(value for _key, value in pairs))


def _texts(node: Any) -> Iterator[str]:
    """The strings in parsed JSON; the strings of one list are the sentences of one text."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list) and node and all(isinstance(item, str) for item in node):
        yield " ".join(node)
    elif isinstance(node, list | dict):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _texts(item)


def _cut(text: str, characters: int) -> Iterator[str]:
    """Passages of whole sentences, as long as `characters` allows; only a longer sentence is cut within."""
    passage = ""
    for sentence in SENTENCE.split(text.strip()):
        if passage and len(passage) + 1 + len(sentence) > characters:
            yield passage
            passage = ""
        passage = f"{passage} {sentence}".strip()
        while len(passage) > characters:
            yield passage[:characters]
            passage = passage[characters:].strip()
    if passage:
        yield passage


def _pairs(path: Path, name: str, columns: list[str], wanted: int | None) -> list[tuple[str, str, str]]:
    names, rows = delimited_rows(path, name, Form(",", '"', "utf-8", fixed=True))
    for column in columns:
        if column not in names:
            hint = did_you_mean(column, names)
            raise InputError(f"file {name!r} has no column {column!r}{hint}; it has {listed(names)}")
    positions = [names.index(column) for column in columns]
    pairs, number_of_kind = [], Counter[str]()
    for values in rows:
        more, less, kind = (values[position] for position in positions)
        number_of_kind[kind] += 1
        if wanted is None or number_of_kind[kind] <= wanted:
            pairs.append((more, less, kind))
    return pairs
