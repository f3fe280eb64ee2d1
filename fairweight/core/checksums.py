"""Size and SHA-256 of every file that a step wrote, in its usage file, and their verification (standard library only).

A step records its files when it has made them. The steps that read a file compare it with that record first.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

from fairweight.core.errors import InputError

SUFFIX = ".usage.json"  # of usage files; what stands before it ends in the name of the rule
FILES, OWN = "files", "sha256_of_the_rest"  # keys of a usage file that are no figures
DATA_SUFFIX = "-usage"  # of the folder of usage files beside a folder that holds nothing but data

Usage = dict[str, Any]


class FileRecord(TypedDict):
    """What a step records of a file that it wrote."""

    bytes: int
    sha256: str


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rule_of(usage: Path) -> str:
    """Name of the rule that wrote a usage file."""
    return usage.name.removesuffix(SUFFIX).split(".")[-1]


# ---- written by a step


def records(usage: Path, written: Iterable[Path]) -> dict[str, FileRecord]:
    """Record files that a step wrote.

    Args:
        usage: the step's usage file, which is left out.
        written: files, and folders with all their files.

    Returns:
        Path relative to the folder of the usage file -> record, so that results may be moved.
    """
    files = {file for path in written for file in _files_of(path) if file != usage}
    return {
        Path(os.path.relpath(file, usage.parent)).as_posix(): {"bytes": file.stat().st_size, "sha256": checksum(file)}
        for file in sorted(files)
    }


def _files_of(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)


def sealed(usage: Usage) -> Usage:
    """The content of a usage file with its own checksum."""
    return usage | {OWN: _own_checksum(usage)}


def _own_checksum(usage: Usage) -> str:
    text = json.dumps({key: value for key, value in usage.items() if key != OWN}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


# ---- read


def read_usage(path: Path) -> tuple[Usage, dict[str, FileRecord]]:
    """Read a usage file: its figures, and the records of the files that the step wrote.

    Raises:
        InputError: it is not what the step wrote. A usage file of an older version has no checksum and no records.
    """
    try:
        usage: Usage = json.loads(path.read_text(encoding="utf-8"))
        own = usage.get(OWN)
        files: dict[str, FileRecord] = usage.get(FILES, {})
        damaged = own is not None and own != _own_checksum(usage)
    except (ValueError, AttributeError):
        damaged = True
    if damaged:
        raise InputError(f"{path} is damaged, or was edited; delete it; the next run makes it again.")
    return {key: value for key, value in usage.items() if key not in (FILES, OWN)}, files


def problem(path: Path, record: FileRecord, *, content: bool = True) -> str | None:
    """What is wrong with a file that a step wrote; None if nothing is.

    Args:
        path: the file.
        record: what the step recorded of it.
        content: whether to read the file; without it, only its size is compared.
    """
    try:
        size = path.stat().st_size
        if size != record["bytes"]:
            return f"has {size:,} of {record['bytes']:,} bytes"
        if content and checksum(path) != record["sha256"]:
            return "has another checksum than when it was made"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def verify(paths: Iterable[str | Path]) -> None:
    """Compare files with the records of the steps that wrote them; files without a record are not looked at.

    Args:
        paths: files, and folders with all the files that were written into them.

    Raises:
        InputError: a file is missing, cannot be read, or is not the one that the step wrote.
    """
    folders: dict[Path, dict[str, tuple[str, FileRecord]]] = {}
    for path in map(Path, paths):
        if path.name.endswith(SUFFIX):
            read_usage(path)
            continue
        name, beside = os.path.normpath(path), Path(f"{path.parent}{DATA_SUFFIX}")
        for folder in (path.parent, beside):
            if folder not in folders:
                folders[folder] = _recorded_in(folder)
        known = folders[path.parent] | folders[beside]
        inside = [name] if name in known else [file for file in known if file.startswith(f"{name}{os.sep}")]
        for file in inside:
            rule, record = known[file]
            if (wrong := problem(Path(file), record)) is not None:
                raise InputError(f"{file}, which {rule} wrote, {wrong}; delete it; the next run makes it again.")


def _recorded_in(folder: Path) -> dict[str, tuple[str, FileRecord]]:
    """Normalized path -> (rule, record) of every file that the usage files of a folder list."""
    known: dict[str, tuple[str, FileRecord]] = {}
    for usage in folder.glob(f"*{SUFFIX}"):
        try:
            _, files = read_usage(usage)
        except FileNotFoundError:
            continue  # its step is about to run again
        known |= {os.path.normpath(folder / name): (rule_of(usage), record) for name, record in files.items()}
    return known


def all_records(results: Path) -> Iterator[tuple[Path, Mapping[str, FileRecord] | None]]:
    """(usage file, its records by path relative to its folder) of every step of a study; None if it is damaged."""
    for usage in sorted(results.rglob(f"*{SUFFIX}")):
        try:
            yield usage, read_usage(usage)[1]
        except InputError:
            yield usage, None
