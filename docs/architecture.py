"""Write docs/architecture.md: wings, their imports and their modules, from the source itself.

    python docs/architecture.py > docs/architecture.md

`make docs` runs it; a test proves that the page is current and that no import breaks the table.
"""

import ast
from pathlib import Path
from typing import TypeVar

from fairweight.core.code_version import imported_files
from fairweight.core.components import FOLDERS, PACKAGE

Node = TypeVar("Node")

# wing -> wings that it may import, in the order in which data flow through them
MAY_IMPORT = {
    "core": (),
    "statistics": (),
    "data": ("core", "statistics"),
    "training": ("core", "data"),
    "inference": ("core", "data", "training"),
    "compression": ("core", "data", "training", "inference"),
    "energy": ("core", "statistics"),
    "evaluation": ("core", "statistics", "energy"),
    "study": ("core", "data", "energy"),
    "reporting": (
        *("core", "statistics", "data", "training", "inference", "compression"),
        *("energy", "evaluation", "study"),
    ),
}
MAY_IMPORT["cli"] = tuple(MAY_IMPORT)

HEAD = """# Architecture

This page is generated from the source by `make docs`; a test proves that it is current. [design.md](design.md) gives
the reasons. `fairweight/` has eleven wings. The same word stands on four levels: `rules/<wing>.smk`,
`scripts/<wing>/<rule>.py`, `fairweight/<wing>/` and `tests/unit/<wing>/`. The module of a step is called like its rule:
rule `prune` is `fairweight/compression/prune.py`.

"""


def wing_of(path: Path) -> str:
    """Name of the wing that holds a file of the package; `api` is the public module above them."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    """Every module of the package, package files excluded."""
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def imports(path: Path) -> list[Path]:
    """Modules of the package that a module imports, late imports included."""
    return [file for file in imported_files(path) if file.is_relative_to(PACKAGE) and file.name != "__init__.py"]


def edges() -> set[tuple[str, str]]:
    """(importing wing, imported wing) of the real imports; `api` is no wing."""
    pairs = {(wing_of(path), wing_of(target)) for path in modules() for target in imports(path)}
    return {edge for edge in pairs if set(edge) <= set(MAY_IMPORT) and edge[0] != edge[1]}


def cycles() -> list[list[str]]:
    """Groups of modules that import one another, directly or through others."""
    graph = {path: imports(path) for path in modules()}
    reach = {path: _reachable(path, graph) for path in graph}
    groups = {tuple(sorted(str(o.relative_to(PACKAGE)) for o in reach[p] if p in reach[o])) for p in graph}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def _reachable(start: Node, graph: dict[Node, list[Node]]) -> set[Node]:
    reached: set[Node] = set()
    pending = list(graph[start])
    while pending:
        node = pending.pop()
        if node not in reached:
            reached.add(node)
            pending += graph[node]
    return reached


def first_line(path: Path) -> str:
    """First line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def picture() -> str:
    """Mermaid graph of the imports between wings; `core`, which nearly every wing imports, is left out."""
    lines = ["```mermaid", "flowchart LR"]
    lines += [f'    {wing}["{wing}<br/><small>{_label(wing)}</small>"]' for wing in MAY_IMPORT if wing != "core"]
    lines += [f"    {a} --> {b}" for a, b in sorted(_direct({edge for edge in edges() if "core" not in edge}))]
    return "\n".join([*lines, "```"]) + "\n"


def _direct(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Edges that do not follow from others: the transitive reduction of a graph without cycles."""
    targets = {wing: [b for a, b in pairs if a == wing] for wing in MAY_IMPORT}
    return {(a, b) for a, b in pairs if not any(b in _reachable(other, targets) for other in targets[a] if other != b)}


def _label(wing: str) -> str:
    count = sum(1 for path in modules() if wing_of(path) == wing)
    return f"{count} modules"


def page() -> str:
    """The whole page, in Markdown."""
    used = edges()
    parts = [
        HEAD,
        picture(),
        '\nAn arrow means "imports". Arrows that follow from others, and those to `core`, are left out.\n',
    ]
    parts.append("\n## Import table\n\n| wing | purpose | may import | imports |\n|---|---|---|---|\n")
    for wing, legal in MAY_IMPORT.items():
        allowed = "all above" if wing in ("cli", "reporting") else ", ".join(legal) or "nothing"
        real = ", ".join(target for source, target in sorted(used) if source == wing)
        parts.append(f"| `{wing}` | {first_line(PACKAGE / wing / '__init__.py')} | {allowed} | {real or 'nothing'} |\n")
    parts.append("\n## Modules\n")
    for wing in MAY_IMPORT:
        parts.append(f"\n### {wing}\n\n{first_line(PACKAGE / wing / '__init__.py')}\n\n")
        inside = [path for path in modules() if wing_of(path) == wing]
        components = {folder for folder, place in FOLDERS.items() if place.wing == wing}
        parts += [_line(path, wing) for path in inside if path.parent.name not in components]
        parts += [_folder(PACKAGE / wing / folder) for folder in sorted(components)]
    return "".join(parts)


def _line(path: Path, wing: str) -> str:
    return f"- `{path.relative_to(PACKAGE / wing)}`: {first_line(path)}\n"


def _folder(folder: Path) -> str:
    names = ", ".join(f"`{path.stem}`" for path in sorted(folder.glob("*.py")) if path.stem != "__init__")
    return f"- `{folder.name}/` (components): {first_line(folder / '__init__.py')} {names}\n"


if __name__ == "__main__":
    print(page(), end="")
