"""Sweeps: a variant with a list of values for one option stands for one variant per value (standard library only)."""

import copy
from typing import Any

from fairweight.core.errors import InputError, quoted
from fairweight.core.operations import RECORDS

# (operation, option) whose value may be a list
SWEPT = tuple((record.name, option) for record in RECORDS for option in record.sweeps)
MOST_VARIANTS = 2_000  # a list on a list of values multiplies them

Config = dict[str, Any]  # a mapping in YAML


def expand(config: Config) -> Config:
    """Replace every variant with a list of values by one variant per value.

    `pruned: {prune: {sparsity: [0.5, 0.9]}}` becomes `pruned_0.5` and `pruned_0.9`. A variant that is made from
    `pruned` is expanded likewise, and a grid entry that names `pruned` means all of them.

    Args:
        config: a study file, possibly with mistakes, which the schema reports later.

    Returns:
        The study file without lists; a copy, if it has variants.

    Raises:
        InputError: the lists stand for too many variants, or for a name that the study file defines itself.
    """
    if not isinstance(config.get("variants"), dict):
        return config
    config = copy.deepcopy(config)
    expanded: dict[str, dict[str, str]] = {}  # variant -> suffix -> variant with that suffix
    variants = config["variants"]
    while name := next((name for name, variant in variants.items() if _values(variant, expanded)), None):
        values = _values(variants[name], expanded)
        expanded[name] = {suffix: f"{name}_{suffix}" for suffix in values}
        replacing = {f"{name}_{suffix}": variant for suffix, variant in values.items()}
        if twice := [new for new in replacing if new in variants]:
            raise InputError(
                f"variants: {quoted(twice[0])} is one of the variants that the list of {quoted(name)} stands for; "
                "rename one of them."
            )
        items = list(variants.items())
        position = list(variants).index(name)
        variants = dict([*items[:position], *replacing.items(), *items[position + 1 :]])
        if max(len(variants), len(expanded)) > MOST_VARIANTS:  # a circle of lists is expanded without end
            raise InputError(
                f"variants: {quoted(name)}: the lists stand for over {MOST_VARIANTS:,} variants; use fewer values, and "
                "check that 'from' does not go in a circle."
            )
    config["variants"] = variants
    grid = config.get("grid")
    for entry in grid if isinstance(grid, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("variants"), list):
            entry["variants"] = [v for name in entry["variants"] for v in _all_of(name, expanded)]
    return config


def _all_of(name: Any, expanded: dict[str, dict[str, str]]) -> list[Any]:
    """The variants that a name in the grid stands for."""
    if not isinstance(name, str) or name not in expanded:
        return [name]
    return [variant for replacing in expanded[name].values() for variant in _all_of(replacing, expanded)]


def _values(variant: Any, expanded: dict[str, dict[str, str]]) -> Config:
    """Suffix -> variant for each value of a variant with a list; empty for a variant without one."""
    if not isinstance(variant, dict):
        return {}
    for operation, option in SWEPT:
        recipe = variant.get(operation)
        if isinstance(recipe, dict) and isinstance(recipe.get(option), list) and recipe[option]:
            return {str(value): variant | {operation: recipe | {option: value}} for value in recipe[option]}
    if isinstance(variant.get("from"), str) and variant["from"] in expanded:
        return {suffix: variant | {"from": parent} for suffix, parent in expanded[variant["from"]].items()}
    return {}
