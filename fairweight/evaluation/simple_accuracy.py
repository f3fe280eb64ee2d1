"""What a useful model must exceed: the share of the largest class, and the accuracy of the simple model."""

from collections.abc import Mapping
from typing import TypedDict

import numpy as np

from fairweight.core.artifacts import read_predictions
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


def simple_row(dataset: str, path: str) -> SimpleRow:
    """What can be reached on the test rows of a dataset.

    Args:
        dataset: its name.
        path: Parquet file of `simple_model`.
    """
    columns, about = read_predictions(path)
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


def simple_rows(paths: Mapping[str, str]) -> list[SimpleRow]:
    """The same for every dataset.

    Args:
        paths: dataset -> Parquet file of `simple_model`.
    """
    return [simple_row(dataset, path) for dataset, path in paths.items()]
