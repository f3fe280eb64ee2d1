"""Run the workflow of an archive again: its report alone, or the whole study in a clean folder."""

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

from fairweight.core.artifacts import read_json
from fairweight.core.checksums import checksum
from fairweight.core.errors import InputError
from fairweight.core.lineage import local_path
from fairweight.core.yaml_file import read_yaml
from fairweight.data.counterfactual_terms import FOLDER as SHIPPED_TERMS
from fairweight.reporting.archive.layout import (
    LOCK,
    PROVENANCE,
    SNAKEFILE,
    STUDY,
    Study,
    lists_of_terms,
    notebook_rule,
    summary_file,
)
from fairweight.reporting.archive.unpacking import check, expect_clean, unpack
from fairweight.reporting.provenance import isa

# nothing of the user's profile, and only files that are missing or forced are made
ALONE = ["--executor", "local", "--cores", "1", "--workflow-profile", "none", "--rerun-triggers", "input", "--nolock"]
REPORT = "report"  # rule that makes the report from the notebooks
MOST_VERSIONS = 5  # versions that differ and are listed in a message


def verify(archive: Path, into: Path | None) -> None:
    """Check an archive, packed or unpacked, and render its report again; print the result.

    Args:
        archive: zip file, or the folder of an unpacked one.
        into: new folder to unpack to, beside which the new report is kept; None leaves nothing behind.

    Raises:
        InputError: a file has changed, the report cannot be rendered, or it differs though versions do not.
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
        pages = rerender(folder, place)
        versions = other_versions(folder)
        _print_pages(pages)
        if into is not None:
            kept = into.parent / f"{into.name}-rendered"
            shutil.copytree(place / "run", kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".snakemake"))
            print(f"The new report is in {kept}.")
    differing = [name for name, same in pages.items() if not same]
    if differing and not versions:
        raise InputError(f"{archive}: rendered again with the same versions, {', '.join(differing)} differs.")
    if differing:
        listed = ", ".join(versions[:MOST_VERSIONS]) + (", ..." if len(versions) > MOST_VERSIONS else "")
        print(f"Versions are not those of the archive, which may be why: {listed}.")


def _print_pages(pages: dict[str, bool]) -> None:
    for name, same in pages.items():
        result = "the same bytes" if same else "it differs"
        print(f"{name} was rendered again from the summaries, without training: {result}.")
    if not pages:
        print(
            "The report was rendered from the summaries, without training; the archive has no page to compare it with."
        )


def other_versions(folder: Path) -> list[str]:
    """Versions, and the instruction set, that differ between this environment and an unpacked archive."""
    about = read_json(summary_file(archived_results(folder), PROVENANCE))
    lock = (folder / LOCK).read_text(encoding="utf-8") if (folder / LOCK).is_file() else ""
    packages = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)) | about["packages"]
    versions = [
        ("Python", about["python"], platform.python_version()),
        ("instruction set", about["host"].get("isa"), isa()),
    ]
    for name, version in packages.items():
        try:
            versions.append((name, version, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue  # what renders the report is installed, or it would not render
    # `+cpu` and the like: a build of the same version, which locks leave out
    return [f"{name} {now}, not {then}" for name, then, now in versions if str(then).split("+")[0] != now.split("+")[0]]


def rerender(folder: Path, place: Path) -> dict[str, bool]:
    """Render the report of an unpacked archive again, in a copy.

    Args:
        folder: the unpacked archive; it is left as it is.
        place: folder to copy to.

    Returns:
        Name of each page -> whether it has the same bytes.

    Raises:
        InputError: the workflow of the archive has no rule that renders notebooks, or it failed.
    """
    render = notebook_rule(folder, archived_results(folder))
    shutil.copytree(folder, place)
    results = archived_results(place)
    report = results / "report"
    pages = {page.name: checksum(page) for page in report.glob("*.html")}
    # the report alone: its inputs exist, and no other rule may run
    rules = ["--allowed-rules", render, REPORT, "--forcerun", render]
    arguments = [*ALONE, *rules, "--", f"results/{results.name}/report/report.html"]
    _snakemake(place / SNAKEFILE, place / "run", arguments, quiet=True)
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

    Raises:
        InputError: the folder is not clean or cannot be written, a local file is missing, or the workflow failed.
    """
    expect_clean(place, "a study is reproduced in a clean folder")
    ignored = shutil.ignore_patterns("results", "checksums.json")
    try:
        shutil.copytree(folder / "run", place, dirs_exist_ok=True, ignore=ignored)
    except OSError as error:
        raise InputError(f"{place} cannot be written ({error.strerror or error}).") from None
    study = _read_study(place / "study.yaml")
    _locate_data(study, data.resolve(), place)
    (place / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False, allow_unicode=True), encoding="utf-8")
    _snakemake((snakefile or folder / SNAKEFILE).resolve(), place, [], quiet=False)
    return place / "results" / str(study["name"])


