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
    """Hash of one file; for Python, of its syntax without comments, docstrings and types.

    Types are annotations of functions, and classes that are a TypedDict or a Protocol. Annotations of other classes
    count: they are the fields of a dataclass.
    """
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [child for child in body if not _is_docstring(child) and not _is_type(child)]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_type(node: ast.stmt) -> bool:
    """Whether a statement is for type checkers alone: a TypedDict or a Protocol computes nothing."""
    if not isinstance(node, ast.ClassDef):
        return False
    return bool({"TypedDict", "Protocol"} & {base.id for base in node.bases if isinstance(base, ast.Name)})


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
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                files.update(_public(None) if alias.name == API_MODULE else [])
                files.update(_files_of(alias.name, _bases(path, alias.name)))
        elif isinstance(node, ast.ImportFrom) and node.module == API_MODULE:
            files.update(_public([alias.name for alias in node.names]))
        elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE.name and "api" in {a.name for a in node.names}:
            files.update(_public(None))  # which names are used cannot be seen
        elif isinstance(node, ast.ImportFrom):
            # `from ..x import y` starts `level` folders above the file
            bases = [path.parents[node.level - 1]] if node.level else _bases(path, node.module or "")
            modules = [node.module or ""] + [f"{node.module}.{a.name}" if node.module else a.name for a in node.names]
            for module in modules:
                files.update(_files_of(module, bases))
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
