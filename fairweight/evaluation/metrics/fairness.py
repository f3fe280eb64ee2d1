"""Group fairness: rates of each group with intervals, gaps between groups beside what chance makes, the worst group."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairweight.evaluation.metric_rows import Assessed, cell
from fairweight.statistics.intervals import gap_by_chance, wilson

Array = np.ndarray[Any, Any]
Cells = list[dict[str, Any]]

# rate -> kind of rows that it is a share of; complements have the same basis and need no comparison of their own
BASES = {
    "selection_rate": "rows",
    "base_rate": "rows",
    "true_positive_rate": "positives",
    "false_negative_rate": "positives",
    "false_positive_rate": "negatives",
    "true_negative_rate": "negatives",
    "positive_predictive_value": "predicted positives",
    "negative_predictive_value": "predicted negatives",
}
# the names by which differences and ratios of rates are known (Hardt et al. 2016; Chouldechova 2017; Agarwal et al. 2018)
BETWEEN = {
    "accuracy": ("accuracy_difference", "accuracy_ratio"),
    "selection_rate": ("demographic_parity_difference", "demographic_parity_ratio"),
    "true_positive_rate": ("equal_opportunity_difference", "equal_opportunity_ratio"),
    "false_positive_rate": ("false_positive_rate_difference", "false_positive_rate_ratio"),
    "positive_predictive_value": ("predictive_parity_difference", "predictive_parity_ratio"),
}


@dataclass(frozen=True)
class _Counts:
    """How often each rate happened, and could have, in each group of one attribute."""

    attribute: str
    levels: tuple[str, ...]
    sizes: Array  # (G,) rows of each group
    rates: dict[str, tuple[Array, Array]]  # rate -> numerator and denominator (G,)
    smallest: int
    of_class: str | None

    def basis(self, name: str) -> str:
        """Kind of rows that a rate is a share of."""
        return BASES.get(name, "rows")

    def by_group(self, name: str) -> Cells:
        """A rate of each group, with Wilson's interval."""
        above, below = self.rates[name]
        low, high = wilson(above, below)
        return [
            cell(
                name,
                float(above[code] / below[code]) if below[code] else None,
                n=int(self.sizes[code]),
                denominator=int(below[code]),
                attribute=self.attribute,
                group=level,
                of_class=self.of_class,
                interval=(float(low[code]), float(high[code])) if below[code] else None,
                smallest=self.smallest,
                reason=None if below[code] else f"no {self.basis(name)}",
            )
            for code, level in enumerate(self.levels)
        ]

    def between(self, name: str) -> Cells:
        """Largest difference and smallest ratio of a rate between the groups that have enough rows."""
        above, below = self.rates[name]
        enough = below >= max(self.smallest, 1)
        labels = BETWEEN[name]
        if enough.sum() < 2:
            reason = f"fewer than two groups have {self._wanted(name)}"
            return [self._comparison(label, None, enough, below, reason) for label in labels]
        rates = above[enough] / below[enough]
        by_chance, p_value = gap_by_chance(above[enough], below[enough])
        note = self._left_out(enough, name)
        found = [self._comparison(labels[0], float(np.ptp(rates)), enough, below, note, by_chance, p_value)]
        if rates.max() > 0:
            return [*found, self._comparison(labels[1], float(rates.min() / rates.max()), enough, below, note)]
        return [*found, self._comparison(labels[1], None, enough, below, "the rate is 0 in every group")]

    def _comparison(
        self, metric: str, value: float | None, enough: Array, below: Array, reason: str | None,
        by_chance: float | None = None, p_value: float | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        return cell(
            metric, value, n=int(below[enough].sum()), attribute=self.attribute, groups=int(enough.sum()),
            of_class=self.of_class, by_chance=by_chance, p_value=p_value, reason=reason,
        )  # fmt: skip

    def _wanted(self, name: str) -> str:
        return f"{self.smallest} or more {self.basis(name)}" if self.smallest > 1 else self.basis(name)

    def _left_out(self, enough: Array, name: str) -> str | None:
        missing = [level for level, kept in zip(self.levels, enough, strict=True) if not kept]
        few = f"fewer than {self.smallest}" if self.smallest > 1 else "no"
        return f"without {', '.join(missing)} ({few} {self.basis(name)})" if missing else None

    def worst(self) -> dict[str, Any]:
        """The lowest accuracy of a group with enough rows, and that group's name."""
        above, below = self.rates["accuracy"]
        enough = below >= max(self.smallest, 1)
        if not enough.any():
            reason = f"no group has {self._wanted('accuracy')}"
            return self._comparison("worst_group_accuracy", None, enough, below, reason)
        code = int(np.argmin(np.where(enough, above / np.maximum(below, 1), np.inf)))
        low, high = wilson(above[code], below[code])
        return cell(
            "worst_group_accuracy", float(above[code] / below[code]), n=int(below[code]), attribute=self.attribute,
            group=self.levels[code], groups=int(enough.sum()), interval=(float(low), float(high)),
            of_class=self.of_class, reason=self._left_out(enough, "accuracy"),
        )  # fmt: skip


def measure(assessed: Assessed) -> Cells:
    """Rates of each group, and for each attribute the largest difference and smallest ratio between two groups.

    A group without the rows that a rate is a share of has no such rate; one with fewer than `smallest_group` has a rate
    that is reported as insufficient; comparisons are over the others, which are undefined with fewer than two.  Beside
    each difference stand the difference to expect if all these groups were equal, and the p-value of that null.  Of a
    label with more classes each is held against the rest, and accuracy is compared as it is.

    Returns:
        Cells (see `cells.cell`); equalized odds are the larger (`_difference`) and the mean (`_difference_mean`) of the
        differences in true and false positive rate.
    """
    found: Cells = []
    for attribute, codes in assessed.groups.items():
        if not (codes >= 0).any():
            continue  # nobody here has the attribute: MNIST's writers are known for test rows only
        binary = assessed.classes == 2
        for labels, predictions, of_class in _binary_views(assessed):
            counts = _counts(assessed, attribute, labels, predictions, of_class)
            for name in BASES:
                found += counts.by_group(name)
            between = [entry for name in BETWEEN if binary or name != "accuracy" for entry in counts.between(name)]
            found += between + _equalized_odds(between, attribute, of_class)
            if binary:
                found.append(counts.worst())
        if not binary:
            hits = (assessed.labels == assessed.predictions).astype(int)
            counts = _counts(assessed, attribute, np.ones_like(hits), hits, None)
            found += [*counts.between("accuracy"), counts.worst()]
    return found


def _binary_views(assessed: Assessed) -> Iterator[tuple[Array, Array, str | None]]:
    """Labels and predictions as 0 and 1, and the class that is 1; once for a binary label."""
    if assessed.classes == 2:
        yield assessed.labels, assessed.predictions, None
        return
    for code in range(assessed.classes):
        name = assessed.class_names[code] if assessed.class_names else str(code)
        yield (assessed.labels == code).astype(int), (assessed.predictions == code).astype(int), name


def _counts(assessed: Assessed, attribute: str, labels: Array, predictions: Array, of_class: str | None) -> _Counts:
    codes, levels = assessed.groups[attribute], assessed.group_levels[attribute]
    member = codes >= 0
    places = (codes[member] * 2 + labels[member]) * 2 + predictions[member]
    table = np.bincount(places, minlength=len(levels) * 4).reshape(len(levels), 2, 2)
    (tn, fp), (fn, tp) = np.moveaxis(table, 0, -1)
    n, positives, negatives = tn + fp + fn + tp, tp + fn, tn + fp
    rates = {
        "accuracy": (tp + tn, n),
        "base_rate": (positives, n),
        "selection_rate": (tp + fp, n),
        "true_positive_rate": (tp, positives),
        "false_negative_rate": (fn, positives),
        "false_positive_rate": (fp, negatives),
        "true_negative_rate": (tn, negatives),
        "positive_predictive_value": (tp, tp + fp),
        "negative_predictive_value": (tn, tn + fn),
    }
    return _Counts(attribute, levels, n, rates, assessed.smallest_group, of_class)


def _equalized_odds(between: Cells, attribute: str, of_class: str | None) -> Cells:
    wanted = ("equal_opportunity_difference", "false_positive_rate_difference")
    parts = [entry for entry in between if entry["metric"] in wanted]
    values = [entry["value"] for entry in parts]
    complete = None not in values
    reason = "; ".join(dict.fromkeys(e["reason"] for e in parts if e["reason"])) or None
    n = sum(entry["n"] for entry in parts)
    groups = min(entry["groups"] for entry in parts)
    larger = max(values) if complete else None
    mean = float(np.mean(values)) if complete else None
    return [
        cell(name, value, n=n, attribute=attribute, groups=groups, of_class=of_class, reason=reason)
        for name, value in (("equalized_odds_difference", larger), ("equalized_odds_difference_mean", mean))
    ]