def archived_results(folder: Path) -> Path:
    """The study's folder in an unpacked archive."""
    return folder / "run" / "results" / str(_read_study(folder / STUDY)["name"])


def _read_study(path: Path) -> Study:
    study: Study = read_yaml(path)
    return study


def _locate_data(study: Study, data: Path, archived: Path) -> None:
    """Make paths to files outside of the archive absolute: local sources, weights, hours, lists of terms.

    Args:
        study: the study; it is changed.
        data: folder from which they are read.
        archived: folder of the run in the archive, which may hold lists of terms.

    Raises:
        InputError: a file does not exist; with its place in the study file.
    """
    if hourly := study.get("energy", {}).get("hourly"):
        study["energy"]["hourly"] = _existing("energy: hourly", data, [hourly])
    for name, dataset in study["datasets"].items():
        for file, recipe in dataset["files"].items():
            _locate_sources(f"datasets: {name}: files: {file}", recipe, data)
    for place, model in _models(study):
        if model.get("folder"):
            model["folder"] = _existing(f"{place}: folder", data, [model["folder"]])
        for file, recipe in (model.get("files") or {}).items():
            _locate_sources(f"{place}: files: {file}", recipe, data)
        _locate_sources(place, model, data)
    for holder, key in lists_of_terms(study):
        shipped = (SHIPPED_TERMS / f"{holder[key]}.yaml").is_file()
        if not shipped and not (archived / holder[key]).is_file():
            holder[key] = _existing(key, data, [holder[key]])


def _models(study: Study) -> list[tuple[str, Study]]:
    """(place, recipe) of every model and student of a study file."""
    models = [(f"models: {name}", model) for name, model in study.get("models", {}).items()]
    for name, variant in study.get("variants", {}).items():
        if student := (variant.get("distill") or {}).get("student"):
            models.append((f"variants: {name}: distill: student", student))
    return models


def _locate_sources(place: str, recipe: dict[str, Any], data: Path) -> None:
    """Make the `file:` sources of one file absolute.

    Raises:
        InputError: all sources are local, and none exists.
    """
    sources = recipe.get("sources") or []
    paths = [str(local_path(s.removeprefix("file:"))) for s in sources if s.startswith("file:")]
    if paths and len(paths) == len(sources):
        _existing(place, data, paths)
    if paths:
        recipe["sources"] = [
            f"file:{data / Path(s.removeprefix('file:')).expanduser()}" if s.startswith("file:") else s for s in sources
        ]


def _existing(place: str, data: Path, paths: list[str]) -> str:
    """The first of these paths, below the folder of the data; at least one of them exists.

    Raises:
        InputError: none of them exists.
    """
    files = [data / Path(path).expanduser() for path in paths]
    if not any(file.exists() for file in files):
        raise InputError(
            f"{place}: there is no file {files[0]}; data are not in an archive, name their folder with --data."
        )
    return str(files[0])


def _snakemake(snakefile: Path, folder: Path, arguments: list[str], *, quiet: bool) -> None:
    """Run `study.yaml` in a folder; `quiet` shows output only if it fails."""
    # -P: no file of the archived run replaces a module of Python or of a package
    command = [sys.executable, "-P", "-m", "snakemake", "--configfile", "study.yaml"]
    command += ["--snakefile", str(snakefile.resolve())]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "FAIRWEIGHT_RUN"},
        text=True,
        errors="replace",
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    if done.returncode:
        output = (done.stdout or "").strip().splitlines()
        raise InputError(f"the workflow of the archive failed in {folder}: {' '.join(output[-3:]) or 'see above'}")
