"""The workflow of an archive, started again: for its report alone, or for the whole study in a clean folder."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from fairweight.core.artifacts import checksum, read_json
from fairweight.core.errors import InputError
from fairweight.core.lineage import local_path
from fairweight.data.counterfactual_terms import FOLDER as SHIPPED_TERMS
from fairweight.reporting.archive.layout import LOCK, SNAKEFILE, STUDY, lists_of_terms
from fairweight.reporting.archive.unpacking import check, expect_clean, unpack
from fairweight.reporting.provenance import isa

ALONE = ["--executor", "local", "--cores", "1", "--workflow-profile", "none", "--rerun-triggers", "input", "--nolock"]


def verify(archive: Path, into: Path | None) -> None:
    """Check an archive, packed or unpacked, and render its report again; print what was found.

    Args:
        archive: zip file, or the folder of an unpacked one.
        into: new folder to unpack to, in which the new report stays; None leaves nothing behind.

    Raises:
        InputError: a file is not as it was, or the report does not render, or it differs though versions do not.
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
        others = other_versions(folder)
        for name, same in reports.items():
            print(f"{name} was rendered again from the summaries, without training: {'the same bytes' if same else 'it differs'}.")  # fmt: skip
        if not reports:
            print(
                "The report was rendered from the summaries, without training; the archive has no page to hold it against."
            )
        if into is not None:
            kept = into.parent / f"{into.name}-rendered"
            shutil.copytree(place / "run", kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".snakemake"))
            print(f"The new report is in {kept}.")
    differing = [name for name, same in reports.items() if not same]
    if differing and not others:
        raise InputError(f"{archive}: rendered again with the same versions, {', '.join(differing)} differs.")
    if differing:
        print(f"Versions are not those of the archive, which may be why: {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}.")  # fmt: skip


def other_versions(folder: Path) -> list[str]:
    """What of this environment, and of its instruction set, is not as an unpacked archive states it."""
    study = yaml.safe_load((folder / STUDY).read_text(encoding="utf-8"))
    about = read_json(folder / "run" / "results" / study["name"] / "summary" / "provenance.json")
    lock = (folder / LOCK).read_text(encoding="utf-8") if (folder / LOCK).is_file() else ""
    stated = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)) | about["packages"]
    found = [
        ("Python", about["python"], platform.python_version()),
        ("instruction set", about["host"].get("isa"), isa()),
    ]
    for name, version in stated.items():
        try:
            found.append((name, version, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue  # what renders the report is installed, or it would not render
    # `+cpu` and the like: a build of the same version, which locks leave out
    return [f"{name} {here}, not {then}" for name, then, here in found if str(then).split("+")[0] != here.split("+")[0]]


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
    expect_clean(place, "a study is reproduced in a clean folder")
    ignored = shutil.ignore_patterns("results", "checksums.json")
    try:
        shutil.copytree(folder / "run", place, dirs_exist_ok=True, ignore=ignored)
    except OSError as error:
        raise InputError(f"{place} cannot be written ({error.strerror or error}).") from None
    study = yaml.safe_load((place / "study.yaml").read_text(encoding="utf-8"))
    _found_in(study, data.resolve(), place)
    (place / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False, allow_unicode=True), encoding="utf-8")
    _snakemake((snakefile or folder / SNAKEFILE).resolve(), place, Path("study.yaml"), [], quiet=False)
    return place / "results" / str(study["name"])


def _found_in(study: dict[str, Any], data: Path, archived: Path) -> None:
    """Make the paths of what is not in the archive absolute: local sources, folders of weights, hours, lists of terms.

    Args:
        study: the study; it is changed.
        data: folder from which they are read.
        archived: folder of the run in the archive, which may hold lists of terms.
    """
    if hourly := study.get("energy", {}).get("hourly"):
        study["energy"]["hourly"] = _there("energy: hourly", data, [hourly])
    for name, dataset in study["datasets"].items():
        for file, stated in dataset["files"].items():
            _sources_in(f"datasets: {name}: files: {file}", stated, data)
    students = {
        name: (variant.get("distill") or {}).get("student") for name, variant in study.get("variants", {}).items()
    }
    models = [(f"models: {name}", model) for name, model in study.get("models", {}).items()]
    for place, model in [*models, *((f"variants: {n}: distill: student", s) for n, s in students.items() if s)]:
        if model.get("folder"):
            model["folder"] = _there(f"{place}: folder", data, [model["folder"]])
        for file, stated in (model.get("files") or {}).items():
            _sources_in(f"{place}: files: {file}", stated, data)
        _sources_in(place, model, data)
    for holder, key in lists_of_terms(study):
        named = (SHIPPED_TERMS / f"{holder[key]}.yaml").is_file()
        if not named and not (archived / holder[key]).is_file():
            holder[key] = _there(key, data, [holder[key]])


def _sources_in(place: str, stated: dict[str, Any], data: Path) -> None:
    """The same for the `file:` sources of one file."""
    sources = stated.get("sources") or []
    paths = [str(local_path(s.removeprefix("file:"))) for s in sources if s.startswith("file:")]
    if paths and len(paths) == len(sources):
        _there(place, data, paths)
    if paths:
        stated["sources"] = [
            f"file:{data / Path(s.removeprefix('file:')).expanduser()}" if s.startswith("file:") else s for s in sources
        ]


def _there(place: str, data: Path, paths: list[str]) -> str:
    """The first of these paths below the folder of the data.

    Raises:
        InputError: none of them leads to anything.
    """
    found = [data / Path(path).expanduser() for path in paths]
    if not any(path.exists() for path in found):
        raise InputError(
            f"{place}: there is no file {found[0]}; data are not in an archive, name their folder with --data."
        )
    return str(found[0])


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
