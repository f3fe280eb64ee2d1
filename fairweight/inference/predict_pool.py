"""Predictions of an exported file on the rows from which training rows are drawn, for the audit of membership."""

import numpy as np
from numpy.typing import NDArray

from fairweight.core import components
from fairweight.core.artifacts import PARTS, read_rows, read_split, write_predictions
from fairweight.core.random_streams import generator
from fairweight.inference import load_engine
from fairweight.inference.onnx_file import read_signature
from fairweight.training.model_inputs import ModelInputs


def predict_pool(
    *,
    model: str,
    table: str,
    split: str,
    destination: str,
    name: str,
    engine: str,
    batch_size: int,
    most_rows: int,
    threads: int,
) -> None:
    """Write what an exported file says of the true class of training rows, and of rows that it has not seen.

    Args:
        model: ONNX file.
        table, split: Parquet files of the data; validation rows are those that the model was not trained on.
        destination: Parquet file to write, with `row`, `part`, `label`; `true`, the probability of the true class; and
            `other`, the sum of those of all other classes, which has digits that 1 - `true` has lost.
        name: name of the dataset; with more rows than `most_rows`, the same ones are drawn for every model.
        engine: name of the engine.
        batch_size: rows of one call.
        most_rows: largest number of rows.
        threads: threads of the engine.
    """
    positions = read_split(split)
    pool = np.sort(np.concatenate([positions["train"], positions["validation"]]))
    if len(pool) > most_rows:
        pool = np.sort(generator("audited rows", name).choice(pool, most_rows, replace=False))
    rows = read_rows(table, pool)
    part = np.where(np.isin(pool, positions["train"]), PARTS.index("train"), PARTS.index("validation"))
    signature = read_signature(model)
    run = load_engine.load(engine, model, threads=threads)
    output = ModelInputs.from_rows(signature, rows).outputs(run, batch_size)
    predicted = components.load("tasks", signature.task)(output, rows)
    columns = {"row": rows.row, "part": part, "label": rows.label}
    columns |= _true_and_other(predicted["probabilities"], rows.label)
    write_predictions(destination, columns, {"engine": engine, "batch_size": batch_size, "threads": threads})


def _true_and_other(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    every = np.arange(len(labels))
    others = probabilities.astype(np.float64)
    true = others[every, labels].copy()
    others[every, labels] = 0
    return {"true": true, "other": others.sum(axis=1)}
