"""Predictions of the file that ships, on validation and test rows; or given scores, taken as they are."""

import dataclasses
from collections.abc import Callable

import numpy as np

from fairweight.core import components
from fairweight.core.artifacts import write_json, write_predictions
from fairweight.core.errors import InputError
from fairweight.core.resource_usage import PeakMemory
from fairweight.core.table import Table
from fairweight.data.counterfactual_terms import Terms
from fairweight.inference import load_engine
from fairweight.inference.model_checks import check
from fairweight.inference.onnx_file import read_signature
from fairweight.inference.predicted_rows import predicted_rows
from fairweight.inference.thresholds import decisions
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import Signature
from fairweight.training.tokenizer import count_truncated

Run = Callable[[dict[str, np.ndarray]], np.ndarray]


def predict(
    *, model: str, table: str, split: str, destination: str, checks: str, engine: str, batch_size: int, threads: int,
    counterfactuals: str | None = None,
) -> None:  # fmt: skip
    """Run a shipped file on validation and test rows.

    Args:
        model: ONNX file.
        table, split: Parquet files of the data.
        destination: Parquet file to write.
        checks: JSON file to write: what `checking.check` found, versions, and memory.
        engine: name of the engine.
        batch_size: rows a call; recorded, because dynamic int8 results can depend on it.
        threads: threads of the engine.
        counterfactuals: list of terms by which texts are said of another group and predicted again; not by a file with
            thresholds by group, for which it is open whose thresholds the changed text would have.

    Raises:
        InputError: the list cannot be read.
    """
    rows, part = predicted_rows(table, split)
    signature = read_signature(model)
    _check_length(signature, rows)
    fed = ModelInputs.from_rows(signature, rows)
    memory = PeakMemory()
    run = load_engine.load(engine, model, threads=threads)
    output = fed.outputs(run, batch_size)
    peak = memory.grown()
    module = components.module("engines", engine)
    few = getattr(components.module("tasks", signature.task), "CHECKED_ROWS", None)  # of a language model
    write_json(checks, {
        "engine": engine, "engine_version": getattr(module, "VERSION", None), "threads": threads,
        "precision": getattr(module, "PRECISION", "as stated in the file"), "inference_memory_bytes": peak,
        **check(model, run, fed, output, engine=engine, batch_size=batch_size, rows=few),
    })  # fmt: skip
    columns = {"row": rows.row, "part": part, **components.load("tasks", signature.task)(output, rows)}
    adjusted = decisions(model, columns.get("score"), rows.row, rows.groups, rows.group_levels)
    if adjusted is not None:
        columns["prediction"] = adjusted
    elif counterfactuals is not None:
        columns["swapped"] = _swapped(rows, Terms.read(counterfactuals), signature, run, batch_size)
    write_predictions(destination, columns, {"engine": engine, "batch_size": batch_size, "threads": threads})


def _check_length(signature: Signature, rows: Table) -> None:
    """A classifier reads the start of a long text; a likelihood of half a text is that of another text.

    Raises:
        InputError: the model foretells texts, and some are longer than it reads.
    """
    if signature.text is None or rows.texts is None or "start" not in signature.text:
        return
    if longer := count_truncated(signature.text, rows.texts):
        raise InputError(
            f"{longer:,} texts are longer than the {signature.text['length']:,} tokens that the model reads; make the model's "
            "'context' larger or the reader's 'characters' fewer."
        )


def _swapped(rows: Table, terms: Terms, signature: Signature, run: Run, batch_size: int) -> np.ndarray:
    """Predictions (n,) of the same texts about another group; -1 for those without a word of the list."""
    assert rows.texts is not None  # study.py lets no other rows through
    found = [terms.counterfactual(str(text), int(row)) for text, row in zip(rows.texts, rows.row, strict=True)]
    there = np.array([text is not None for text in found], bool)
    predictions = np.full(len(rows), -1, dtype=np.int64)
    if there.any():
        texts = np.array([text for text in found if text is not None], dtype=object)
        other = dataclasses.replace(rows.take(np.flatnonzero(there)), texts=texts)
        output = ModelInputs.from_rows(signature, other).outputs(run, batch_size)
        predictions[there] = components.load("tasks", signature.task)(output, other)["prediction"]
    return predictions
