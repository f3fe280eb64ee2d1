"""Questions with several answers, from CSV or from JSON with one object per line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairweight.core.errors import InputError, did_you_mean, listed
from fairweight.data.delimited_rows import rows as delimited_rows
from fairweight.data.delimited_text import Form


@dataclass(frozen=True)
class Columns:
    """Columns of a file of questions.

    Attributes:
        question: parts of the question, which are joined by blanks.
        answers: one column for each answer.
        right: number of the right answer, from 0, or its text.
        kind: what the question is about.
    """

    question: list[str]
    answers: list[str]
    right: str
    kind: str


@dataclass(frozen=True)
class Question:
    """A question, its answers, the position of the right one, and what it is about."""

    text: str
    answers: list[str]
    right: int
    kind: str


def read_questions(path: Path, name: str, columns: Columns, wanted: int | None) -> list[Question]:
    """Read the questions of a file.

    Args:
        path, name: the file, and its name in the study.
        columns: its columns.
        wanted: number of questions of each kind, spread evenly over the file; all of them if None.

    Raises:
        InputError: a column is missing, a line is not JSON, or a right answer is none of the answers.
    """
    records = _json_lines(path, name) if path.read_bytes()[:1] == b"{" else _table(path, name)
    questions = [_question(record, f"file {name!r}, question {n:,}", columns) for n, record in enumerate(records, 1)]
    if not questions:
        raise InputError(f"file {name!r} has no questions")
    if wanted is None:
        return questions
    of_kind: dict[str, list[Question]] = {}
    for question in questions:
        of_kind.setdefault(question.kind, []).append(question)
    return [
        group[position * len(group) // min(wanted, len(group))]
        for group in of_kind.values()
        for position in range(min(wanted, len(group)))
    ]


def _table(path: Path, name: str) -> list[dict[str, str]]:
    names, rows = delimited_rows(path, name, Form(",", '"', "utf-8", fixed=True))
    return [dict(zip(names, values, strict=True)) for values in rows]


def _json_lines(path: Path, name: str) -> list[dict[str, Any]]:
    records = []
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), start=1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except ValueError:
                raise InputError(f"file {name!r}, line {number:,}: this is not JSON; fix the file") from None
            if not isinstance(records[-1], dict):
                raise InputError(f"file {name!r}, line {number:,}: this is not a JSON object; fix the file")
    return records


def _question(record: Mapping[str, Any], place: str, columns: Columns) -> Question:
    for column in (*columns.question, *columns.answers, columns.right, columns.kind):
        if column not in record:
            hint = did_you_mean(column, record)
            raise InputError(f"{place}: there is no column {column!r}{hint}; there are {listed(record)}")
    answers = [str(record[column]).strip() for column in columns.answers]
    right = str(record[columns.right]).strip()
    if right in answers:
        position = answers.index(right)
    elif right.isdecimal() and int(right) < len(answers):
        position = int(right)
    else:
        raise InputError(
            f"{place}: the right answer in column {columns.right!r} is none of the {len(answers)} answers; write its "
            "number, from 0, or its text"
        )
    text = " ".join(str(record[column]).strip() for column in columns.question)
    return Question(text, answers, position, str(record[columns.kind]))
