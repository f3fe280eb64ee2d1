"""Predictions from scores that come with the data, such as those of a third party."""

from typing import Any

import numpy as np

from fairweight.core.artifacts import write_predictions
from fairweight.core.errors import InputError
from fairweight.inference.predicted_rows import predicted_rows


def predict_given(*, table: str, split: str, destination: str, column: str, above: float) -> None:
    """Take a third party's scores for predictions: positive above a threshold.

    Args:
        table, split: Parquet files of the data.
        destination: Parquet file to write.
        column: the column of scores.
        above: the prediction is positive where the score is larger.

    Raises:
        InputError: the label is not binary.
    """
    rows, part = predicted_rows(table, split)
    if len(rows.classes) != 2:
        raise InputError(
            f"given: column {column!r} can only be compared with a binary label, not {len(rows.classes)} classes."
        )
    scores = rows.given[column]
    columns = {
        "row": rows.row,
        "part": part,
        "label": rows.label,
        "prediction": (scores > above).astype(np.int64),
        "score": scores,
    }
    about: dict[str, Any] = {"engine": "given", "column": column, "above": above}
    write_predictions(destination, columns, about)
