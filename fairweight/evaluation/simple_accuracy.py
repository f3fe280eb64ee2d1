"""What a useful model must exceed: the share of the largest class, and the accuracy of the simple model."""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np

from fairweight.core.artifacts import read_predictions
from fairweight.core.labels import ABSOLUTE
from fairweight.statistics.intervals import wilson


class SimpleRow(TypedDict):
    """What can be reached on the test rows of one dataset without a model of the study."""

    dataset: str
    rows: int  # test rows
    majority_class: str
    majority_share: float  # accuracy of always predicting the largest class
    accuracy: float | None  # of the simple model; None where there is none
    low: float | None  # Wilson's interval at 95 %
    high: float | None
    fitted_rows: int  # training rows that the simple model is fitted on
    training_rows: int  # all of them
    features: int | None
    reason: str | None  # why there is no simple model


class OfNumbers(TypedDict, total=False):
    """Further columns for labels that are numbers."""

    naive_error: float | None  # mean absolute error of always predicting the median of the training labels
    error: float | None  # of the simple model; None where there is none


def _of_numbers(dataset: str, columns: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> dict[str, Any]:
    """The row of labels that are numbers, which have no classes and no accuracy."""
    label = columns["label"]
    fitted = about["reason"] is None
    kept = {name: about[name] for name in ("fitted_rows", "training_rows", "features", "reason")}
    row: dict[str, Any] = {**dict.fromkeys(SimpleRow.__annotations__), **kept, "dataset": dataset, "rows": len(label)}
    naive = about["naive"].get(ABSOLUTE)
    return row | {
        "naive_error": None if naive is None else float(np.abs(label - naive).mean()),
        "error": float(np.abs(columns["prediction"] - label).mean()) if fitted else None,
    }


def simple_row(dataset: str, path: str) -> SimpleRow | dict[str, Any]:
    """What can be reached on the test rows of a dataset.

    Args:
        dataset: its name.
        path: Parquet file of `simple_model`.
    """
    columns, about = read_predictions(path)
    if "naive" in about:
        return _of_numbers(dataset, columns, about)
    label, predicted = columns["label"], columns["prediction"]
    counts = np.bincount(label[label >= 0], minlength=len(about["classes"]))
    largest, rows = int(counts.argmax()), len(label)
    hits = int((predicted == label).sum())
    low, high = (float(bound) for bound in wilson(hits, rows))
    fitted = about["reason"] is None
    return {
        "dataset": dataset,
        "rows": rows,
        "majority_class": about["classes"][largest],
        "majority_share": int(counts[largest]) / rows,
        "accuracy": hits / rows if fitted else None,
        "low": low if fitted else None,
        "high": high if fitted else None,
        "fitted_rows": about["fitted_rows"],
        "training_rows": about["training_rows"],
        "features": about["features"],
        "reason": about["reason"],
    }


def simple_rows(paths: Mapping[str, str]) -> list[SimpleRow | dict[str, Any]]:
    """The same for every dataset.

    Args:
        paths: dataset -> Parquet file of `simple_model`.
    """
    return [simple_row(dataset, path) for dataset, path in paths.items()]
