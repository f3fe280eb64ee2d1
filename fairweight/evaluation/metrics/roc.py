"""ABROCA: the area between the ROC curves of two groups, whose own areas may be equal (Gardner et al. 2019)."""

import itertools
from typing import Any

import numpy as np

from fairweight.evaluation.metric_rows import Assessed, MetricRow, metric_row
from fairweight.statistics.ranking import roc_curve

Array = np.ndarray[Any, Any]
Curve = tuple[Array, Array]  # false positive rates and true positive rates


def measure(assessed: Assessed) -> list[MetricRow]:
    """Largest area between the ROC curves of two groups of each attribute, with the names of the two in `reason`.

    It exists only for binary labels with scores. Groups with fewer than `smallest_group` positives or negatives are
    left out; `reason` names them as well.

    Returns:
        One row per attribute (see `metric_rows.metric_row`), a share of the unit square.
    """
    if assessed.classes != 2 or assessed.scores is None:
        return []
    rows = []
    for attribute, codes in assessed.groups.items():
        if not (codes >= 0).any():
            continue
        curves, missing, n = {}, [], 0
        for code, level in enumerate(assessed.group_levels[attribute]):
            labels = assessed.labels[codes == code]
            if min((labels == 1).sum(), (labels == 0).sum()) >= max(assessed.smallest_group, 1):
                curves[level] = roc_curve(labels == 1, assessed.scores[codes == code])
                n += len(labels)
            else:
                missing.append(level)
        if len(curves) < 2:
            reason = "fewer than two groups have enough positives and negatives"
            rows.append(metric_row("abroca", None, n=n, attribute=attribute, groups=len(curves), reason=reason))
            continue
        areas = {pair: area_between(curves[pair[0]], curves[pair[1]]) for pair in itertools.combinations(curves, 2)}
        widest = max(areas, key=lambda pair: areas[pair])
        left_out = f", without {', '.join(missing)} (too few positives or negatives)" if missing else ""
        reason = f"between {widest[0]} and {widest[1]}{left_out}"
        rows.append(metric_row("abroca", areas[widest], n=n, attribute=attribute, groups=len(curves), reason=reason))
    return rows


def area_between(first: Curve, second: Curve) -> float:
    """Exact area between two ROC curves, which are piecewise linear."""
    x = np.unique(np.concatenate([first[0], second[0]]))
    (first_left, first_right), (second_left, second_right) = _sides(first, x), _sides(second, x)
    # differences at the start and end of each interval between two x
    start, end = first_right[:-1] - second_right[:-1], first_left[1:] - second_left[1:]
    total = np.abs(start) + np.abs(end)
    crossing = np.divide(start**2 + end**2, total, out=np.zeros_like(total), where=total > 0)
    return float((np.diff(x) * np.where(start * end >= 0, total, crossing)).sum() / 2)


def _sides(curve: Curve, x: Array) -> tuple[Array, Array]:
    """True positive rate just left and just right of each x, which differ where the curve rises vertically."""
    false, true = curve
    starts = np.flatnonzero(np.diff(false, prepend=-1.0))
    values, low, high = false[starts], np.minimum.reduceat(true, starts), np.maximum.reduceat(true, starts)
    after = np.searchsorted(values, x)
    known = values[after] == x
    before = np.maximum(after - 1, 0)
    width = np.where(after > before, values[after] - values[before], 1)
    # between two points the line goes from the upper end of the first to the lower end of the second
    line = high[before] + (low[after] - high[before]) * (x - values[before]) / width
    return np.where(known, low[after], line), np.where(known, high[after], line)
