"""The workflow of an archive, started again: for its report alone, or for the whole study in a clean folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from fairweight.artifacts import checksum
from fairweight.crate.layout import SNAKEFILE, STUDY
from fairweight.crate.unpacking import check, unpack
from fairweight.errors import InputError
from fairweight.study import local_path

ALONE = ["--executor", "local", "--cores", "1", "--workflow-profile", "none", "--rerun-triggers", "input", "--nolock"]


def verify(archive: Path, into: Path | None) -> None:
    """Check an archive, packed or unpacked, and render its report again; print what was found.

    Args:
        archive: zip file, or the folder of an unpacked one.
        into: new folder to unpack to, in which the new report stays; None leaves nothing behind.

    Raises:
        InputError: a file is not as it was, or the report does not render.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = archive
        if not archive.is_dir():
            folder = into or Path(scratch) / "archive"
            unpack(archive, folder)
        checked = check(folder)
        if not checked.sound:
            raise InputError(f"{archive}: {checked.sentence()}.")
        print(checked.sentence())
        place = Path(scratch) / "again"
        reports = rerender(folder, place)
        for name, same in reports.items():
            print(f"{name} was rendered again from the summaries, without training: {'the same bytes' if same else 'it differs'}.")  # fmt: skip
        if into is not None:
            kept = into.parent / f"{into.name}-rendered"
            shutil.copytree(place / "run", kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".snakemake"))
            print(f"The new report is in {kept}.")


def rerender(folder: Path, place: Path) -> dict[str, bool]:
    """Render the report of an unpacked archive again, in a copy.

    Args:
        folder: the unpacked archive; it is left as it is.
        place: folder to copy to.

    Returns:
        Name of each page -> whether it has the same bytes.
    """
    shutil.copytree(folder, place)
    study = yaml.safe_load((place / STUDY).read_text(encoding="utf-8"))
    report = place / "run" / "results" / study["name"] / "report"
    pages = {page.name: checksum(page) for page in report.glob("*.html")}
    # the report alone: what it reads is there, and nothing else may run
    arguments = [
        "--allowed-rules",
        "notebook",
        "report",
        "--forcerun",
        "notebook",
        "--",
        f"results/{study['name']}/report/report.html",
    ]
    _snakemake(place / SNAKEFILE, place / "run", Path("study.yaml"), [*ALONE, *arguments], quiet=True)
    return {name: checksum(report / name) == digest for name, digest in pages.items()}


def rerun(folder: Path, place: Path, data: Path, snakefile: Path | None) -> Path:
    """Run the study of an unpacked archive again, in a clean folder.

    Args:
        folder: the unpacked archive.
        place: new folder.
        data: folder from which `file:` sources are read.
        snakefile: workflow to run; None is the archive's own.

    Returns:
        The folder of the new results.
    """
    if place.exists() and any(place.iterdir()):
        raise InputError(f"{place} is not empty; a study is reproduced in a clean folder.")
    ignored = shutil.ignore_patterns("results", "checksums.json")
    shutil.copytree(folder / "run", place, dirs_exist_ok=True, ignore=ignored)
    study = yaml.safe_load((place / "study.yaml").read_text(encoding="utf-8"))
    _found_in(study, data.resolve())
    (place / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False, allow_unicode=True), encoding="utf-8")
    _snakemake((snakefile or folder / SNAKEFILE).resolve(), place, Path("study.yaml"), [], quiet=False)
    return place / "results" / str(study["name"])


def _found_in(study: dict[str, Any], data: Path) -> None:
    """Make the paths of local sources absolute, and that of hourly carbon intensities."""
    if hourly := study.get("energy", {}).get("hourly"):
        if not (data / hourly).is_file():
            raise InputError(f"energy: hourly: there is no file {data / hourly}; name its folder with --data.")
        study["energy"]["hourly"] = str(data / hourly)
    for name, dataset in study["datasets"].items():
        for file, stated in dataset["files"].items():
            paths = [local_path(s.removeprefix("file:")) for s in stated["sources"] if s.startswith("file:")]
            if paths and len(paths) == len(stated["sources"]) and not any((data / path).exists() for path in paths):
                raise InputError(
                    f"datasets: {name}: files: {file}: there is no file {data / paths[0]}; data are not in an archive, name their folder with --data."
                )
            stated["sources"] = [
                f"file:{data / Path(s.removeprefix('file:')).expanduser()}" if s.startswith("file:") else s
                for s in stated["sources"]
            ]


def _snakemake(snakefile: Path, folder: Path, study: Path, arguments: list[str], *, quiet: bool) -> None:
    command = [sys.executable, "-m", "snakemake", "--configfile", str(study), "--snakefile", str(snakefile.resolve())]
    environment = {key: value for key, value in os.environ.items() if key != "FAIRWEIGHT_RUN"}
    done = subprocess.run(
        [*command, *arguments], cwd=folder, check=False, env=environment, text=True, errors="replace",
        stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None,
    )  # fmt: skip
    if done.returncode:
        lines = (done.stdout or "").strip().splitlines()
        raise InputError(f"the workflow of the archive failed in {folder}: {' '.join(lines[-3:]) or 'see above'}")
