"""Predictions of an exported file on validation and test rows, and the checks of the file."""

import dataclasses
import itertools
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
from fairweight.inference.predicted_rows import PredictedRows
from fairweight.inference.thresholds import Thresholds
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
    signature, about = read_signature(model), {"engine": engine, "batch_size": batch_size, "threads": threads}
    blocks = PredictedRows(table, split).blocks(batch_size)
    first, part = next(blocks)
    _check_length(signature, first)
    inputs = ModelInputs.from_rows(signature, first)
    memory = PeakMemory()
    run = load_engine.load(engine, model, threads=threads)
    output = inputs.outputs(run, batch_size)
    peak = memory.grown()
    checked_rows = getattr(components.module("tasks", signature.task), "CHECKED_ROWS", None)
    checked = check(model, run, inputs, output, engine=engine, batch_size=batch_size, rows=checked_rows)
    write_json(checks, {**_environment(engine, threads, peak), **checked})
    terms = None if counterfactuals is None else Terms.read(counterfactuals)
    predictor = _Predictor(signature, run, batch_size, Thresholds.read(model), terms)
    del inputs
    others = (predictor.columns(rows, part) for rows, part in blocks)
    write_predictions(destination, itertools.chain([predictor.columns(first, part, output)], others), about)


@dataclasses.dataclass(frozen=True)
class _Predictor:
    """Predictions of a loaded file for some rows at a time."""

    signature: Signature
    run: Run
    batch_size: int
    thresholds: Thresholds | None
    terms: Terms | None

    def columns(
        self, rows: Table, part: NDArray[np.int8], output: NDArray[Any] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Columns of the predictions of some rows; `output` is the output of the file for them, if it is known."""
        if output is None:
            output = ModelInputs.from_rows(self.signature, rows).outputs(self.run, self.batch_size)
        predicted = components.load("tasks", self.signature.task)(output, rows)
        columns: dict[str, NDArray[Any]] = {"row": rows.row, "part": part, **predicted}
        if self.thresholds is not None and "score" in columns:
            columns["prediction"] = self.thresholds.decisions(
                columns["score"], rows.row, rows.groups, rows.group_levels
            )
        elif self.terms is not None:
            columns["swapped"] = _swapped(rows, self.terms, self.signature, self.run, self.batch_size)
        return columns


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
