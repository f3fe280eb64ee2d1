"""Tables in parts: a folder of files that make one table, packed as one raw file (standard library only).

Spark, Hive and Dask write a table as a folder. Its files are packed in sorted order and without dates and owners, so
that the same parts are the same raw file. A reader takes one part after the other.
"""

import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from fairweight.core.errors import InputError, listed, quoted
from fairweight.core.local_files import is_file, workflow_input

MARK = ".fairweight-parts"  # name of the first, empty member of a packed folder
MOST_PARTS = 10_000
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # as Hive and Spark name the folder of rows without a value
PARTITION = re.compile(r"([^=]+)=(.*)")
TABLE_FORMATS = {  # what a folder holds -> table format whose current rows are not simply those of its files
    "_delta_log": "a Delta table",
    "metadata": "an Iceberg table",
    ".hoodie": "a Hudi table",
}


@dataclass(frozen=True)
class Part:
    """One part of a raw file.

    Attributes:
        name: of the raw file and the part, for messages.
        path: the part as a file; there is none any more once the next part is asked for.
        partition: column -> value of all rows, from folders such as `year=2026`; None is a missing value.
    """

    name: str
    path: Path
    partition: dict[str, str | None] = field(default_factory=dict)


def is_folder(path: Path) -> bool:
    """Whether there is a folder at a path; a path that the system refuses, such as a name too long, has none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def part_paths(folder: Path) -> list[Path]:
    """Files of a folder that make a table, in sorted order; what begins with `_` or `.`, and `.crc`, is left out.

    Raises:
        InputError: there are none or too many, the folder is of a table format that is more than its files, holds
            other folders than partitions such as `year=2026`, or Snakemake would take a part of a path for a wildcard.
    """
    _check_no_table_format(folder)
    paths: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".")) or path.suffix == ".crc":
            continue
        if not path.is_dir():
            paths.append(workflow_input(path))
        elif PARTITION.fullmatch(path.name):
            paths += part_paths(path)
        else:
            raise InputError(
                f"the folder {folder} holds the folder {quoted(path.name)}; a table in parts has folders such as "
                "'year=2026' only: name the folder with the parts, or move this one away"
            )
    if not paths:
        raise InputError(f"the folder {folder} holds no parts of a table; name a file, or a folder of CSV or Parquet")
    if len(paths) > MOST_PARTS:
        raise InputError(
            f"the folder {folder} holds {len(paths):,} parts, and at most {MOST_PARTS:,} are allowed; write fewer"
        )
    return paths


def _check_no_table_format(folder: Path) -> None:
    for name, kind in TABLE_FORMATS.items():
        if (folder / name).is_dir() and (name != "metadata" or any((folder / name).glob("*.metadata.json"))):
            raise InputError(
                f"the folder {folder} is {kind} ({name!r}): some of its files may hold rows that were changed or "
                "deleted; write the current rows as Parquet, and name that folder"
            )


def source_files(path: Path) -> list[Path]:
    """Files that a local source consists of: the file, or the parts of a folder; none where there is nothing.

    Raises:
        InputError: see `part_paths`.
    """
    if is_folder(path):
        return part_paths(path)
    return [path] if is_file(path) else []


def pack(folder: Path, target: Path, plain: Callable[[Path], Path]) -> None:
    """Pack the parts of a folder as one file; parts without a byte are left out.

    Args:
        folder: of the parts.
        target: file to write.
        plain: returns the path of a part, decompressed where it is compressed.

    Raises:
        InputError: see `part_paths`; or every part is empty.
    """
    paths, packed = part_paths(folder), 0
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo(MARK))
        for path in paths:
            content = plain(path)
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = content.stat().st_size
            if member.size:
                packed += 1
                with content.open("rb") as file:
                    archive.addfile(member, file)
    if not packed:
        raise InputError(f"all parts are empty ({listed(path.name for path in paths)})")


def parts(path: Path, name: str) -> Iterator[Part]:
    """The parts of a raw file, one after the other; a file that is no packed folder is its only part.

    Args:
        path: the raw file.
        name: its name in the study file.
    """
    if not _is_packed(path):
        yield Part(name, path)
        return
    with tarfile.open(path, "r:") as archive, tempfile.TemporaryDirectory() as folder:
        for member in archive:
            source: IO[Any] | None = archive.extractfile(member) if member.isfile() and member.name != MARK else None
            if source is None:
                continue
            target = Path(folder) / "part"
            with source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
            yield Part(f"{name}/{member.name}", target, _partition(member.name))


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(tarfile.BLOCKSIZE)
    return len(head) == tarfile.BLOCKSIZE and head[:100].rstrip(b"\0") == MARK.encode()


def _partition(name: str) -> dict[str, str | None]:
    """Columns that the folders of a part state."""
    columns: dict[str, str | None] = {}
    for folder in name.split("/")[:-1]:
        if match := PARTITION.fullmatch(folder):
            columns[unquote(match[1])] = None if match[2] == NO_VALUE else unquote(match[2])
    return columns
