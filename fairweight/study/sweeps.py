"""Curves: a variant that states a list for one amount stands for one variant an entry (standard library only)."""

import copy
from typing import Any

from fairweight.core.operations import RECORDS

# (operation, option) of what may be a list
SWEPT = tuple((record.name, option) for record in RECORDS for option in record.sweeps)

Config = dict[str, Any]


def expand(config: Config) -> Config:
    """A study file in which `pruned: {prune: {sparsity: [0.5, 0.9]}}` has become `pruned_0.5` and `pruned_0.9`.

    What is made from such a variant is made from each, and a grid that names it means all of them.
    """
    if not isinstance(config.get("variants"), dict):
        return config
    config = copy.deepcopy(config)
    names: dict[str, dict[str, str]] = {}  # variant -> suffix -> variant with it
    variants = config["variants"]
    while pending := [name for name, stated in variants.items() if _suffixes(stated, names)]:
        name = pending[0]
        stated = variants[name]
        found = _suffixes(stated, names)
        names[name] = {suffix: f"{name}_{suffix}" for suffix in found}
        position = list(variants).index(name)
        made = {f"{name}_{suffix}": change for suffix, change in found.items()}
        items = list(variants.items())
        variants = dict([*items[:position], *made.items(), *items[position + 1 :]])
    config["variants"] = variants
    for entry in config.get("grid") or []:
        if isinstance(entry, dict) and isinstance(entry.get("variants"), list):
            entry["variants"] = [v for name in entry["variants"] for v in _all(name, names)]
    return config


def _all(name: Any, names: dict[str, dict[str, str]]) -> list[Any]:
    """The variants that a name means in the end."""
    if not isinstance(name, str) or name not in names:
        return [name]
    return [last for following in names[name].values() for last in _all(following, names)]


def _suffixes(stated: Any, names: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Suffix -> variant, of one that stands for several."""
    if not isinstance(stated, dict):
        return {}
    for operation, option in SWEPT:
        recipe = stated.get(operation)
        if isinstance(recipe, dict) and isinstance(recipe.get(option), list) and recipe[option]:
            return {str(value): stated | {operation: recipe | {option: value}} for value in recipe[option]}
    if isinstance(stated.get("from"), str) and stated["from"] in names:
        return {suffix: stated | {"from": parent} for suffix, parent in names[stated["from"]].items()}
    return {}
