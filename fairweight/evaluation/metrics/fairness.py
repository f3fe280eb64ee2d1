"""Group fairness: rates of each group with intervals, gaps between groups, and the worst group."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fairweight.evaluation.metric_rows import Array, Assessed, MetricRow, metric_row
from fairweight.statistics.intervals import gap_by_chance, wilson
from fairweight.statistics.rates import BETWEEN, EQUALIZED_ODDS, RATES, Counts, Fraction, equalized_odds, large_enough

BY_GROUP = tuple(name for name in RATES if name != "accuracy")  # `quality` states the accuracy of each group


@dataclass(frozen=True)
class _GroupRates:
    """Rates of the groups of one attribute, as numerators and denominators."""

    attribute: str
    levels: tuple[str, ...]
    sizes: Array  # (G,) rows of each group
    fractions: dict[str, Fraction]  # rate -> numerator and denominator (G,)
    smallest: int
    class_name: str | None

    def by_group(self, rate: str) -> list[MetricRow]:
        """A rate of each group, with Wilson's interval."""
        above, below = self.fractions[rate]
        low, high = wilson(above, below)
        return [
            metric_row(
                rate,
                float(above[code] / below[code]) if below[code] else None,
                n=int(self.sizes[code]),
                denominator=int(below[code]),
                attribute=self.attribute,
                group=level,
                class_name=self.class_name,
                interval=(float(low[code]), float(high[code])) if below[code] else None,
                smallest=self.smallest,
                reason=None if below[code] else f"no {RATES[rate].share_of}",
            )
            for code, level in enumerate(self.levels)
        ]

    def between(self, rate: str) -> list[MetricRow]:
        """Largest difference and smallest ratio of a rate between the groups that have enough rows."""
        above, below = self.fractions[rate]
        enough = large_enough(below, self.smallest)
        difference, ratio = BETWEEN[rate]
        if enough.sum() < 2:
            reason = f"fewer than two groups have {self._wanted(rate)}"
            return [self._comparison(name, None, enough, below, reason) for name in (difference, ratio)]
        rates = above[enough] / below[enough]
        by_chance, p_value = gap_by_chance(above[enough], below[enough])
        note = self._left_out(enough, rate)
        rows = [self._comparison(difference, float(np.ptp(rates)), enough, below, note, by_chance, p_value)]
        if rates.max() > 0:
            return [*rows, self._comparison(ratio, float(rates.min() / rates.max()), enough, below, note)]
        return [*rows, self._comparison(ratio, None, enough, below, "the rate is 0 in every group")]

    def _comparison(
        self,
        metric: str,
        value: float | None,
        enough: Array,
        below: Array,
        reason: str | None,
        by_chance: float | None = None,
        p_value: float | None = None,
    ) -> MetricRow:
        return metric_row(
            metric,
            value,
            n=int(below[enough].sum()),
            attribute=self.attribute,
            class_name=self.class_name,
            groups=int(enough.sum()),
            by_chance=by_chance,
            p_value=p_value,
            reason=reason,
        )

    def _wanted(self, rate: str) -> str:
        kind = RATES[rate].share_of
        return f"{self.smallest} or more {kind}" if self.smallest > 1 else kind

    def _left_out(self, enough: Array, rate: str) -> str | None:
        missing = [level for level, kept in zip(self.levels, enough, strict=True) if not kept]
        few = f"fewer than {self.smallest}" if self.smallest > 1 else "no"
        return f"without {', '.join(missing)} ({few} {RATES[rate].share_of})" if missing else None

    def worst(self) -> MetricRow:
        """The lowest accuracy of a group with enough rows, and that group's name."""
        above, below = self.fractions["accuracy"]
        enough = large_enough(below, self.smallest)
        if not enough.any():
            reason = f"no group has {self._wanted('accuracy')}"
            return self._comparison("worst_group_accuracy", None, enough, below, reason)
        code = int(np.argmin(np.where(enough, above / np.maximum(below, 1), np.inf)))
        low, high = wilson(above[code], below[code])
        return metric_row(
            "worst_group_accuracy",
            float(above[code] / below[code]),
            n=int(below[code]),
            attribute=self.attribute,
            group=self.levels[code],
            class_name=self.class_name,
            interval=(float(low), float(high)),
            groups=int(enough.sum()),
            reason=self._left_out(enough, "accuracy"),
        )


