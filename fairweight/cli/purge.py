"""Delete every file of a study that holds single rows of its data (`fairweight purge`); results and models stay."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fairweight.cli.run import read_study
from fairweight.cli.stored_study import warn_of_another
from fairweight.core import run_lock
from fairweight.core.artifacts import read_json, write_json
from fairweight.core.errors import InputError
from fairweight.data.fetch import cache_folder
from fairweight.study.folders import logs_folder, results_folder
from fairweight.study.row_files import PURGED, rows_in
from fairweight.study.schema import resolve

LOGS = "logs, which may quote values"
REMAINS = (
    "What remains: models, whose weights depend on the rows and whose files name the categories of the inputs; counts, "
    "rates and figures over groups of rows; the ledger."
)


def purge_study(study: Path, *, delete: bool) -> None:
    """Delete the files that hold single rows, or say which they are.

    Args:
        study: the study file; its results are in the current folder.
        delete: whether to delete them.

    Raises:
        InputError: there are no results; or a run uses the folder.
    """
    config = resolve(read_study(study))
    results = Path(results_folder(config))
    if not results.is_dir():
        raise InputError(f"there is no folder {results}; nothing is to be deleted.")
    warn_of_another(config, results)
    descriptor = run_lock.open_lock()
    if not run_lock.take(descriptor):
        raise InputError("a run uses this folder; purge the study when it has ended.")
    try:
        files = row_files(results, Path(logs_folder(config)))
        _print(files)
        if delete:
            _delete(files, results)
            print("They are deleted.")
    finally:
        os.close(descriptor)
    _print_remains(config, study, delete=delete, number=len(files))


def row_files(results: Path, logs: Path) -> dict[Path, str]:
    """Files of a study that hold rows -> what they are, in words.

    Args:
        results: the study's folder.
        logs: folder of its logs.
    """
    every = [path for folder in {results, logs} for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    kinds = {path: LOGS if logs in path.parents else _rows_in(path, results) for path in sorted(set(every))}
    return {path: kind for path, kind in kinds.items() if kind is not None}


def _rows_in(path: Path, results: Path) -> str | None:
    return rows_in(path.relative_to(results)) if path.is_relative_to(results) else None


def _print(files: dict[Path, str]) -> None:
    sizes: Counter[str] = Counter()
    for path, kind in files.items():
        sizes[kind] += path.lstat().st_size
    for kind, number in Counter(files.values()).most_common():
        print(f"{number:9,} {kind:40} {sizes[kind] / 1e6:10,.1f} MB")
    print(f"{len(files):9,} {'files together':40} {sum(sizes.values()) / 1e6:10,.1f} MB")


def _delete(files: Iterable[Path], results: Path) -> None:
    """Record what is deleted, then delete it, so that a purge that is interrupted can be repeated."""
    names = sorted({str(path) for path in {*purged_files(results), *files}})
    write_json(results / PURGED, {"date": datetime.now(UTC).isoformat(timespec="seconds"), "files": names})
    for path in files:
        path.unlink(missing_ok=True)
    for folder in sorted({path.parent for path in files}, reverse=True):
        with contextlib.suppress(OSError):  # it holds other files
            folder.rmdir()


def purged_files(results: Path) -> set[Path]:
    """Files that an earlier purge has deleted.

    Args:
        results: the study's folder.
    """
    record = results / PURGED
    return {Path(name) for name in read_json(record)["files"]} if record.is_file() else set()


def _print_remains(config: Any, study: Path, *, delete: bool, number: int) -> None:
    print(REMAINS)
    outside = [source for dataset in config["datasets"].values() for source in _sources(dataset)]
    local = sorted({source.removeprefix("file:") for source in outside if source.startswith("file:")})
    if local:
        print(f"Not part of the results, and left alone: {', '.join(local)}.")
    if len(local) < len(set(outside)):
        print(f"Downloaded files are in the cache of this machine, for all studies: {cache_folder(config['cache'])}.")
    if not delete and number:
        print(f"Nothing is deleted yet; to delete these files: fairweight purge {study} --yes")


def _sources(dataset: Any) -> Iterator[str]:
    for file in dataset["files"].values():
        yield from file.get("sources") or []
