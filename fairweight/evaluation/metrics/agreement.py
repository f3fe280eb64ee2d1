"""Agreement with the baseline: how many rows are predicted otherwise, whether or not they are right."""

from typing import Any

import numpy as np

from fairweight.evaluation.metric_rows import Assessed, cell, subsets


def measure(assessed: Assessed) -> list[dict[str, Any]]:
    """Share of rows whose prediction differs from the baseline's (`flips`; churn, Milani Fard et al. 2016).

    Returns:
        One cell for all rows and each group; none where there is no baseline.
    """
    if assessed.baseline is None:
        return []
    found = []
    for attribute, group, member in subsets(assessed):
        changed = assessed.predictions[member] != assessed.baseline[member]
        value = float(np.mean(changed)) if len(changed) else None
        reason = None if len(changed) else "no rows"
        found.append(cell("flips", value, n=len(changed), attribute=attribute, group=group, reason=reason))
    return found
