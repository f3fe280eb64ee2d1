"""Group fairness, with Fairlearn: rates of each group, differences and ratios between groups, the worst group."""

from collections.abc import Callable
from typing import Any

import numpy as np
from fairlearn import metrics
from sklearn.metrics import accuracy_score

from fairweight.cells import Assessed, cell

Array = np.ndarray[Any, Any]
Cells = list[dict[str, Any]]

# rows that rates are shares of -> name of the rate and its function
RATES: dict[str, dict[str, Callable[..., float]]] = {
    "rows": {"accuracy": accuracy_score, "selection_rate": metrics.selection_rate},
    "positives": {"true_positive_rate": metrics.true_positive_rate},
    "negatives": {"false_positive_rate": metrics.false_positive_rate},
}
COMPLEMENTS = {"true_positive_rate": "false_negative_rate", "false_positive_rate": "true_negative_rate"}
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
    binary = assessed.classes == 2
    rates = RATES if binary else {"rows": {"accuracy": accuracy_score}}
    for attribute, levels in assessed.group_levels.items():
        codes = assessed.groups[attribute]
        if not (codes >= 0).any():
            continue  # nobody here has the attribute: MNIST's writers are known for test rows only
        differences: dict[str, float | None] = {}
        for basis, functions in rates.items():
            counts = _basis(assessed, codes, len(levels), basis)
            frame = _frame(functions, assessed, codes, counts)
            between = _between(frame, functions, levels, counts, attribute, basis)
            found += between
            if binary:
                found += _by_group(frame, levels, counts, codes, attribute, basis)
            differences |= {entry["metric"]: entry["value"] for entry in between}
            if basis == "rows":
                found.append(_worst(frame, levels, counts, attribute))
        if binary:
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


def _frame(
    functions: dict[str, Callable[..., float]], assessed: Assessed, codes: Array, counts: Array
) -> metrics.MetricFrame | None:
    """Fairlearn's frame over the groups for which the rates are defined.

    It is given each combination of group, label and prediction once, weighted by how often it occurs: the same rates
    from a few dozen rows instead of all.
    """
    keep = np.isin(codes, np.flatnonzero(counts))
    if not keep.any():
        return None
    combinations, weights = np.unique(
        np.stack([codes[keep], assessed.labels[keep], assessed.predictions[keep]]), axis=1, return_counts=True
    )
    group, label, prediction = combinations
    return metrics.MetricFrame(
        metrics=functions,
        y_true=label,
        y_pred=prediction,
        sensitive_features=group,
        sample_params={name: {"sample_weight": weights} for name in functions},
    )


def _by_group(
    frame: metrics.MetricFrame | None, levels: tuple[str, ...], counts: Array, codes: Array, attribute: str, basis: str
) -> Cells:
    """Rates of each group and their complements; the accuracy of each group is among the quality metrics."""
    sizes = np.bincount(codes[codes >= 0], minlength=len(levels))
    found = []
    for name in RATES[basis]:
        if name == "accuracy":
            continue
        for code, level in enumerate(levels):
            rate = float(frame.by_group.loc[code, name]) if frame is not None and counts[code] else None
            common = {
                "n": int(sizes[code]),
                "denominator": int(counts[code]),
                "attribute": attribute,
                "group": level,
                "reason": None if counts[code] else f"no {basis}",
            }
            found.append(cell(name, rate, **common))
            if name in COMPLEMENTS:
                found.append(cell(COMPLEMENTS[name], None if rate is None else 1 - rate, **common))
    return found


def _between(
    frame: metrics.MetricFrame | None,
    functions: dict[str, Callable[..., float]],
    levels: tuple[str, ...],
    counts: Array,
    attribute: str,
    basis: str,
) -> Cells:
    """Largest difference and smallest ratio of each rate between two groups."""
    defined = int((counts > 0).sum())
    left_out = [level for level, count in zip(levels, counts, strict=True) if not count]
    common = {"n": int(counts.sum()), "attribute": attribute, "groups": defined}
    if frame is None or defined < 2:
        reason = f"fewer than two groups have {basis}"
        return [cell(label, None, reason=reason, **common) for name in functions for label in BETWEEN[name]]
    reason = f"without {', '.join(left_out)} (no {basis})" if left_out else None
    difference, ratio, largest = frame.difference(), frame.ratio(), frame.group_max()
    found = []
    for name in functions:
        found.append(cell(BETWEEN[name][0], float(difference[name]), reason=reason, **common))
        if float(largest[name]) > 0:
            found.append(cell(BETWEEN[name][1], float(ratio[name]), reason=reason, **common))
        else:
            found.append(cell(BETWEEN[name][1], None, reason="the rate is 0 in every group", **common))
    return found


def _worst(frame: metrics.MetricFrame | None, levels: tuple[str, ...], counts: Array, attribute: str) -> dict[str, Any]:
    assert frame is not None  # some row has the attribute
    accuracy = frame.by_group["accuracy"]
    code = int(accuracy.idxmin())
    return cell(
        "worst_group_accuracy",
        float(accuracy[code]),
        n=int(counts[code]),
        attribute=attribute,
        group=levels[code],
        groups=int((counts > 0).sum()),
    )


def _equalized_odds(differences: dict[str, float | None], attribute: str, n: int) -> Cells:
    both = [differences["equal_opportunity_difference"], differences["false_positive_rate_difference"]]
    defined = [d for d in both if d is not None]
    complete = len(defined) == 2
    reason = None if complete else "true or false positive rates are undefined"
    larger = max(defined) if complete else None
    mean = float(np.mean(defined)) if complete else None
    return [
        cell("equalized_odds_difference", larger, n=n, attribute=attribute, reason=reason),
        cell("equalized_odds_difference_mean", mean, n=n, attribute=attribute, reason=reason),
    ]
