"""Predictions from scores that come with the data, such as those of a third party."""

import numpy as np

from fairweight.core.artifacts import write_predictions
from fairweight.core.errors import InputError
from fairweight.inference.predicted_rows import predicted_rows

ENGINE = "given"  # stands for the engine in the predictions; the same name as `operations.GIVEN`


def predict_given(*, table: str, split: str, destination: str, column: str, above: float) -> None:
    """Derive predictions from given scores with a threshold.

    Args:
        table, split: Parquet files of the data.
        destination: Parquet file to write.
        column: column of the scores.
        above: a row is predicted positive if its score is larger.

    Raises:
        InputError: the label is not binary, or a score is missing.
    """
    rows, part = predicted_rows(table, split)
    if len(rows.classes) != 2:
        raise InputError(
            f"given: column {column!r} can only be compared with a binary label, not {len(rows.classes)} classes."
        )
    scores = rows.given[column]
    if missing := int(np.isnan(scores).sum()):
        raise InputError(
            f"given: column {column!r} has no score in {missing:,} of {len(rows):,} validation and test rows; write "
            "the scores of all, or use a split without validation rows of such files."
        )
    columns = {
        "row": rows.row,
        "part": part,
        "label": rows.label,
        "prediction": (scores > above).astype(np.int64),
        "score": scores,
    }
    write_predictions(destination, columns, {"engine": ENGINE, "column": column, "above": above})
