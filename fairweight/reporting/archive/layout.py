"""Content of an archive: the run with its results, and the workflow that made them."""

import importlib.util
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from fairweight.core import components
from fairweight.core.artifacts import read_json
from fairweight.core.code_version import imported_files
from fairweight.core.errors import InputError
from fairweight.data.counterfactual_terms import terms_file
from fairweight.study.schema import own_components

Study = dict[str, Any]  # a resolved study file, or a part of it

METADATA = "ro-crate-metadata.json"
MANIFEST = "manifest-sha256.txt"  # in the format of `sha256sum --check`
README = "README.md"
CHECKSUMS = "run/checksums.json"  # of every file of the study, archived or not
STUDY = "run/study.yaml"
SNAKEFILE = "workflow/Snakefile"
LOCK = "workflow/requirements.lock"

# names of files in a summary that a comparison reads, newest first; the later ones are those of older archives
PROVENANCE = ("provenance.json",)
STEPS = ("steps.parquet", "costs.parquet")
MEASURES = ("measures.parquet",)
DECISIONS = ("decisions.parquet",)
COMPARED = (PROVENANCE, STEPS, MEASURES, DECISIONS)
GOALS = "goals.parquet"  # older archives have none
# rules that render notebooks, newest first; the script of each has its name
NOTEBOOK_RULES = ("render_notebook", "notebook")

# folders of installed packages
INSTALLED = frozenset({"site-packages", "dist-packages"})
# the workflow: what another machine needs to run it again
WORKFLOW = (
    "Snakefile",
    "pyproject.toml",
    "requirements*.lock",
    "LICENSE",
    "CITATION.cff",
    "README.md",
    "CHANGELOG.md",
    "config/study.schema.yaml",
    "config/processors.json",
    "config/config.yaml",
)
FOLDERS = (
    "rules",
    "scripts",
    "notebooks",
    "paper",
    "profiles",
    "config/terms",
)
PACKAGES = ("fairweight", "snakemake_executor_plugin_dask", "snakemake_logger_plugin_live")
# results that people read and ship. Raw files, tables and predictions are about single people and are left out
KEPT = (
    "summary/*",
    "report/*",
    "paper/*",
    "hub/*.md",
    "data/*/card.json",
    "seed-*/model.onnx",
    "seed-*/tokenizer.json",
    "ledger/*",
)
# neither results nor worth a checksum; the article is compiled beside the archive, from sources that are in it
IGNORED = ("logs/*", "archive/*", "paper/article.*", "*/.*", ".*")


def workflow_files() -> Iterator[tuple[str, Path]]:
    """(name in the archive, file) of the workflow, laid out as in a checkout also where it is installed."""
    root = components.WORKFLOW
    for pattern in WORKFLOW:
        for path in sorted(root.glob(pattern)):
            yield f"workflow/{path.relative_to(root).as_posix()}", path
    for folder in FOLDERS:
        yield from _folder(root / folder, folder)
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise InputError(f"the package {package} is not installed; install it to archive a study.")
        yield from _folder(Path(spec.origin).parent, package)


def _folder(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """(name in the archive, file) of a folder of the workflow."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info") for part in parts)
        installed = path.is_relative_to(components.INSTALLED)  # `workflow_files` lists them as a checkout has them
        if path.is_file() and not hidden and not installed and path.suffix != ".pyc":
            yield f"workflow/{'/'.join([name, *parts])}", path


def own_files(study: Study) -> Iterator[tuple[str, Path]]:
    """(name in the archive, file) of the user's own components, the modules that they import, and lists of terms.

    A file is the user's own if it is not listed by `workflow_files`: a run may be in the folder of the workflow.

    Args:
        study: the resolved study file.
    """
    listed = {path.resolve() for _, path in workflow_files()}
    todo = [components.locate(folder, name) for folder, name in own_components(study)]
    todo += [terms_file(holder[key]) for holder, key in lists_of_terms(study)]
    seen: set[Path] = set()
    while todo:
        path = todo.pop().resolve()
        if path in seen or path in listed:
            continue
        seen.add(path)
        todo.extend(imported_files(path))
    run = Path.cwd().resolve()
    for path in sorted(seen):
        # installed packages belong to the environment, which may be in the folder of the run
        if path.is_relative_to(run) and not INSTALLED.intersection(path.parts):
            yield f"run/{path.relative_to(run).as_posix()}", path


def lists_of_terms(study: Study) -> Iterator[tuple[Study, str]]:
    """(mapping, key) of everything that names a list of terms."""
    for path, key in (("datasets/*", "counterfactuals"), ("augmentations/*", "terms")):
        yield from ((holder, key) for holder in _mappings(study, path) if holder.get(key))


def _mappings(study: Study, path: str) -> list[Study]:
    """The mappings of a study file that a path with `*` matches."""
    holders: list[Any] = [study]
    for part in path.split("/"):
        holders = [v for h in holders if isinstance(h, dict) for v in (h.values() if part == "*" else [h.get(part)])]
    return [holder for holder in holders if isinstance(holder, dict)]


def result_files(results: Path) -> Iterator[tuple[str, Path]]:
    """(path below the study's folder, file) of every result, archived or not."""
    for folder, folders, files in os.walk(results):
        folders.sort()
        for file in sorted(files):
            path = Path(folder) / file
            name = path.relative_to(results).as_posix()
            if not any(fnmatch(name, pattern) for pattern in IGNORED):
                yield name, path


def summary_file(results: Path, names: tuple[str, ...]) -> Path:
    """File of a study's summary, by its current name or by the one that older versions gave it.

    Args:
        results: the study's folder, in an unpacked archive or of a rerun.
        names: names of the same file, newest first, such as `STEPS`.

    Raises:
        InputError: there is no file of any of these names.
    """
    for name in names:
        if (results / "summary" / name).is_file():
            return results / "summary" / name
    raise InputError(f"{results / 'summary'} has no {' or '.join(names)}; {_remedy(results)}.")


def notebook_rule(folder: Path, results: Path) -> str:
    """Name of the rule that renders notebooks, from the scripts in the workflow of an unpacked archive.

    Args:
        folder: the unpacked archive.
        results: the study's folder in it.

    Raises:
        InputError: the workflow has no script of such a rule.
    """
    scripts = (folder / SNAKEFILE).parent / "scripts"
    for rule in NOTEBOOK_RULES:
        if any(scripts.rglob(f"{rule}.py")):
            return rule
    names = " or ".join(f"{rule}.py" for rule in NOTEBOOK_RULES)
    raise InputError(f"the workflow of the archive has no script {names} in {scripts}; {_remedy(results)}.")


def _remedy(results: Path) -> str:
    """Advice to use the version of fairweight that wrote an archive, as its provenance states it."""
    path = results / "summary" / PROVENANCE[0]
    if not path.is_file():
        return f"use the version of fairweight that wrote the archive, which its {README} states"
    about = read_json(path)
    commit = f" (commit {about['commit']})" if about.get("commit") else ""
    return f"use the version that wrote the archive, fairweight {about.get('fairweight', 'unknown')}{commit}"


def kept(name: str) -> bool:
    """Whether a result goes into the archive."""
    return any(fnmatch(name, pattern) for pattern in KEPT)
