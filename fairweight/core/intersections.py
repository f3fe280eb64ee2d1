"""Groups of two attributes together: a model can be fair to each and not to both.

Crenshaw 1989; Kearns et al. 2018.
"""

import itertools
from typing import Any

import numpy as np

from fairweight.core.table import narrowest

Array = np.ndarray[Any, Any]
BETWEEN = " x "  # joins the names of two attributes, and of two groups


def crossed(
    groups: dict[str, Array], levels: dict[str, tuple[str, ...]]
) -> tuple[dict[str, Array], dict[str, tuple[str, ...]]]:
    """Attributes, and every pair of them with the combinations of groups that occur.

    Args:
        groups: attribute -> codes (n,), -1 for none; a row that lacks a group of either attribute has none of the pair.
            Codes of a pair have a type that holds those of both attributes.
        levels: attribute -> its levels.
    """
    all_groups, all_levels = dict(groups), dict(levels)
    for first, second in itertools.combinations(groups, 2):
        width = len(levels[second])
        both = groups[first].astype(np.int64) * width + groups[second]
        both[(groups[first] < 0) | (groups[second] < 0)] = -1
        present = np.flatnonzero(np.bincount(both[both >= 0]))
        if len(present) < 2:
            continue
        name = f"{first}{BETWEEN}{second}"
        narrow = np.result_type(groups[first], groups[second], narrowest(len(present)))
        codes = np.searchsorted(present, both).astype(narrow)
        codes[both < 0] = -1
        all_groups[name] = codes
        all_levels[name] = tuple(f"{levels[first][c // width]}{BETWEEN}{levels[second][c % width]}" for c in present)
    return all_groups, all_levels
