"""Predictions of the file that ships, on validation and test rows; or given scores, taken as they are."""

from typing import Any

import numpy as np

from fairweight import components, running
from fairweight.adjusting import decisions
from fairweight.artifacts import PARTS, read_split, read_table, write_json, write_predictions
from fairweight.checking import check
from fairweight.cost import PeakMemory
from fairweight.errors import InputError
from fairweight.shipped import read_signature
from fairweight.table import Table


def predict(
    *, model: str, table: str, split: str, destination: str, checks: str, engine: str, batch_size: int, threads: int
) -> None:
    """Run a shipped file on validation and test rows.

    Args:
        model: ONNX file.
        table, split: Parquet files of the data.
        destination: Parquet file to write.
        checks: JSON file to write: what `checking.check` found, versions, and memory.
        engine: name of the engine.
        batch_size: rows a call; recorded, because dynamic int8 results can depend on it.
        threads: threads of the engine.
    """
    rows, part = _assessed(table, split)
    feeds = read_signature(model).feeds(rows)
    memory = PeakMemory()
    run = running.load(engine, model, threads=threads)
    outputs = [
        run({name: array[start : start + batch_size] for name, array in feeds.items()})
        for start in range(0, len(rows), batch_size)
    ]
    probabilities = np.concatenate(outputs)
    peak = memory.grown()
    module = components.module("engines", engine)
    write_json(checks, {
        "engine": engine, "engine_version": getattr(module, "VERSION", None), "threads": threads,
        "precision": getattr(module, "PRECISION", "as stated in the file"), "inference_memory_bytes": peak,
        **check(model, run, feeds, engine=engine, batch_size=batch_size),
    })  # fmt: skip
    adjusted = decisions(model, probabilities[:, 1], rows.row, rows.groups, rows.group_levels)
    columns = {
        "row": rows.row,
        "part": part,
        "label": rows.label,
        "prediction": probabilities.argmax(axis=1) if adjusted is None else adjusted,
        "probabilities": probabilities,
    }
    if len(rows.classes) == 2:
        columns["score"] = probabilities[:, 1]
    write_predictions(destination, columns, {"engine": engine, "batch_size": batch_size, "threads": threads})


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
    rows, part = _assessed(table, split)
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


def _assessed(table: str, split: str) -> tuple[Table, np.ndarray]:
    """Validation and test rows in the order of the table, and the part of each."""
    positions = read_split(split)
    order = np.sort(np.concatenate([positions["validation"], positions["test"]]))
    part = np.where(np.isin(order, positions["test"]), PARTS.index("test"), PARTS.index("validation"))
    return read_table(table).take(order), part
