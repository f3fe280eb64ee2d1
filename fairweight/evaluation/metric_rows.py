"""Input and output of metrics: predictions beside the truth, and one row per number."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

import numpy as np

from fairweight.core.table import take_rows

Array = np.ndarray[Any, Any]
Status = Literal["ok", "insufficient", "undefined"]

# one number of a metric and what it is about; None where it does not apply
MetricRow = TypedDict(
    "MetricRow",
    {
        "metric": str,
        "attribute": str | None,
        "group": str | None,
        "class": str | None,
        "value": float | None,
        "low": float | None,
        "high": float | None,
        "by_chance": float | None,
        "p_value": float | None,
        "n": int,
        "denominator": int,
        "groups": int | None,
        "status": Status,
        "reason": str | None,
    },
)
# columns of a metric row and their Arrow types
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
    """Predictions of n rows beside the truth; every array has one entry per row."""

    labels: Array  # int codes of classes, or float numbers (n,)
    predictions: Array  # the same
    scores: Array | None  # (n,) larger means more likely positive; binary labels only
    probabilities: Array | None  # (n, classes)
    classes: int
    groups: dict[str, Array]  # attribute -> codes (n,), -1 is none
    group_levels: dict[str, tuple[str, ...]]
    baseline: Array | None = None  # (n,) predictions of the variant that this one is compared with
    class_names: tuple[str, ...] = ()  # for one class against the rest; if empty, their codes are their names
    smallest_group: int = 1  # a rate that is a share of fewer rows is reported as insufficient, and not ranked
    swapped: Array | None = None  # (n,) predictions of the same texts about another group, -1 where there is none
    nll: Array | None = None  # (n,) of texts: summed negative log-likelihood of their tokens in nats
    tokens: Array | None = None  # (n,) number of predicted tokens
    utf8_bytes: Array | None = None  # (n,) bytes of the text
    pairs: Array | None = None  # (n,) number of a sentence's pair, negative for the less stereotyping one, 0 is none
    baseline_nll: Array | None = None  # (n,) nll in the variant that this one is compared with
    half_width: float | None = None  # of the intervals around numbers

    def take(self, rows: Array) -> "Assessed":
        """The rows at these positions or under this mask."""
        return take_rows(self, rows)

    def of_group(self, member: Array) -> "Assessed":
        """The rows under this mask (n,) without their groups, because selecting these costs more than most metrics."""
        return replace(self, groups={}, group_levels={}, baseline=None).take(np.flatnonzero(member))


def subsets(assessed: Assessed) -> Iterator[tuple[str | None, str | None, Array]]:
    """(attribute, group, mask) of all rows together and then of each group that a row belongs to."""
    yield None, None, np.ones(len(assessed.labels), bool)
    for attribute, levels in assessed.group_levels.items():
        codes = assessed.groups[attribute]
        if (codes >= 0).any():
            for code, level in enumerate(levels):
                yield attribute, level, codes == code


def metric_row(
    metric: str,
    value: float | None,
    *,
    n: int,
    denominator: int | None = None,
    attribute: str | None = None,
    group: str | None = None,
    class_name: str | None = None,
    interval: tuple[float, float] | None = None,
    by_chance: float | None = None,
    p_value: float | None = None,
    groups: int | None = None,
    smallest: int = 1,
    reason: str | None = None,
) -> MetricRow:
    """Make the row of one number.

    Args:
        metric: its name.
        value: None where it is undefined; `reason` says why.
        n: rows that it is about.
        denominator: rows that a rate is a share of, where they are not `n`.
        attribute: whose groups it is about; an attribute alone is a comparison of its groups.
        group: the one that it is about.
        class_name: the class that is compared with the rest, where there are more than two.
        interval: bounds at 95 %.
        by_chance: expected value if there were nothing to find (all groups equal, or scores calibrated).
        p_value: against that null hypothesis.
        groups: number of groups that a comparison is over.
        smallest: a value that rests on fewer rows is `insufficient`.
        reason: why it is undefined or insufficient, or what was left out.
    """
    below = n if denominator is None else denominator
    status: Status = "undefined" if value is None else "insufficient" if below < smallest else "ok"
    low, high = interval or (None, None)
    return {
        "metric": metric,
        "attribute": attribute,
        "group": group,
        "class": class_name,
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
