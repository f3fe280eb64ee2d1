"""Read files of JSON objects, one a line, that a run keeps while it works (standard library only)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairweight.core.errors import InputError


def read_lines(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Read the objects of a file.

    Args:
        path: the file; its last line may be cut, because the machine may go down while it is written.

    Yields:
        An object, and its place in words.

    Raises:
        InputError: this is no regular file, or a line is not a JSON object in UTF-8.
    """
    if not path.is_file():  # a pipe would wait for a writer
        raise InputError(f"{path} is not a file; remove it.")
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, 1):
        place = f"{path}, line {number}"
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):  # ValueError: not JSON, or not UTF-8
            entry = None
        if isinstance(entry, dict):
            yield entry, place
        elif number < len(lines):
            raise InputError(f"{place}: this is not a JSON object in UTF-8; remove the line.")
