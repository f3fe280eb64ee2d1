"""Group fairness, with Fairlearn: rates of each group, differences and ratios between groups, the worst group."""

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Rates:
    """Rates of the groups of one attribute that are shares of the same kind of rows."""

    attribute: str
    levels: tuple[str, ...]
    sizes: Array  # rows of each group
    basis: str  # rows, positives or negatives
    counts: Array  # rows of that kind in each group
    frame: metrics.MetricFrame | None  # over the groups that have such rows; None if none has

    @property
    def names(self) -> list[str]:
        """Names of the rates."""
        return list(RATES[self.basis])

    def cell(self, metric: str, value: float | None, code: int) -> dict[str, Any]:
        """A rate of one group."""
        return cell(
            metric,
            value,
            n=int(self.sizes[code]),
            denominator=int(self.counts[code]),
            attribute=self.attribute,
            group=self.levels[code],
            reason=None if self.counts[code] else f"no {self.basis}",
        )

    def comparison(self, metric: str, value: float | None, reason: str | None) -> dict[str, Any]:
        """A difference or ratio between the groups for which the rate is defined."""
        n, groups = int(self.counts.sum()), int((self.counts > 0).sum())
        return cell(metric, value, n=n, attribute=self.attribute, groups=groups, reason=reason)


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
    for attribute, codes in assessed.groups.items():
        if not (codes >= 0).any():
            continue  # nobody here has the attribute: MNIST's writers are known for test rows only
        between: Cells = []
        for basis in RATES if binary else ["rows"]:
            rates = _rates(assessed, attribute, basis)
            between += _between(rates, binary)
            if basis == "rows":
                found.append(_worst(rates))
            if binary:
                found += _by_group(rates)
        found += between
        if binary:
            found += _equalized_odds(between, attribute, int((codes >= 0).sum()))
    return found


def _rates(assessed: Assessed, attribute: str, basis: str) -> _Rates:
    """Fairlearn's frame over the groups for which the rates are defined.

    It is given each combination of group, label and prediction once, weighted by how often it occurs: the same rates
    from a few dozen rows instead of all.
    """
    codes, levels = assessed.groups[attribute], assessed.group_levels[attribute]
    kinds = {"rows": np.ones(len(codes), bool), "positives": assessed.labels == 1, "negatives": assessed.labels == 0}
    sizes = np.bincount(codes[codes >= 0], minlength=len(levels))
    counts = np.bincount(codes[kinds[basis] & (codes >= 0)], minlength=len(levels))
    keep = np.isin(codes, np.flatnonzero(counts))
    frame = None
    if keep.any():
        columns = np.stack([codes[keep], assessed.labels[keep], assessed.predictions[keep]])
        (group, label, prediction), weights = np.unique(columns, axis=1, return_counts=True)
        functions = RATES[basis] if assessed.classes == 2 else {"accuracy": accuracy_score}
        frame = metrics.MetricFrame(
            metrics=functions,
            y_true=label,
            y_pred=prediction,
            sensitive_features=group,
            sample_params={name: {"sample_weight": weights} for name in functions},
        )
    return _Rates(attribute, levels, sizes, basis, counts, frame)


def _by_group(rates: _Rates) -> Cells:
    """Rates of each group and their complements; the accuracy of each group is among the quality metrics."""
    found = []
    for name in rates.names:
        if name == "accuracy":
            continue
        for code, count in enumerate(rates.counts):
            rate = float(rates.frame.by_group.loc[code, name]) if rates.frame is not None and count else None
            found.append(rates.cell(name, rate, code))
            if name in COMPLEMENTS:
                found.append(rates.cell(COMPLEMENTS[name], None if rate is None else 1 - rate, code))
    return found


def _between(rates: _Rates, binary: bool) -> Cells:
    """Largest difference and smallest ratio of each rate between two groups."""
    names = rates.names if binary else ["accuracy"]
    if rates.frame is None or (rates.counts > 0).sum() < 2:
        reason = f"fewer than two groups have {rates.basis}"
        return [rates.comparison(label, None, reason) for name in names for label in BETWEEN[name]]
    left_out = [level for level, count in zip(rates.levels, rates.counts, strict=True) if not count]
    note = f"without {', '.join(left_out)} (no {rates.basis})" if left_out else None
    difference, ratio, largest = rates.frame.difference(), rates.frame.ratio(), rates.frame.group_max()
    found = []
    for name in names:
        found.append(rates.comparison(BETWEEN[name][0], float(difference[name]), note))
        if float(largest[name]) > 0:
            found.append(rates.comparison(BETWEEN[name][1], float(ratio[name]), note))
        else:
            found.append(rates.comparison(BETWEEN[name][1], None, "the rate is 0 in every group"))
    return found


def _worst(rates: _Rates) -> dict[str, Any]:
    if rates.frame is None:
        raise ValueError("no row has the attribute")
    accuracy = rates.frame.by_group["accuracy"]
    code = int(accuracy.idxmin())
    found = rates.cell("worst_group_accuracy", float(accuracy[code]), code)
    return found | {"groups": int((rates.counts > 0).sum())}


def _equalized_odds(between: Cells, attribute: str, n: int) -> Cells:
    wanted = ("equal_opportunity_difference", "false_positive_rate_difference")
    values = [entry["value"] for entry in between if entry["metric"] in wanted]
    complete = None not in values
    reason = None if complete else "true or false positive rates are undefined"
    larger = max(values) if complete else None
    mean = float(np.mean(values)) if complete else None
    return [
        cell("equalized_odds_difference", larger, n=n, attribute=attribute, reason=reason),
        cell("equalized_odds_difference_mean", mean, n=n, attribute=attribute, reason=reason),
    ]
