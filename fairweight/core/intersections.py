"""Groups of two attributes together: a model can be fair to each and not to both.

Crenshaw 1989; Kearns et al. 2018.
"""

import itertools
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BETWEEN = " x "  # joins the names of two attributes, and of two groups


def crossed(
    groups: dict[str, Array], levels: dict[str, tuple[str, ...]]
) -> tuple[dict[str, Array], dict[str, tuple[str, ...]]]:
    """Attributes, and every pair of them with the combinations of groups that occur.

    Args:
        groups: attribute -> codes (n,), -1 for none; a row that lacks a group of either attribute has none of the pair.
        levels: attribute -> its levels.
    """
    all_groups, all_levels = dict(groups), dict(levels)
    for first, second in itertools.combinations(groups, 2):
        width = len(levels[second])
        both = np.where((groups[first] >= 0) & (groups[second] >= 0), groups[first] * width + groups[second], -1)
        present = np.unique(both[both >= 0])
        if len(present) < 2:
            continue
        name = f"{first}{BETWEEN}{second}"
        all_groups[name] = np.where(both >= 0, np.searchsorted(present, both), -1)
        all_levels[name] = tuple(f"{levels[first][c // width]}{BETWEEN}{levels[second][c % width]}" for c in present)
    return all_groups, all_levels
