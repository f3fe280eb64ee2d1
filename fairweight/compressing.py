"""Operations that make float weights from those of a parent, all with the same arguments (standard library only)."""

import importlib
from collections.abc import Callable

# operation -> the module that does it, by a function of the operation's name
MODULES = {"prune": "pruned", "factorize": "factorized", "distill": "distilled", "encode": "encoding"}


def operation(name: str) -> Callable[..., None]:
    """The function that does an operation.  It alone is imported: an edit of one reruns nothing of the others."""
    does: Callable[..., None] = getattr(importlib.import_module(f"fairweight.{MODULES[name]}"), name)
    return does
