"""Group fairness, with Fairlearn: rates of each group, differences and ratios between groups, the worst group."""

from collections.abc import Callable
from typing import Any

import numpy as np
from fairlearn import metrics
from sklearn.metrics import accuracy_score

from fairweight.cells import Assessed, cell

Array = np.ndarray[Any, Any]
Cells = list[dict[str, Any]]

# rate -> (function, which rows it is a share of)
RATES: dict[str, tuple[Callable[..., float], str]] = {
    "selection_rate": (metrics.selection_rate, "rows"),
    "true_positive_rate": (metrics.true_positive_rate, "positives"),
    "false_negative_rate": (metrics.false_negative_rate, "positives"),
    "false_positive_rate": (metrics.false_positive_rate, "negatives"),
    "true_negative_rate": (metrics.true_negative_rate, "negatives"),
}
# the names by which differences and ratios of rates are known (Hardt et al. 2016; Agarwal et al. 2018)
BETWEEN = {
    "accuracy": ("accuracy_difference", "accuracy_ratio"),
    "selection_rate": ("demographic_parity_difference", "demographic_parity_ratio"),
    "true_positive_rate": ("equal_opportunity_difference", "equal_opportunity_ratio"),
    "false_positive_rate": ("false_positive_rate_difference", "false_positive_rate_ratio"),
}


def measure(assessed: Assessed) -> Cells:
    """Rates of each group, and for each attribute the largest difference and smallest ratio between two groups.

    Rates take a binary label; of a label with more classes the accuracy alone is compared.  A group without the rows
    that a rate is a share of has no such rate (Fairlearn would say 0), and differences are over the other groups; they
    are undefined with fewer than two.

    Returns:
        Cells (see `cells.cell`); equalized odds are the larger (`_difference`) and the mean (`_difference_mean`) of the
        differences in true and false positive rate.
    """
    found: Cells = []
    rates = RATES if assessed.classes == 2 else {}
    for attribute, levels in assessed.group_levels.items():
        codes = assessed.groups[attribute]
        if not (codes >= 0).any():
            continue  # nobody here has the attribute: MNIST's writers are known for test rows only
        differences: dict[str, float | None] = {}
        for name, (function, basis) in {"accuracy": (accuracy_score, "rows"), **rates}.items():
            counts = _basis(assessed, codes, len(levels), basis)
            frame = _frame(function, assessed, codes, counts)
            if name != "accuracy":
                found += _by_group(name, frame, levels, counts, codes, attribute, basis)
            if name in BETWEEN:
                difference, ratio = _between(name, frame, levels, counts, attribute, basis)
                differences[name] = difference["value"]
                found += [difference, ratio]
            if name == "accuracy":
                found.append(_worst(frame, levels, counts, attribute))
        if rates:
            found += _equalized_odds(differences, attribute, int((codes >= 0).sum()))
    return found


def _basis(assessed: Assessed, codes: Array, size: int, basis: str) -> Array:
    """How many rows of each group a rate is a share of."""
    member = {
        "rows": np.ones(len(codes), bool),
        "positives": assessed.labels == 1,
        "negatives": assessed.labels == 0,
    }[basis]
    return np.bincount(codes[member & (codes >= 0)], minlength=size)


def _frame(function: Callable[..., float], assessed: Assessed, codes: Array, counts: Array) -> metrics.MetricFrame | None:
    """Fairlearn's frame over the groups for which the rate is defined."""
    keep = np.isin(codes, np.flatnonzero(counts))
    if not keep.any():
        return None
    return metrics.MetricFrame(
        metrics=function,
        y_true=assessed.labels[keep],
        y_pred=assessed.predictions[keep],
        sensitive_features=codes[keep],
    )


def _by_group(
    name: str, frame: metrics.MetricFrame | None, levels: tuple[str, ...], counts: Array, codes: Array, attribute: str, basis: str
) -> Cells:
    sizes = np.bincount(codes[codes >= 0], minlength=len(levels))
    return [
        cell(
            name,
            float(frame.by_group[code]) if frame is not None and counts[code] else None,
            n=int(sizes[code]),
            denominator=int(counts[code]),
            attribute=attribute,
            group=level,
            reason=None if counts[code] else f"no {basis}",
        )
        for code, level in enumerate(levels)
    ]


def _between(
    name: str, frame: metrics.MetricFrame | None, levels: tuple[str, ...], counts: Array, attribute: str, basis: str
) -> Cells:
    defined = int((counts > 0).sum())
    left_out = [level for level, count in zip(levels, counts, strict=True) if not count]
    common = {"n": int(counts.sum()), "attribute": attribute, "groups": defined}
    if frame is None or defined < 2:
        reason = f"fewer than two groups have {basis}"
        return [cell(label, None, reason=reason, **common) for label in BETWEEN[name]]
    reason = f"without {', '.join(left_out)} (no {basis})" if left_out else None
    ratio = float(frame.ratio()) if float(frame.group_max()) > 0 else None
    return [
        cell(BETWEEN[name][0], float(frame.difference()), reason=reason, **common),
        cell(BETWEEN[name][1], ratio, reason=reason if ratio is not None else "the rate is 0 in every group", **common),
    ]


def _worst(frame: metrics.MetricFrame | None, levels: tuple[str, ...], counts: Array, attribute: str) -> dict[str, Any]:
    assert frame is not None  # some row has the attribute
    code = int(frame.by_group.idxmin())
    return cell(
        "worst_group_accuracy",
        float(frame.by_group[code]),
        n=int(counts[code]),
        attribute=attribute,
        group=levels[code],
        groups=int((counts > 0).sum()),
    )


def _equalized_odds(differences: dict[str, float | None], attribute: str, n: int) -> Cells:
    both = [differences["true_positive_rate"], differences["false_positive_rate"]]
    defined = [d for d in both if d is not None]
    complete = len(defined) == 2
    reason = None if complete else "true or false positive rates are undefined"
    larger = max(defined) if complete else None
    mean = float(np.mean(defined)) if complete else None
    return [
        cell("equalized_odds_difference", larger, n=n, attribute=attribute, reason=reason),
        cell("equalized_odds_difference_mean", mean, n=n, attribute=attribute, reason=reason),
    ]
