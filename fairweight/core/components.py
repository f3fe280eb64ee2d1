"""Components: the folder is the registry.

`prune: {method: global_magnitude}` in a study file is `fairweight/compression/pruning/global_magnitude.py`; a name of
the form `module:callable` is a component in a package of the user's own. Nothing here imports a component until `load`
is called, so that Snakemake can parse a study without torch or pandas (standard library only).
"""

import ast
import functools
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from fairweight.core.errors import InputError, did_you_mean, first_line, listed, quoted
from fairweight.core.local_files import is_file

PACKAGE = Path(__file__).resolve().parents[1]
SOURCES = PACKAGE.parent  # folder from which `fairweight` is imported
INSTALLED = PACKAGE / "workflow"  # where an installed package holds what lies beside `fairweight/` in a checkout
WORKFLOW = INSTALLED if INSTALLED.is_dir() else SOURCES  # folder of the Snakefile, rules, scripts, notebooks, config


@dataclass(frozen=True)
class Folder:
    """A folder of components."""

    wing: str  # folder of `fairweight/` that holds it
    entry_point: str  # the function that each of its modules defines


FOLDERS = {
    "sources": Folder("data", "fetch"),
    "readers": Folder("data", "read"),
    "augmentations": Folder("data", "augment"),
    "tasks": Folder("training", "predict"),
    "architectures": Folder("training", "build"),
    "objectives": Folder("training", "prepare"),
    "adaptations": Folder("training", "adapt"),
    "pruning": Folder("compression", "prune"),
    "quantization": Folder("compression", "quantize"),
    "graph_pruning": Folder("compression", "prune"),
    "factorizations": Folder("compression", "factorize"),
    "distillations": Folder("compression", "prepare"),
    "encodings": Folder("compression", "encode"),
    "adjustments": Folder("compression", "fit"),
    "engines": Folder("inference", "load"),
    "metrics": Folder("evaluation", "measure"),
}

# arguments that a step passes by name to a function that has them; they are no options of the study file
SUPPLIED = {"pruning": ("network",), "quantization": ("accuracy", "network", "export")}

# methods that are refused on purpose -> reason and alternative
REFUSED = {
    "exponentiated_gradient": "its result draws one of many models for every row, which no single model file can ship; "
    "use the objective reweighing, group_dro or fairness_penalty, or adjust thresholds "
    "(docs/decisions/0014-mitigations.md)",
}


def path_of(folder: str) -> Path:
    """Path of a folder of components."""
    return PACKAGE / FOLDERS[folder].wing / folder


def names(folder: str) -> list[str]:
    """Names of the components that a folder holds, sorted."""
    return sorted(path.stem for path in path_of(folder).glob("*.py") if path.stem != "__init__")


def locate(folder: str, name: str) -> Path:
    """File of the component `name` of `folder`, without importing it.

    Raises:
        InputError: there is no such component.
    """
    if ":" in name:
        return _locate_user_module(name.split(":", maxsplit=1)[0], folder, name)
    if name in names(folder):
        return path_of(folder) / f"{name}.py"
    if reason := REFUSED.get(name):
        raise InputError(f"{folder}: {name!r} is not exportable: {reason}")
    legal = names(folder)
    about = [other for other in legal if re.search(rf"\b{re.escape(name)}\b", summary(folder, other), re.IGNORECASE)]
    hint = did_you_mean(name, legal) or (f" (did you mean {about[0]!r}?)" if len(name) > 1 and about else "")
    raise InputError(
        f"{folder} has no {quoted(name)}{hint}; it has: {listed(legal, 'see config/README.md')}, or 'module:callable' "
        "from a package of your own"
    )


def _locate_user_module(module: str, folder: str, name: str) -> Path:
    if not all(part.isidentifier() for part in [*module.split("."), *name.split(":")[1:]]) or name.count(":") != 1:
        raise InputError(f"{folder}: {quoted(name)} is not of the form 'module:callable'")
    # by path: importlib.util.find_spec of a dotted name would import its parent package
    relative = Path(*module.split("."))
    for entry in [*sys.path, str(Path.cwd())]:
        for candidate in (Path(entry) / relative.with_suffix(".py"), Path(entry) / relative / "__init__.py"):
            if is_file(candidate):
                return candidate.resolve()
    raise InputError(
        f"{folder}: no module {quoted(module)} for {quoted(name)} in the folder of the run or among the installed "
        "packages"
    )


def _entry_point(folder: str, name: str) -> str:
    return name.split(":", 1)[1] if ":" in name else FOLDERS[folder].entry_point


@functools.cache
def _syntax_tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise InputError(f"{path}, line {error.lineno}, is not Python: {error.msg}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{path} is not Python: {first_line(error)}") from None


