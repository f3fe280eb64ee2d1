"""Size and SHA-256 of every file that a step wrote, in its usage file, and their verification (standard library only).

A step records its files when it has made them. The steps that read a file compare it with that record first.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairweight.core.errors import InputError

SUFFIX = ".usage.json"  # of usage files; what stands before it ends in the name of the rule
FILES, OWN = "files", "sha256_of_the_rest"  # keys of a usage file that are no figures
# folders of usage files that are not beside the files: of raw files, which may have any name, and of whole folders
BESIDE, SUMMARY = "-usage", "summary"

Usage = dict[str, Any]


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rule_of(usage: Path) -> str:
    """Name of the rule that wrote a usage file."""
    return usage.name.removesuffix(SUFFIX).split(".")[-1]


@dataclass(frozen=True)
class WrittenFile:
    """A file that a step wrote, as its usage file records it.

    Attributes:
        path: the file.
        usage: usage file of the step.
        size: its bytes.
        sha256: its SHA-256, in hexadecimal.
        declared: whether it is itself an output of the rule, so that Snakemake makes it again where it is missing; not
            a file within a folder that is the output.
    """

    path: Path
    usage: Path
    size: int
    sha256: str
    declared: bool

    def problem(self, *, content: bool = True) -> str | None:
        """What is wrong with the file now; None if nothing is.

        Args:
            content: whether to read the file; without it, only its size is compared.
        """
        try:
            size = self.path.stat().st_size
            if size != self.size:
                return f"has {size:,} bytes, not {self.size:,}"
            if content and checksum(self.path) != self.sha256:
                return "has another checksum than when it was made"
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        return None

    def sentence(self, problem: str) -> str:
        """A problem with its place and its remedy."""
        culprit = "it" if self.declared else str(self.usage)
        return (
            f"{self.path}, which {rule_of(self.usage)} wrote, {problem}; delete {culprit}; the next run makes it again."
        )


# ---- written by a step


def records(path: Path, outputs: Iterable[Path], others: Iterable[Path]) -> Usage:
    """The part of a usage file that lists what the step wrote.

    Args:
        path: the usage file. Paths of files are relative to its folder, so that results may be moved.
        outputs: files, and folders with all their files, that are outputs of the rule.
        others: further files that the step wrote.
    """
    files = {}
    for written, declared in [*((output, True) for output in outputs), *((other, False) for other in others)]:
        for file in _files_of(written):
            name = Path(os.path.relpath(file, path.parent)).as_posix()
            if file != path and name not in files:
                record = {"bytes": file.stat().st_size, "sha256": checksum(file)}
                files[name] = record | {"declared": declared and file == written}
    return {FILES: dict(sorted(files.items()))}


def sealed(usage: Usage) -> Usage:
    """Content of a usage file with its own checksum."""
    return usage | {OWN: _own_checksum(usage)}


def _files_of(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)


def _own_checksum(usage: Usage) -> str:
    text = json.dumps({key: value for key, value in usage.items() if key != OWN}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


# ---- read


def read_usage(path: Path) -> tuple[Usage, list[WrittenFile]]:
    """Read a usage file: its figures, and the files that the step wrote.

    Raises:
        InputError: it is not what the step wrote. A usage file of an older version has neither checksum nor files.
    """
    try:
        if not path.is_file():  # a pipe would wait for a writer
            raise ValueError(path)
        usage: Usage = json.loads(path.read_text(encoding="utf-8"))
        if OWN in usage and usage[OWN] != _own_checksum(usage):
            raise ValueError(OWN)
        files = [
            WrittenFile(Path(os.path.normpath(path.parent / name)), path, f["bytes"], f["sha256"], f["declared"])
            for name, f in usage.get(FILES, {}).items()
        ]
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        raise InputError(f"{path} is damaged, or was edited; delete it; the next run makes it again.") from None
    return {key: value for key, value in usage.items() if key not in (FILES, OWN)}, files


def verify(paths: Iterable[str | Path]) -> None:
    """Compare files with the records of the steps that wrote them; files without a record are not looked at.

    Further files that such a step has written beside them are compared as well.

    Args:
        paths: files, and folders with all the files that were written into them.

    Raises:
        InputError: a file is missing, cannot be read, or is not the one that the step wrote.
    """
    folders: dict[Path, list[WrittenFile]] = {}
    for path in map(Path, paths):
        if path.name.endswith(SUFFIX):
            read_usage(path)
            continue
        known = []
        for folder in (path.parent, Path(f"{path.parent}{BESIDE}"), path.parent / SUMMARY):
            if folder not in folders:
                folders[folder] = _recorded_in(folder)
            known += folders[folder]
        place = Path(os.path.normpath(path))
        read = [file for file in known if place in (file.path, *file.path.parents)]
        steps = {file.usage for file in read}
        read += [file for file in known if not file.declared and file.usage in steps]
        for file in read:
            if (wrong := file.problem()) is not None:
                raise InputError(file.sentence(wrong))


def _recorded_in(folder: Path) -> list[WrittenFile]:
    """The files that the usage files of a folder list."""
    known = []
    for usage in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            known += read_usage(usage)[1]
        except FileNotFoundError:
            continue  # its step is about to run again
    return known
