"""The function of a step, loaded by name: an edit of one step, or of an operation's record, reruns no other step."""

import importlib
from collections.abc import Callable


def step_function(module: str, name: str) -> Callable[..., None]:
    """Load a function of a module below `fairweight`, such as `prune` of `compression.prune`."""
    loaded: Callable[..., None] = getattr(importlib.import_module(f"fairweight.{module}"), name)
    return loaded
