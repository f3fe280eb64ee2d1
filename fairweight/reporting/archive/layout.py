"""What stands in an archive and where: the run with its results, and the workflow that made them."""

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from fairweight.core import components
from fairweight.core.code_version import imported_files
from fairweight.data.counterfactual_terms import terms_file
from fairweight.study.schema import PLACES

METADATA = "ro-crate-metadata.json"
MANIFEST = "manifest-sha256.txt"  # as `sha256sum --check` reads it
README = "README.md"
CHECKSUMS = "run/checksums.json"  # of every file of the study, archived or not
STUDY = "run/study.yaml"
SNAKEFILE = "workflow/Snakefile"
LOCK = "workflow/requirements.lock"

# folders of what is installed
INSTALLED = frozenset({"site-packages", "dist-packages"})
# the workflow: what another machine needs to run it again
WORKFLOW = ("Snakefile", "pyproject.toml", "requirements*.lock", "LICENSE", "CITATION.cff", "README.md", "CHANGELOG.md",
            "config/study.schema.yaml", "config/processors.json", "config/config.yaml")  # fmt: skip
FOLDERS = ("rules", "scripts", "notebooks", "paper", "profiles", "config/terms", "fairweight", "snakemake_executor_plugin_dask", "snakemake_logger_plugin_live")  # fmt: skip
# results that people read and ship.  Raw files, tables and predictions speak of single people and stay where they are
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
PASSING = ("logs/*", "archive/*", "paper/article.*", "*/.*", ".*")


def workflow_files(root: Path) -> Iterator[tuple[str, Path]]:
    """(name in the archive, file) of the workflow."""
    for pattern in WORKFLOW:
        for path in sorted(root.glob(pattern)):
            yield f"workflow/{path.relative_to(root).as_posix()}", path
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            parts = path.relative_to(root).parts
            hidden = any(
                part.startswith(".") or part in ("__pycache__",) or part.endswith(".egg-info") for part in parts
            )
            if path.is_file() and not hidden and path.suffix != ".pyc":
                yield f"workflow/{'/'.join(parts)}", path


def own_files(study: dict[str, Any], root: Path) -> Iterator[tuple[str, Path]]:
    """(name in the archive, file) of the user's own components, what they import beside them, and lists of terms.

    The folder of the run may be that of the workflow, so what counts is not the place but what the workflow's list has.
    """
    listed = {path.resolve() for _, path in workflow_files(root)}
    todo = [components.locate(folder, name) for folder, name in _own(study)]
    todo += [terms_file(holder[key]) for holder, key in lists_of_terms(study)]
    seen: set[Path] = set()
    while todo:
        path = todo.pop().resolve()
        if path in seen or path in listed:
            continue
        seen.add(path)
        todo.extend(imported_files(path))
    here = Path.cwd().resolve()
    for path in sorted(seen):
        # what is installed comes with the environment, which may stand in the folder of the run
        if path.is_relative_to(here) and not INSTALLED.intersection(path.parts):
            yield f"run/{path.relative_to(here).as_posix()}", path


def _own(study: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, key, folder in PLACES:
        for holder in _found(study, path):
            if ":" in str(holder.get(key, "")):
                yield folder, holder[key]
    yield from (("engines", engine) for engine in study.get("engines", []) if ":" in engine)


def lists_of_terms(study: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """(mapping, key) of everything that names a list of terms."""
    for path, key in (("datasets/*", "counterfactuals"), ("augmentations/*", "terms")):
        yield from ((holder, key) for holder in _found(study, path) if holder.get(key))


def _found(study: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """The mappings that a path with `*` leads to."""
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
            if not any(fnmatch(name, pattern) for pattern in PASSING):
                yield name, path


def kept(name: str) -> bool:
    """Whether a result goes into the archive."""
    return any(fnmatch(name, pattern) for pattern in KEPT)
