"""Consistency under counterfactuals: whether a text is judged alike if it is about another group."""

from typing import Any

from fairweight.evaluation.metric_rows import Assessed, cell, subsets


def measure(assessed: Assessed) -> list[dict[str, Any]]:
    """Share of rows whose prediction changes when the words for one group are swapped for another's (Garg et al. 2019).

    Only rows that have such words count; every row is asked once, of a group that its number chooses, so that all variants
    and seeds are asked the same.

    Returns:
        One cell for all rows and each group; none where nothing was swapped.
    """
    if assessed.swapped is None:
        return []
    found = []
    for attribute, group, member in subsets(assessed):
        asked = member & (assessed.swapped >= 0)
        n = int(asked.sum())
        value = float((assessed.swapped[asked] != assessed.predictions[asked]).mean()) if n else None
        found.append(
            cell(
                "counterfactual_flips", value, n=n, attribute=attribute, group=group, smallest=assessed.smallest_group,
                reason=None if n else "no row has a word of the list",
            )
        )  # fmt: skip
    return found
