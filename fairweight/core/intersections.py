"""Groups of two attributes at once: a model can be fair to each and not to both together (Crenshaw 1989; Kearns 2018)."""

import itertools
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BETWEEN = " x "  # joins the names of two attributes, and of two groups


def crossed(
    groups: dict[str, Array], levels: dict[str, tuple[str, ...]]
) -> tuple[dict[str, Array], dict[str, tuple[str, ...]]]:
    """The attributes and every pair of them; a pair has the combinations that occur.

    Args:
        groups: attribute -> codes (n,), -1 for none; a row without one of two groups has none of the pair.
        levels: attribute -> its levels.
    """
    all_groups, all_levels = dict(groups), dict(levels)
    for one, two in itertools.combinations(groups, 2):
        width = len(levels[two])
        both = np.where((groups[one] >= 0) & (groups[two] >= 0), groups[one] * width + groups[two], -1)
        present = np.unique(both[both >= 0])
        if len(present) < 2:
            continue
        name = f"{one}{BETWEEN}{two}"
        all_groups[name] = np.where(both >= 0, np.searchsorted(present, both), -1)
        all_levels[name] = tuple(f"{levels[one][c // width]}{BETWEEN}{levels[two][c % width]}" for c in present)
    return all_groups, all_levels