def options(folder: str, name: str) -> dict[str, dict[str, Any]]:
    """Options of a component as JSON Schema properties, read from its source without importing it.

    A component declares them in a module-level literal `OPTIONS`. Without one (a user's own function, for example) the
    options are the keyword-only parameters, with their literal defaults, except those that the step passes itself.

    Raises:
        InputError: the component or its function does not exist.
    """
    path = locate(folder, name)
    tree = _syntax_tree(path)
    declared: dict[str, dict[str, Any]] | None = _literal(path, tree, "OPTIONS")
    if declared is not None:
        if not (isinstance(declared, dict) and all(isinstance(schema, dict) for schema in declared.values())):
            raise InputError(f"{path}: OPTIONS is not a mapping from options to JSON Schema")
        return declared
    function = _function(tree, _entry_point(folder, name))
    if function is None:
        raise InputError(f"{path} defines no function {_entry_point(folder, name)!r}, which {folder}: {name} needs")
    schemas: dict[str, dict[str, Any]] = {}
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if argument.arg in SUPPLIED.get(folder, ()):
            continue
        schemas[argument.arg] = {}
        if default is not None:
            try:
                schemas[argument.arg] = {"default": ast.literal_eval(default)}
            except ValueError:  # an expression: there is a default, known only when it runs
                schemas[argument.arg] = {"x-default": ast.unparse(default)}
    return schemas


def literal(folder: str, name: str, variable: str) -> Any:
    """A module-level literal of a component, read from its source without importing it; None where there is none."""
    path = locate(folder, name)
    return _literal(path, _syntax_tree(path), variable)


def _literal(path: Path, tree: ast.Module, variable: str) -> Any:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == variable for t in targets):
                try:
                    return ast.literal_eval(node.value)
                except (ValueError, TypeError, RecursionError):
                    raise InputError(f"{path}: {variable} is read without running the file: write a literal") from None
    return None


def parameters(folder: str, name: str) -> list[str]:
    """Names of the parameters of a component's function, read from its source without importing it."""
    function = _function(_syntax_tree(locate(folder, name)), _entry_point(folder, name))
    if function is None:
        return []
    taken = function.args
    return [argument.arg for argument in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]


def trains(folder: str, name: str) -> bool:
    """Whether a component trains: it takes the parent's `network`, or the function that exports it."""
    return bool({"network", "export"} & set(parameters(folder, name)))


def missing_extra(folder: str, name: str) -> str | None:
    """The optional extra whose packages a component needs and that is not installed; None where nothing is missing."""
    for extra, packages in (literal(folder, name, "NEEDS") or {}).items():
        # a name without dots: nothing is imported
        if any(importlib.util.find_spec(package) is None for package in packages):
            return str(extra)
    return None


def remedy(folder: str, name: str, extra: str) -> str:
    """Command that installs a missing extra; at pinned versions if this checkout has a lock file of the extra."""
    if (PACKAGE.parent / f"requirements-{extra}.lock").is_file():
        return f"make setup-{extra}"
    return f"pip install {' '.join(literal(folder, name, 'NEEDS')[extra])}"


def unsupported(engine: str, operation: str, method: str | None) -> str | None:
    """Reason why an engine cannot run the result of an operation and method; None where it can.

    An engine declares it in a literal `UNSUPPORTED`, so that it is known while parsing: `operation` or
    `operation: method` -> reason.
    """
    reasons: dict[str, str] = literal("engines", engine, "UNSUPPORTED") or {}
    return reasons.get(operation) or reasons.get(f"{operation}: {method}")


def _function(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    return next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name), None)


def summary(folder: str, name: str) -> str:
    """First line of a component's docstring."""
    return (ast.get_docstring(_syntax_tree(locate(folder, name))) or "").split("\n")[0]


def module(folder: str, name: str) -> ModuleType:
    """Import a component's module."""
    locate(folder, name)
    if ":" in name:
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        return importlib.import_module(name.split(":", maxsplit=1)[0])
    return importlib.import_module(f"fairweight.{FOLDERS[folder].wing}.{folder}.{name}")


def chosen(recipe: Mapping[str, Any], *others: str, name: str = "method") -> dict[str, Any]:
    """Options that a recipe gives to the component that it names.

    Args:
        recipe: a part of a resolved study file.
        others: keys that the step itself reads, such as `finetune`.
        name: the key that names the component.
    """
    return {key: value for key, value in recipe.items() if key not in (name, *others)}


def load(folder: str, name: str, function_name: str | None = None) -> Callable[..., Any]:
    """Import a component and return its function.

    Args:
        folder, name: the component.
        function_name: another function of its module than the one that the folder asks for.

    Raises:
        InputError: the component or its function does not exist.
        ImportError: the component itself does not import; never hidden.
    """
    wanted = function_name or _entry_point(folder, name)
    function = getattr(module(folder, name), wanted, None)
    if function is None:
        raise InputError(f"{folder}: {name!r} defines no {wanted!r}")
    loaded: Callable[..., Any] = function
    return loaded
