"""Quality: how often predictions are right and how well scores separate classes, overall and for each group."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fairweight.evaluation.metric_rows import Assessed, MetricRow, metric_row, subsets
from fairweight.statistics.intervals import wilson
from fairweight.statistics.ranking import auc

Array = np.ndarray[Any, Any]


def measure(assessed: Assessed) -> list[MetricRow]:
    """Accuracy, balanced accuracy, F1, log loss and AUC of all rows and of each group.

    F1 and AUC are those of the positive class for a binary label, otherwise means over the classes (AUC: one against
    the rest, not the pairs of Hand & Till 2001). Accuracy has Wilson's interval at 95 %. Log loss is in nats, and
    undefined for scores that are no probabilities.

    Returns:
        One row per metric and subset of rows (see `metric_rows.metric_row`).
    """
    rows = []
    for attribute, group, member in subsets(assessed):
        part = assessed.of_group(member)
        for name, function in METRICS.items():
            n = len(part.labels)
            value, reason = function(part) if n else (None, "no rows")
            interval = _interval(part) if name == "accuracy" and n else None
            rows.append(
                metric_row(
                    name,
                    value,
                    n=n,
                    attribute=attribute,
                    group=group,
                    interval=interval,
                    smallest=assessed.smallest_group,
                    reason=reason,
                )
            )
    return rows


def _interval(part: Assessed) -> tuple[float, float]:
    low, high = wilson(float(np.sum(part.labels == part.predictions)), len(part.labels))
    return float(low), float(high)


Value = tuple[float | None, str | None]  # value, and why there is none


def _accuracy(part: Assessed) -> Value:
    return float(np.mean(part.labels == part.predictions)), None


def _by_class(part: Assessed) -> tuple[Array, Array, Array]:
    """Hits, labels and predictions of each class: (classes,) each.

    A prediction of a class that the dataset does not have counts for none of them.
    """
    hits = part.labels[part.labels == part.predictions]
    hit, label, predicted = (
        np.bincount(codes, minlength=part.classes)[: part.classes] for codes in (hits, part.labels, part.predictions)
    )
    return hit, label, predicted


def _balanced_accuracy(part: Assessed) -> Value:
    hits, labels, _ = _by_class(part)
    if not labels.all():
        return None, f"{int((labels == 0).sum())} classes have no rows"
    return float(np.mean(hits / labels)), None


def _f1(part: Assessed) -> Value:
    hits, labels, predicted = _by_class(part)
    either = labels + predicted
    if part.classes == 2:
        if not either[1]:
            return None, "no positive label or prediction"
        return float(2 * hits[1] / either[1]), None
    if not either.all():
        return None, f"{int((either == 0).sum())} classes have no rows"
    return float(np.mean(2 * hits / either)), None


def _log_loss(part: Assessed) -> Value:
    if part.probabilities is None:
        return None, "scores are not probabilities"
    of_label = part.probabilities[np.arange(len(part.labels)), part.labels].astype(float)
    # float32 softmax can reach 0; the smallest positive float32 keeps the loss finite
    return float(-np.mean(np.log(np.maximum(of_label, np.finfo(np.float32).tiny)))), None


def _auc(part: Assessed) -> Value:
    if not np.bincount(part.labels, minlength=part.classes).all():
        return None, "not every class has rows"
    if part.classes == 2:
        assert part.scores is not None  # a binary label always has scores
        return auc(part.labels == 1, part.scores), None
    assert part.probabilities is not None  # only a binary label can have given scores without probabilities
    areas = [auc(part.labels == c, part.probabilities[:, c]) for c in range(part.classes)]
    return float(np.mean(areas)), None


METRICS: dict[str, Callable[[Assessed], Value]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "log_loss": _log_loss,
    "auc": _auc,
}
