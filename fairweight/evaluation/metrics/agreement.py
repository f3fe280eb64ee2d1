"""Agreement with the baseline: the share of rows that are predicted differently, whether right or wrong."""

import numpy as np

from fairweight.evaluation.metric_rows import Assessed, MetricRow, metric_row, subsets


def measure(assessed: Assessed) -> list[MetricRow]:
    """Share of rows whose prediction differs from the baseline's (`flips`; churn, Milani Fard et al. 2016).

    Returns:
        One row for all rows and each group; none where there is no baseline.
    """
    if assessed.baseline is None:
        return []
    rows = []
    for attribute, group, member in subsets(assessed):
        changed = assessed.predictions[member] != assessed.baseline[member]
        value = float(np.mean(changed)) if len(changed) else None
        reason = None if len(changed) else "no rows"
        rows.append(metric_row("flips", value, n=len(changed), attribute=attribute, group=group, reason=reason))
    return rows
