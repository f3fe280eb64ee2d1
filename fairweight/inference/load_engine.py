"""Load an exported file in an engine: one sentence if the engine crashes or does not support one of its operators."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

from fairweight.core import components
from fairweight.core.errors import InputError
from fairweight.inference.guarded_load import first_load
from fairweight.training.signature import Feeds

Run = Callable[[Feeds], NDArray[Any]]  # a loaded file: input tensors by name -> output (n, ...)

_LOADED: set[str] = set()  # engines that have loaded a file in this process
LONGEST = 48  # characters of an engine's own message
# what onnxruntime says before it
BEFORE = re.compile(r"^\[.*?\][^:]*:|Load model from \S+ failed:|(\d+ : )?\b[A-Z_]+ : |Fatal error: ")


def load(
    engine: str,
    path: str | Path,
    *,
    threads: int,
    place: str = "",
    file: str | Path = "",
    checked: bool = False,
) -> Run:
    """Load a file; loading it is the test that finds operators that the engine does not support.

    What an engine is known not to support is declared in its `UNSUPPORTED` and refused while the study is parsed.

    Args:
        engine: name of the engine.
        path: ONNX file.
        threads: threads that one call uses.
        place: start of an error sentence; the path if it is empty.
        file: name of the file in an error sentence, if `path` is that of a temporary file.
        checked: whether `check_loads` has been called for the file; if not, it is called here.

    Returns:
        A function from input tensors by name to probabilities (n, classes).

    Raises:
        InputError: the engine crashes, does not support an operator of the file, or has no kernel for its types.
    """
    if not checked:
        check_loads(engine, path, threads=threads, place=place, file=file)
    _LOADED.add(engine)
    try:
        run: Run = components.load("engines", engine)(path, threads=threads)
    except InputError:
        raise
    except Exception as error:
        # an error that names no operator of the file says nothing about its content, and keeps its traceback
        if reason := unknown_operator(path, error):
            raise InputError(
                f"{place or path}: engine {engine!r} cannot run the file: {reason}; take the variant out of `grid`, or "
                "the engine out of `engines`."
            ) from error
        raise
    return run


def check_loads(engine: str, path: str | Path, *, threads: int, place: str = "", file: str | Path = "") -> None:
    """Load a file in a child process, because an engine may crash.

    A step that loads several files checks all of them before it loads the first: an engine that declares
    `LEAVES_THREADS` is not tried in a child once it has run in this process, because a child that is forked beside its
    threads may wait forever for one of them. An engine that builds the model from weights beside the file
    (`BUILDS_MODEL`) reads no graph and is spared the child as well.

    Args:
        engine, path, threads, place, file: as in `load`.

    Raises:
        InputError: the engine crashes.
    """
    has_threads = engine in _LOADED and components.literal("engines", engine, "LEAVES_THREADS")
    if not has_threads and not components.literal("engines", engine, "BUILDS_MODEL"):
        loading = functools.partial(components.load("engines", engine), path, threads=threads)
        first_load(loading, engine=_name(engine), path=path, place=place, file=file)


def _name(engine: str) -> str:
    """Name and version of an engine."""
    version = getattr(components.module("engines", engine), "VERSION", None)
    return f"{engine!r} {version}" if version else repr(engine)


def unknown_operator(path: str | Path, error: Exception) -> str | None:
    """Describe the operator that an engine's error names; None where it names no operator of the file."""
    message = str(error)
    nodes = {node.op_type: node.domain for node in onnx.load(str(path), load_external_data=False).graph.node}
    named = sorted(name for name in nodes if re.search(rf"\b{re.escape(name)}\b", message))
    if not named and type(error).__name__ not in ("NotImplemented", "NotImplementedError"):
        return None
    lines = [line.strip(" -") for line in message.splitlines()]
    relevant = [line for line in lines if any(name in line for name in named)] or lines
    words = BEFORE.sub("", relevant[0]).strip(" :")[:LONGEST]
    names = ", ".join(f"{nodes[name]}.{name}" if nodes[name] else name for name in named)
    return f"{f'operator {names}' if named else 'an operator that it does not name'} (its message: {words})"
