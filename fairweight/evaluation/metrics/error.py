"""Errors of predicted numbers: how far predictions are from labels, overall and for each group."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fairweight.evaluation.metric_rows import Assessed, MetricRow, metric_row, subsets
from fairweight.statistics.intervals import of_mean

Array = np.ndarray[Any, Any]
QUANTILES = (0.1, 0.9)  # of the pinball losses


def measure(assessed: Assessed) -> list[MetricRow]:
    """Mean absolute and root mean squared error, R2, mean error and pinball losses of all rows and of each group.

    All but R2 are in the unit of the label. The mean error is prediction minus label: above 0, predictions are too
    high. R2 is the share of the variance of these labels that is explained. Intervals at 95 % are those of means of
    rows (Student's t); that of the root mean squared error is the root of the interval of the mean square.

    Returns:
        One row per metric and subset of rows (see `metric_rows.metric_row`).
    """
    rows = []
    for attribute, group, member in subsets(assessed):
        part = assessed.of_group(member)
        error = part.predictions - part.labels
        for name, function in METRICS.items():
            value, interval, reason = function(error, part.labels) if len(error) else (None, None, "no rows")
            rows.append(
                metric_row(
                    name,
                    value,
                    n=len(error),
                    attribute=attribute,
                    group=group,
                    interval=interval,
                    smallest=assessed.smallest_group,
                    reason=reason,
                )
            )
    return rows


Value = tuple[float | None, tuple[float, float] | None, str | None]  # value, interval, and why there is no value


def _mean(values: Array) -> Value:
    return float(values.mean()), of_mean(values), None


def _root(error: Array, labels: Array) -> Value:  # noqa: ARG001 - all metrics have the same parameters
    squares = error**2
    interval = of_mean(squares)
    bounds = None if interval is None else (float(np.sqrt(max(interval[0], 0.0))), float(np.sqrt(interval[1])))
    return float(np.sqrt(squares.mean())), bounds, None


def _r2(error: Array, labels: Array) -> Value:
    variance = float(np.var(labels))
    return (1 - float(np.mean(error**2)) / variance, None, None) if variance else (None, None, "all labels are equal")


def _pinball(quantile: float) -> Callable[[Array, Array], Value]:
    def loss(error: Array, labels: Array) -> Value:  # noqa: ARG001
        return _mean(np.maximum(-quantile * error, (1 - quantile) * error))

    return loss


METRICS: dict[str, Callable[[Array, Array], Value]] = {
    "mean_absolute_error": lambda error, _labels: _mean(np.abs(error)),
    "mean_squared_error": lambda error, _labels: _mean(error**2),
    "root_mean_squared_error": _root,
    "r2": _r2,
    "mean_error": lambda error, _labels: _mean(error),
    **{f"pinball_loss_{quantile:g}": _pinball(quantile) for quantile in QUANTILES},
}