def measure(assessed: Assessed) -> list[MetricRow]:
    """Rates of each group, and for each attribute the largest difference and smallest ratio between two groups.

    A rate is undefined for a group without the rows that it is a share of, and reported as insufficient for a group
    with fewer than `smallest_group` of them. Comparisons are over the other groups, and undefined with fewer than two.
    Each difference comes with its expectation if all these groups were equal, and with the p-value of that null
    hypothesis. For a label with more than two classes each class is compared with the rest, while accuracy is that of
    all classes.

    Returns:
        Metric rows (see `metric_rows.metric_row`). Equalized odds are the larger (`_difference`) and the mean
        (`_difference_mean`) of the differences in true and false positive rate.
    """
    rows: list[MetricRow] = []
    for attribute, codes in assessed.groups.items():
        if not (codes >= 0).any():
            continue  # no row of this part has the attribute: MNIST's writers are known for test rows only
        binary = assessed.classes == 2
        for labels, predictions, class_name in _binary_views(assessed):
            rates = _group_rates(assessed, attribute, labels, predictions, class_name)
            for name in BY_GROUP:
                rows += rates.by_group(name)
            between = {name: rates.between(name) for name in BETWEEN if binary or name != "accuracy"}
            for compared in between.values():
                rows += compared
            rows += _equalized_odds([between[name][0] for name in EQUALIZED_ODDS], attribute, class_name)
            if binary:
                rows.append(rates.worst())
        if not binary:
            hits = (assessed.labels == assessed.predictions).astype(np.int8)
            rates = _group_rates(assessed, attribute, np.ones_like(hits), hits, None)
            rows += [*rates.between("accuracy"), rates.worst()]
    return rows


def _binary_views(assessed: Assessed) -> Iterator[tuple[Array, Array, str | None]]:
    """Labels and predictions as 0 and 1, and the class that is 1; once for a binary label."""
    if assessed.classes == 2:
        yield assessed.labels, assessed.predictions, None
        return
    for code in range(assessed.classes):
        name = assessed.class_names[code] if assessed.class_names else str(code)
        yield (assessed.labels == code).astype(np.int8), (assessed.predictions == code).astype(np.int8), name


def _group_rates(
    assessed: Assessed, attribute: str, labels: Array, predictions: Array, class_name: str | None
) -> _GroupRates:
    codes, levels = assessed.groups[attribute], assessed.group_levels[attribute]
    member = codes >= 0
    places = (codes[member].astype(np.int64) * 2 + labels[member]) * 2 + predictions[member]
    table = np.bincount(places, minlength=len(levels) * 4).reshape(len(levels), 2, 2)  # group, label, prediction
    counts = Counts(
        rows=table.sum(axis=(1, 2)),
        positives=table[:, 1].sum(axis=1),
        selected=table[:, :, 1].sum(axis=1),
        true_positives=table[:, 1, 1],
    )
    fractions = {name: rate.fraction(counts) for name, rate in RATES.items()}
    return _GroupRates(attribute, levels, counts.rows, fractions, assessed.smallest_group, class_name)


def _equalized_odds(differences: list[MetricRow], attribute: str, class_name: str | None) -> list[MetricRow]:
    """Rows of equalized odds, from those of the differences that they combine."""
    values = [row["value"] for row in differences]
    combined = equalized_odds([np.nan if value is None else value for value in values])
    reason = "; ".join(dict.fromkeys(row["reason"] for row in differences if row["reason"])) or None
    return [
        metric_row(
            name,
            None if None in values else float(value),
            n=sum(row["n"] for row in differences),
            attribute=attribute,
            class_name=class_name,
            groups=min(row["groups"] or 0 for row in differences),
            reason=reason,
        )
        for name, value in combined.items()
    ]
