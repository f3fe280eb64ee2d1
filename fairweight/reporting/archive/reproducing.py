"""Run a study again from its archive, and report what differs."""

import tempfile
from pathlib import Path

from fairweight.core.artifacts import read_json, write_json, write_text
from fairweight.core.errors import InputError
from fairweight.reporting.archive.differences import as_json, as_markdown, compare, lines, verdict
from fairweight.reporting.archive.layout import COMPARED, summary_file
from fairweight.reporting.archive.rerunning import archived_results, rerun
from fairweight.reporting.archive.unpacking import check, unpack
from fairweight.study.results_layout import layout_of


def reproduce(archive: Path, into: Path, *, data: Path, tolerance: float, snakefile: Path | None) -> None:
    """Run an archived study again and compare; print what differs, and write it as `reproduction.md` and `.json`.

    Args:
        archive: zip file, or the folder of an unpacked one.
        into: clean folder to run in.
        data: folder from which `file:` sources are read.
        tolerance: largest difference of a mean over seeds where threads, instruction set or versions differ.
        snakefile: workflow to run; None is the archive's own.

    Raises:
        InputError: the archive is not sound, of a newer layout or lacks a table, the run failed, or the study was not
                reproduced.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = archive
        if not archive.is_dir():
            folder = Path(scratch) / "archive"
            unpack(archive, folder)
        checked = check(folder)
        if not checked.sound:
            raise InputError(f"{archive}: {checked.sentence()}.")
        archived = archived_results(folder)
        about, *_ = [summary_file(archived, names) for names in COMPARED]  # before hours of training
        layout_of(read_json(about), archive)
        results = rerun(folder, into, data, snakefile)
        comparison = compare(folder, results, tolerance)
    write_text(into / "reproduction.md", as_markdown(comparison, tolerance))
    write_json(into / "reproduction.json", as_json(comparison, tolerance))
    print("\n".join(lines(comparison)))
    if not comparison.reproduced:
        raise InputError(f"{verdict(comparison, tolerance)} See {into / 'reproduction.md'}.")
    print(verdict(comparison, tolerance))
