"""Gaps between groups of predicted numbers: of the error, of the mean error, and of the mean prediction."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fairweight.evaluation.metric_rows import Assessed, MetricRow, metric_row
from fairweight.statistics.intervals import range_by_chance

Array = np.ndarray[Any, Any]
VALUES: dict[str, Callable[[Array, Array], Array]] = {
    "mean_absolute_error": lambda predicted, label: np.abs(predicted - label),
    "mean_error": lambda predicted, label: predicted - label,
    "mean_prediction": lambda predicted, _label: predicted,  # equal means are statistical parity
}


def measure(assessed: Assessed) -> list[MetricRow]:
    """Largest difference between groups of the mean absolute error, mean error and mean prediction; the worst group.

    `by_chance` and `p_value` are those of groups of these sizes and spreads whose true means are equal. Groups with
    fewer than `smallest_group` rows are left out; `reason` names the two groups, and those.

    Returns:
        Three rows per attribute, and one of the group with the largest error (see `metric_rows.metric_row`).
    """
    rows = []
    for attribute, codes in assessed.groups.items():
        if not (codes >= 0).any():
            continue
        levels = assessed.group_levels[attribute]
        members = {level: codes == code for code, level in enumerate(levels)}
        kept = {level: m for level, m in members.items() if m.sum() >= max(assessed.smallest_group, 2)}
        left_out = [level for level, m in members.items() if level not in kept and m.any()]
        n = int(sum(m.sum() for m in kept.values()))
        for name, function in VALUES.items():
            values = function(assessed.predictions, assessed.labels)
            about: dict[str, Any] = {"n": n, "attribute": attribute, "groups": len(kept)}
            if len(kept) < 2:
                reason = "fewer than two groups have enough rows"
                rows.append(metric_row(f"{name}_difference", None, reason=reason, **about))
                continue
            means = {level: float(values[m].mean()) for level, m in kept.items()}
            errors = np.array([np.std(values[m], ddof=1) / np.sqrt(m.sum()) for m in kept.values()])
            low, high = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
            without = f", without {', '.join(left_out)} (too few rows)" if left_out else ""
            gap, reason = means[high] - means[low], f"from {low} to {high}{without}"
            by_chance, p_value = range_by_chance(errors, gap)
            about |= {"by_chance": by_chance, "p_value": p_value}
            rows.append(metric_row(f"{name}_difference", gap, reason=reason, **about))
            if name == "mean_absolute_error":
                rows.append(
                    metric_row(f"largest_group_{name}", means[high], n=int(kept[high].sum()), attribute=attribute)
                    | {"group": high}
                )
    return rows
