"""A shipped file, loaded in an engine; an engine that does not know one of its operators says so in one sentence."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fairweight.core import components
from fairweight.core.errors import InputError

Feeds = dict[str, NDArray[Any]]
Run = Callable[[Feeds], NDArray[np.float32]]

LONGEST = 200  # characters of what an engine says itself


def load(engine: str, path: str | Path, *, threads: int, place: str = "") -> Run:
    """Load a shipped file, which is the trial that finds operators that the engine does not know.

    What is known of an engine before there is a file stands in its `UNSUPPORTED`, and is known while parsing.

    Args:
        engine: name of the engine.
        path: ONNX file.
        threads: threads that one call uses.
        place: what the sentence of an error begins with; the path if it is empty.

    Returns:
        A function from input tensors by name to probabilities (n, classes).

    Raises:
        InputError: the engine does not know an operator of the file, or has no kernel for its types.
    """
    try:
        run: Run = components.load("engines", engine)(path, threads=threads)
    except InputError:
        raise
    except Exception as error:
        # an error that names no operator of the file is no answer to what is in it, and keeps its traceback
        if reason := unknown_operator(path, error):
            raise InputError(
                f"{place or path}: engine {engine!r} cannot run the file: {reason}; take the variant out of `grid`, or the engine out of `engines`."
            ) from error
        raise
    return run


def unknown_operator(path: str | Path, error: Exception) -> str | None:
    """What an engine's error says of an operator, or None where it speaks of none."""
    told = str(error)
    nodes = {node.op_type: node.domain for node in onnx.load(str(path), load_external_data=False).graph.node}
    named = sorted(name for name in nodes if re.search(rf"\b{re.escape(name)}\b", told))
    if not named and type(error).__name__ not in ("NotImplemented", "NotImplementedError"):
        return None
    lines = [line.strip(" -") for line in told.splitlines()]
    wanted = [line for line in lines if any(name in line for name in named)] or lines
    words = re.sub(r"^\[.*?\][^:]*:|Load model from \S+ failed:", "", wanted[0]).strip(" :")[:LONGEST]
    which = ", ".join(f"{nodes[name]}.{name}" if nodes[name] else name for name in named) or "one that it is made of"
    return f"operator {which} (its own words: {words})"
