"""What metrics take and what they return."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# columns of a cell and their Arrow types
SCHEMA = {
    "metric": "string",
    "attribute": "string",
    "group": "string",
    "class": "string",
    "value": "double",
    "low": "double",
    "high": "double",
    "by_chance": "double",
    "p_value": "double",
    "n": "int64",
    "denominator": "int64",
    "groups": "int64",
    "status": "string",
    "reason": "string",
}


@dataclass(frozen=True)
class Assessed:
    """Predictions of n rows beside the truth."""

    labels: Array  # int (n,)
    predictions: Array  # int (n,)
    scores: Array | None  # (n,) larger means more likely positive; binary labels only
    probabilities: Array | None  # (n, classes)
    classes: int
    groups: dict[str, Array]  # attribute -> codes (n,), -1 is none
    group_levels: dict[str, tuple[str, ...]]
    baseline: Array | None = None  # predictions of the variant that this one is compared with (n,)
    class_names: tuple[str, ...] = ()  # for one class against the rest; empty: their codes
    smallest_group: int = 1  # a rate that is a share of fewer rows is reported as insufficient, and not ranked
    swapped: Array | None = None  # (n,) predictions of the same texts about another group, -1 where there is none
    nll: Array | None = None  # (n,) of texts: summed negative log-likelihood of their tokens in nats
    tokens: Array | None = None  # (n,) tokens foretold
    utf8_bytes: Array | None = None  # (n,) bytes of the text
    pairs: Array | None = None  # (n,) number of a sentence's pair, negative for the less stereotyping one, 0 is none
    baseline_nll: Array | None = None  # nll in the variant that this one is compared with (n,)

    def take(self, rows: Array) -> "Assessed":
        """The rows at these positions or under this mask."""
        return replace(
            self,
            labels=self.labels[rows],
            predictions=self.predictions[rows],
            scores=None if self.scores is None else self.scores[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            groups={name: codes[rows] for name, codes in self.groups.items()},
            baseline=None if self.baseline is None else self.baseline[rows],
            swapped=None if self.swapped is None else self.swapped[rows],
            nll=None if self.nll is None else self.nll[rows],
            tokens=None if self.tokens is None else self.tokens[rows],
            utf8_bytes=None if self.utf8_bytes is None else self.utf8_bytes[rows],
            pairs=None if self.pairs is None else self.pairs[rows],
            baseline_nll=None if self.baseline_nll is None else self.baseline_nll[rows],
        )

    def of_group(self, member: Array) -> "Assessed":
        """The rows under this mask (n,) without their groups, which cost more to take along than a metric does."""
        return replace(self, groups={}, group_levels={}, baseline=None).take(np.flatnonzero(member))


def subsets(assessed: Assessed) -> Iterator[tuple[str | None, str | None, Array]]:
    """(attribute, group, mask) of all rows together and then of each group that a row belongs to."""
    yield None, None, np.ones(len(assessed.labels), bool)
    for attribute, levels in assessed.group_levels.items():
        codes = assessed.groups[attribute]
        if (codes >= 0).any():
            for code, level in enumerate(levels):
                yield attribute, level, codes == code


def cell(
    metric: str,
    value: float | None,
    *,
    n: int,
    denominator: int | None = None,
    attribute: str | None = None,
    group: str | None = None,
    of_class: str | None = None,
    interval: tuple[float, float] | None = None,
    by_chance: float | None = None,
    p_value: float | None = None,
    groups: int | None = None,
    smallest: int = 1,
    reason: str | None = None,
) -> dict[str, Any]:
    """One number with what it is about.

    Args:
        metric: its name.
        value: None where it is undefined; `reason` says why.
        n: rows that it is about.
        denominator: rows that a rate is a share of, where they are others than n.
        attribute, group: the group that it is about; an attribute alone is a comparison of its groups.
        of_class: the class that is held against the rest, where there are more than two.
        interval: bounds at 95 %.
        by_chance: what to expect if there were nothing to find (all groups equal, or scores calibrated).
        p_value: against that null.
        groups: how many groups a comparison is over.
        smallest: a value that rests on fewer rows is `insufficient`.
        reason: why it is undefined or insufficient, or what was left out.
    """
    below = n if denominator is None else denominator
    status = "undefined" if value is None else "insufficient" if below < smallest else "ok"
    low, high = interval or (None, None)
    return {
        "metric": metric,
        "attribute": attribute,
        "group": group,
        "class": of_class,
        "value": value,
        "low": low,
        "high": high,
        "by_chance": by_chance,
        "p_value": p_value,
        "n": n,
        "denominator": below,
        "groups": groups,
        "status": status,
        "reason": f"fewer than {smallest} rows" if status == "insufficient" and reason is None else reason,
    }
