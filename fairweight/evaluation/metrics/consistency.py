"""Consistency under counterfactuals: whether the prediction for a text stays if the text is about another group."""

from fairweight.evaluation.metric_rows import Assessed, MetricRow, metric_row, subsets


def measure(assessed: Assessed) -> list[MetricRow]:
    """Share of rows whose prediction changes when the words for one group are swapped for another's (Garg et al. 2019).

    Only rows that have such words count. Each row is swapped once, to a group that its row number determines, so that
    all variants and seeds see the same texts.

    Returns:
        One row for all rows and each group; none where nothing was swapped.
    """
    if assessed.swapped is None:
        return []
    rows = []
    for attribute, group, member in subsets(assessed):
        asked = member & (assessed.swapped >= 0)
        n = int(asked.sum())
        value = float((assessed.swapped[asked] != assessed.predictions[asked]).mean()) if n else None
        rows.append(
            metric_row(
                "counterfactual_flips",
                value,
                n=n,
                attribute=attribute,
                group=group,
                smallest=assessed.smallest_group,
                reason=None if n else "no row has a word of the list",
            )
        )
    return rows
