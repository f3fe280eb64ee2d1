"""What `code_version` needs of a Python file: its syntax as a hash, and what it imports (standard library only).

Parsing all modules takes seconds, and every run asks for all of them. The answers are kept by the content of a file in
the user's cache: a file that has not changed is not parsed again, in whatever checkout it stands.
"""

import ast
import atexit
import contextlib
import functools
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

MOST = 5_000  # files that the cache holds; a checkout has some hundred


class Import(NamedTuple):
    """An import: `import module`, or `from module import names`, `level` folders above.

    Attributes:
        module: its name; empty in `from . import names`.
        names: names that are imported from it; None for `import module`.
        level: number of leading dots.
    """

    module: str
    names: list[str] | None
    level: int


class Source(NamedTuple):
    """A parsed file.

    Attributes:
        syntax: hash of its syntax without comments, docstrings and types.
        imports: its imports, late ones included.
    """

    syntax: str
    imports: list[Import]


def parsed(path: Path) -> Source:
    """Parse a Python file, or take what the cache holds of its content.

    Types are annotations of functions, and classes that are a TypedDict or a Protocol. Annotations of other classes
    count: they are the fields of a dataclass.
    """
    content = path.read_bytes()
    key, kept = hashlib.sha256(content).hexdigest(), _kept()
    with contextlib.suppress(KeyError, TypeError, ValueError):  # a cache that somebody else has written
        syntax, imports = kept[key]
        return Source(str(syntax), [Import(*each) for each in imports])
    source = _parse(content, path)
    if not _NEW:
        atexit.register(_keep)
    kept[key] = _NEW[key] = source
    return source


def _parse(content: bytes, path: Path) -> Source:
    tree = ast.parse(content.decode(), filename=str(path))
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [Import(alias.name, None, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append(Import(node.module or "", [alias.name for alias in node.names], node.level))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            rest = [child for child in body if not _is_docstring(child) and not _is_type(child)]
            node.body = rest or [ast.Pass()]  # type: ignore[attr-defined]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return Source(hashlib.sha256(ast.unparse(tree).encode()).hexdigest(), imports)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_type(node: ast.stmt) -> bool:
    """Whether a statement is for type checkers alone: a TypedDict or a Protocol computes nothing."""
    if not isinstance(node, ast.ClassDef):
        return False
    return bool({"TypedDict", "Protocol"} & {base.id for base in node.bases if isinstance(base, ast.Name)})


# ---- the cache

_NEW: dict[str, Source] = {}  # parsed by this process


def _cache() -> Path:
    """File of the cache: of this version of Python, whose syntax trees may differ, and of this module."""
    version = f"{sys.version}{Path(__file__).read_text(encoding='utf-8')}"
    name = f"sources-{hashlib.sha256(version.encode()).hexdigest()[:16]}.json"
    return Path(os.environ.get("FAIRWEIGHT_CACHE") or Path.home() / ".cache" / "fairweight") / name


@functools.cache
def _kept() -> dict[str, Any]:
    """What the cache holds: hash of a file -> its syntax and imports."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        content = json.loads(_cache().read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}


def _keep() -> None:
    """Add what this process has parsed to the cache; a cache that cannot be written is not needed."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        path = _cache()
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = _kept() if len(_kept()) <= MOST else dict(_NEW)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(kept, file)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink()
            raise
