"""Texts for a language model: passages out of plain text or JSON, and pairs of sentences out of CSV, one text a row."""

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.errors import InputError

OPTIONS = {
    "pairs": {"type": "array", "items": {"type": "string"}, "default": [], "description": "Names of the files that are CSV with one pair of sentences a row; the others are text (UTF-8), or where their text is JSON, all strings in it, those of one list together."},
    "more": {"type": "string", "default": "sent_more", "description": "Column of the sentence that is the more stereotyping one."},
    "less": {"type": "string", "default": "sent_less", "description": "Column of the other one."},
    "kind": {"type": "string", "default": "bias_type", "description": "Column that tells what a pair is about."},
    "characters": {"type": "integer", "minimum": 20, "default": 1500, "description": "Longest passage: text is cut at the ends of sentences before it."},
    "passages": {"type": ["integer", "null"], "minimum": 1, "default": None, "description": "Only so many passages of each file, spread evenly over it, for a quick trial."},
    "pairs_a_kind": {"type": ["integer", "null"], "minimum": 1, "default": None, "description": "Only the first so many pairs of each kind, for a quick trial."},
}  # fmt: skip
HALF = re.compile(r"[\ud800-\udfff]")  # of a surrogate pair
SENTENCE = re.compile(r"(?<=[.!?])\s+")


def read(
    files: dict[str, Path], *, pairs: list[str], more: str, less: str, kind: str, characters: int,
    passages: int | None, pairs_a_kind: int | None,
) -> Iterator[pd.DataFrame]:  # fmt: skip
    """Read the files, one below the other.

    Args:
        files: name -> path.

    Yields:
        `text`; `pair`, the number of a sentence's pair, positive for the more stereotyping one of the two, 0 for a passage;
        `kind`, what the pair is about, None for a passage; and `__file__`.

    Raises:
        InputError: a file is empty, is not UTF-8, or has not the columns.
    """
    for name in pairs:
        if name not in files:
            raise InputError(f"reader: pairs: there is no file {name!r}; there are {', '.join(files)}")
    number = 0
    for name, path in files.items():
        if name in pairs:
            found = _pairs(path, name, [more, less, kind], pairs_a_kind)
            numbers = range(number + 1, number + len(found) + 1)
            rows = [
                (text, sign * of, about)
                for of, (one, two, about) in zip(numbers, found, strict=True)
                for text, sign in ((one, 1), (two, -1))
            ]
            number += len(found)
        else:
            rows = [(text, 0, None) for text in _passages(_decoded(path, name), name, characters, passages)]
        frame = pd.DataFrame(rows, columns=["text", "pair", "kind"]).astype({"text": object, "kind": object})
        yield frame.assign(__file__=name)


def _decoded(path: Path, name: str) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"file {name!r} is not UTF-8 (byte {error.start}); convert it") from None
    if not text.strip():
        raise InputError(f"file {name!r} holds no text")
    return text


def _passages(text: str, name: str, characters: int, wanted: int | None) -> list[str]:
    try:
        lists = list(_texts(json.loads(text))) if text.lstrip()[:1] in "[{" else [text]
    except json.JSONDecodeError:
        lists = [text]
    found = [passage for whole in lists for passage in _cut(whole, characters)]
    if not found:
        raise InputError(f"file {name!r} holds no text")
    for number, passage in enumerate(found, start=1):
        if half := HALF.search(passage):  # which JSON can state and no text can hold
            raise InputError(
                f"file {name!r} has half a character, \\u{ord(half[0]):x}, in passage {number:,}; state both halves or none"
            )
    if wanted is None or wanted >= len(found):
        return found
    return [found[position * len(found) // wanted] for position in range(wanted)]


def _texts(node: Any) -> Iterator[str]:
    """The strings in JSON; those of one list are the sentences of one text."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list) and node and all(isinstance(item, str) for item in node):
        yield " ".join(node)
    elif isinstance(node, list | dict):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _texts(item)


def _cut(text: str, characters: int) -> Iterator[str]:
    """Passages of whole sentences, as long as they may be; a longer sentence is cut where it must be."""
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


def _pairs(path: Path, name: str, columns: list[str], wanted: int | None) -> list[tuple[Any, ...]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # of surplus values, which would be cut
            # without it a first value too many would be the index, and each column the one beside it
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except UnicodeDecodeError as error:
        raise InputError(f"file {name!r} is not UTF-8 (byte {error.start}); convert it") from None
    except pd.errors.EmptyDataError:
        raise InputError(f"file {name!r} is empty") from None
    except pd.errors.ParserWarning:
        raise InputError(
            f"file {name!r} has rows with more values than columns; take commas at their ends out"
        ) from None
    except pd.errors.ParserError as error:
        raise InputError(f"file {name!r} is not CSV: {' '.join(str(error).split())}") from None
    for column in columns:
        if column not in frame:
            raise InputError(f"file {name!r} has no column {column!r}; it has {', '.join(frame.columns)}")
    if wanted is not None:
        frame = frame[frame.groupby(columns[2], sort=False).cumcount() < wanted]
    return list(frame[columns].itertuples(index=False, name=None))
