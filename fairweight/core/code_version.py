"""Hash of the code that a step runs (standard library only).

Snakemake sees when a script's file was touched, not when a module that it imports has changed, and it does not know a
comment from code.  Each rule therefore carries `code_version(...)` of its script and components in its `params`.
"""

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from fairweight.core.components import PACKAGE, SOURCES, WORKFLOW, locate
from fairweight.core.parsed_source import parsed

API = PACKAGE / "api.py"  # public names, loaded one by one
API_MODULE = f"{PACKAGE.name}.api"


def code_version(*files: str | Path, components: Iterable[tuple[str, str]] = ()) -> str:
    """Hash of the given files, of the components, and of every fairweight module that they import.

    Args:
        files: Python files, or others (a notebook), which count byte by byte.
        components: (folder, name) pairs that the step loads by name.

    Returns:
        16 hexadecimal digits. Comments, docstrings, types and layout leave it unchanged.

    Raises:
        InputError: a component does not exist.
    """
    roots = frozenset([Path(f).resolve() for f in files] + [locate(*c).resolve() for c in components])
    return _hash_of(roots)


@functools.cache
def _hash_of(roots: frozenset[Path]) -> str:
    seen: set[Path] = set()
    todo = list(roots)
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(imported_files(path))
    digest = hashlib.sha256()
    for line in sorted(f"{_label(path)} {content_hash(path)}" for path in seen):
        digest.update(line.encode())
    return digest.hexdigest()[:16]


def _label(path: Path) -> str:
    # relative, so that a study moved with its checkout, or run by an installed package, stays valid
    for folder in (WORKFLOW, SOURCES):
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return path.name


@functools.cache
def content_hash(path: Path) -> str:
    """Hash of one file; for Python, of its syntax without comments, docstrings and types (see `parsed_source`)."""
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return parsed(path).syntax


@functools.cache
def imported_files(path: Path) -> tuple[Path, ...]:
    """Files that a Python file imports, late imports included: fairweight's own, and those of a user's package.

    A user's imports are searched beside the package that the file belongs to, and in the folder of the run; packages
    that are installed elsewhere are not followed.
    """
    if path.suffix != ".py":
        return ()
    files: set[Path] = set()
    if path == API:
        return ()  # whoever imports a public name depends on its module alone, see `_public`
    for module, names, level in parsed(path).imports:
        if names is None:
            files.update(_public(None) if module == API_MODULE else [])
            files.update(_files_of(module, _bases(path, module)))
        elif module == API_MODULE:
            files.update(_public(names))
        elif module == PACKAGE.name and "api" in names:
            files.update(_public(None))  # which names are used cannot be seen
        else:
            # `from ..x import y` starts `level` folders above the file
            bases = [path.parents[level - 1]] if level else _bases(path, module)
            for each in [module, *(f"{module}.{name}" if module else name for name in names)]:
                files.update(_files_of(each, bases))
    return tuple(sorted(files - {path, API}))


def _public(names: list[str] | None) -> list[Path]:
    """Files behind public names of `fairweight.api`; behind all of them where `names` is None or a star."""
    modules: dict[str, str] = next(
        ast.literal_eval(node.value)
        for node in ast.parse(API.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "PUBLIC"
    )
    wanted = modules if names is None or "*" in names else [name for name in names if name in modules]
    return [file for name in wanted for file in _files_of(f"{PACKAGE.name}.{modules[name]}", [SOURCES])]


def _bases(importer: Path, module: str) -> list[Path]:
    """Folders in which a module that a file imports is searched."""
    if module.split(".", maxsplit=1)[0] == PACKAGE.name:
        return [SOURCES]
    if importer.is_relative_to(PACKAGE) or importer.is_relative_to(WORKFLOW / "scripts"):
        return []  # a test or a benchmark beside the package is not part of it
    top = importer.parent
    while (top / "__init__.py").is_file():
        top = top.parent
    return [top, Path.cwd()]


def _files_of(module: str, bases: list[Path]) -> list[Path]:
    """The file of a module and the `__init__.py` of each package above it, below the first base that has it."""
    parts = module.split(".") if module else []
    for base in bases:
        place = base.joinpath(*parts)
        for candidate in (place.with_suffix(".py"), place / "__init__.py"):
            if parts and candidate.is_file():
                packages = [base.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts))]
                return [candidate.resolve(), *(p.resolve() for p in packages if p.is_file())]
    return []
