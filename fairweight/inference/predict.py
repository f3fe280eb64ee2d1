"""Predictions of an exported file on validation and test rows, and the checks of the file."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core import components
from fairweight.core.artifacts import write_json, write_predictions
from fairweight.core.errors import InputError
from fairweight.core.resource_usage import PeakMemory
from fairweight.core.table import Table
from fairweight.data.counterfactual_terms import Terms
from fairweight.inference import load_engine
from fairweight.inference.load_engine import Run
from fairweight.inference.model_checks import check
from fairweight.inference.onnx_file import read_signature
from fairweight.inference.predicted_rows import predicted_rows
from fairweight.inference.thresholds import decisions
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import Signature
from fairweight.training.tokenizer import count_truncated


def predict(
    *,
    model: str,
    table: str,
    split: str,
    destination: str,
    checks: str,
    engine: str,
    batch_size: int,
    threads: int,
    counterfactuals: str | None = None,
) -> None:
    """Run an exported file on validation and test rows.

    Args:
        model: ONNX file.
        table, split: Parquet files of the data.
        destination: Parquet file to write.
        checks: JSON file to write: the result of `model_checks.check`, versions, and memory.
        engine: name of the engine.
        batch_size: rows of one call; recorded, because dynamic int8 results can depend on it.
        threads: threads of the engine.
        counterfactuals: list of terms; each text with such a term is also predicted with the term of another group.
            Not for a file with thresholds by group, because the group of the changed text is undefined.

    Raises:
        InputError: the list cannot be read, or a text is too long for a language model.
    """
    rows, part = predicted_rows(table, split)
    signature = read_signature(model)
    _check_length(signature, rows)
    inputs = ModelInputs.from_rows(signature, rows)
    memory = PeakMemory()
    run = load_engine.load(engine, model, threads=threads)
    output = inputs.outputs(run, batch_size)
    peak = memory.grown()
    write_json(
        checks,
        {
            **_environment(engine, threads, peak),
            **check(
                model,
                run,
                inputs,
                output,
                engine=engine,
                batch_size=batch_size,
                rows=getattr(components.module("tasks", signature.task), "CHECKED_ROWS", None),
            ),
        },
    )
    columns = {"row": rows.row, "part": part, **components.load("tasks", signature.task)(output, rows)}
    adjusted = decisions(model, columns.get("score"), rows.row, rows.groups, rows.group_levels)
    if adjusted is not None:
        columns["prediction"] = adjusted
    elif counterfactuals is not None:
        columns["swapped"] = _swapped(rows, Terms.read(counterfactuals), signature, run, batch_size)
    write_predictions(destination, columns, {"engine": engine, "batch_size": batch_size, "threads": threads})


def _environment(engine: str, threads: int, peak: int | None) -> dict[str, Any]:
    """What a file was run by, and the memory that it took, in bytes."""
    module = components.module("engines", engine)
    return {
        "engine": engine,
        "engine_version": getattr(module, "VERSION", None),
        "threads": threads,
        "precision": getattr(module, "PRECISION", "as stated in the file"),
        "inference_memory_bytes": peak,
    }


def _check_length(signature: Signature, rows: Table) -> None:
    """Refuse texts that a language model would cut: the likelihood of half a text is that of another text.

    A classifier may read the start of a long text only.

    Raises:
        InputError: some texts are longer than the context of the language model.
    """
    if signature.text is None or rows.texts is None or "start" not in signature.text:
        return
    if longer := count_truncated(signature.text, rows.texts):
        raise InputError(
            f"{longer:,} texts are longer than the {signature.text['length']:,} tokens that the model reads; make the "
            "model's 'context' larger or the reader's 'characters' fewer."
        )


def _swapped(rows: Table, terms: Terms, signature: Signature, run: Run, batch_size: int) -> NDArray[np.int64]:
    """Predictions (n,) of the texts with terms of another group; -1 for texts without a term of the list."""
    assert rows.texts is not None  # the study allows no other rows for a list of terms
    changed = [terms.counterfactual(str(text), int(row)) for text, row in zip(rows.texts, rows.row, strict=True)]
    has_term = np.array([text is not None for text in changed], bool)
    predictions = np.full(len(rows), -1, dtype=np.int64)
    if has_term.any():
        texts = np.array([text for text in changed if text is not None], dtype=object)
        other = dataclasses.replace(rows.take(np.flatnonzero(has_term)), texts=texts)
        output = ModelInputs.from_rows(signature, other).outputs(run, batch_size)
        predictions[has_term] = components.load("tasks", signature.task)(output, other)["prediction"]
    return predictions
