"""Keys of a study file that are values of the data, which YAML may read as Booleans or numbers (PyYAML only)."""

import copy
from typing import Any

from fairweight.core.yaml_file import KEYED_BY_VALUES


def with_text_keys(config: Any) -> Any:
    """A copy of a study file in which values of the data are text where they are keys.

    Args:
        config: a study file, possibly with mistakes, which the schema reports later.

    Returns:
        `{yes: 0.4, 1: 0.6}` becomes `{"true": 0.4, "1": 0.6}`; `named_values.resolved` knows what "true" may stand for.
    """
    config = copy.deepcopy(config)
    for groups in _values(config, "datasets", "*", "groups", "*"):
        for option in KEYED_BY_VALUES:
            if isinstance(groups, dict) and isinstance(groups.get(option), dict):
                groups[option] = {_text(key): value for key, value in groups[option].items()}
    return config


def _text(key: Any) -> Any:
    if isinstance(key, bool):
        return str(key).lower()
    return str(key) if isinstance(key, int | float) else key


def _values(node: Any, *path: str) -> list[Any]:
    """Everything that a path with `*` matches."""
    nodes = [node]
    for part in path:
        mappings = [value for value in nodes if isinstance(value, dict)]
        nodes = [child for value in mappings for key, child in value.items() if part in ("*", key)]
    return nodes
