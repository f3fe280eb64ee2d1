"""Read files of JSON objects that a run keeps while it works (standard library only)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairweight.core.errors import InputError


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that is one JSON object.

    Raises:
        InputError: this is no regular file, or is not a JSON object in UTF-8.
    """
    _check_file(path)
    entry = _parsed(path.read_bytes())
    if entry is None:
        raise InputError(f"{path}: this is not a JSON object in UTF-8; remove the file.")
    return entry


def read_lines(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Read the objects of a file.

    Args:
        path: the file; its last line may be cut, because the machine may go down while it is written.

    Yields:
        An object, and its place in words.

    Raises:
        InputError: this is no regular file, or a line is not a JSON object in UTF-8.
    """
    _check_file(path)
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, 1):
        entry, place = _parsed(line), f"{path}, line {number}"
        if entry is not None:
            yield entry, place
        elif number < len(lines):
            raise InputError(f"{place}: this is not a JSON object in UTF-8; remove the line.")


def _check_file(path: Path) -> None:
    if not path.is_file():  # a pipe would wait for a writer
        raise InputError(f"{path} is not a file; remove it.")


def _parsed(text: bytes) -> dict[str, Any] | None:
    """A JSON object; None for anything else."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):  # ValueError: not JSON, or not UTF-8
        return None
    return entry if isinstance(entry, dict) else None
