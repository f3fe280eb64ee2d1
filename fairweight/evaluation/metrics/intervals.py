"""Intervals around predicted numbers: their width, and the share of labels that they hold, overall and by group."""

from fairweight.evaluation.metric_rows import Assessed, MetricRow, metric_row, subsets
from fairweight.statistics.intervals import wilson


def measure(assessed: Assessed) -> list[MetricRow]:
    """Half of the width of split conformal intervals, in the unit of the label, and their coverage.

    The width is the same for all rows, and comes from validation rows (`statistics.conformal`). The coverage is aimed
    at for all rows together: a group whose errors are larger is covered less. It has Wilson's interval at 95 %.

    Returns:
        One row for the width; one row of the coverage per subset of rows (see `metric_rows.metric_row`).
    """
    half, n = assessed.half_width, len(assessed.labels)
    if half is None:
        return [metric_row("interval_half_width", None, n=n, reason="there are too few validation rows")]
    rows = [metric_row("interval_half_width", half, n=n)]
    inside = abs(assessed.predictions - assessed.labels) <= half
    for attribute, group, member in subsets(assessed):
        size = int(member.sum())
        low, high = wilson(float(inside[member].sum()), float(size)) if size else (None, None)
        rows.append(
            metric_row(
                "coverage",
                float(inside[member].mean()) if size else None,
                n=size,
                attribute=attribute,
                group=group,
                interval=None if low is None or high is None else (float(low), float(high)),
                smallest=assessed.smallest_group,
                reason=None if size else "no rows",
            )
        )
    return rows
