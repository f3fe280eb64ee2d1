"""Predictions from scores that come with the data, such as those of a third party."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.artifacts import write_predictions
from fairweight.core.errors import InputError
from fairweight.inference.predicted_rows import PredictedRows

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
    rows = PredictedRows(table, split)
    missing = 0
    for block, _ in rows.blocks(inputs=False):
        if len(block.classes) != 2:
            raise InputError(
                f"given: column {column!r} can only be compared with a binary label, not {len(block.classes)} classes."
            )
        missing += int(np.isnan(block.given[column]).sum())
    if missing:
        raise InputError(
            f"given: column {column!r} has no score in {missing:,} of {len(rows):,} validation and test rows; write "
            "the scores of all, or use a split without validation rows of such files."
        )
    portions: Iterator[dict[str, NDArray[Any]]] = (
        {
            "row": block.row,
            "part": part,
            "label": block.label,
            "prediction": (block.given[column] > above).astype(np.int64),
            "score": block.given[column],
        }
        for block, part in rows.blocks(inputs=False)
    )
    write_predictions(destination, portions, {"engine": ENGINE, "column": column, "above": above})
