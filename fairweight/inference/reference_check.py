"""Compare an imported model with its original before anything else is done: outputs, classes, and rows seen twice."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from fairweight.core.errors import InputError, listed
from fairweight.core.recipes import MethodRecipe
from fairweight.core.table import Table
from fairweight.inference.bound_outputs import in_order
from fairweight.inference.reference_causes import Agree, of_missing_values, of_unknown_values
from fairweight.training.model_inputs import ModelInputs
from fairweight.training.signature import Feeds, Signature

Array = NDArray[Any]

BATCH = 256
CHECKED = 100_000  # rows that are compared with the reference
SHOWN = 3  # rows with the largest differences that a message names
OTHER_REASONS = "compare columns, their order, scaling and gaps: docs/trained-models.md"
OTHER_CLASSES = "compare classes, columns, their order and scaling: docs/trained-models.md"
CLEARLY = 0.05  # share of rows by which another order of the classes is clearly better
DEVIATIONS = 4  # standard errors of the gain on rows to which that order was not fitted


def check_imported(
    run: Callable[[Feeds], Array],
    signature: Signature,
    recipe: MethodRecipe,
    rows: Table,
    parts: dict[str, Array],
    *,
    order: Sequence[int] | None,
    scores: int,
    classes_from: str,
    known: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Any]:
    """Compare a model with the reference, or its classes with the labels; count the test rows that are in two parts.

    Args:
        run: input tensors by name -> probabilities (n, classes).
        signature: of the model.
        recipe: options of its architecture: `reference`, `reference_labels`, `tolerance`.
        rows: the dataset.
        parts: name of a part -> positions of its rows.
        order: for each class, its position among the original's scores; None if it has labels only.
        scores: number of classes that the original has scores of.
        classes_from: where the order of the classes is from, in words.
        known: column -> the categories that the model knows, where its file says so.

    Returns:
        Number of compared rows, accuracy on them, largest difference from the reference, and test rows seen twice.

    Raises:
        InputError: its outputs are not numbers, it disagrees with the reference, or its classes are in another order
            than is assumed.
    """
    first = rows.take(_compared(recipe, rows)[:CHECKED])
    probabilities = ModelInputs.from_rows(signature, first).outputs(run, BATCH).astype(float)
    check_numbers(probabilities, first, "its output")
    facts: dict[str, Any] = {
        "rows": len(first),
        "accuracy": float((probabilities.argmax(axis=1) == first.label).mean()),
        "test_rows_seen": _seen_twice(signature, rows, parts),
        "reference": None,
        "reference_labels": None,
    }

    def explain(far: Array, agree: Agree) -> str | None:
        return of_unknown_values(known or {}, first, far) or of_missing_values(run, signature, first, far, agree)

    if recipe["reference"] is not None:
        facts["reference"] = _compare_scores(recipe, probabilities, first, order, scores, explain)
    if recipe["reference_labels"] is not None:
        facts["reference_labels"] = _compare_labels(recipe, probabilities, first, explain)
    if recipe["reference"] is None and recipe["reference_labels"] is None:
        _check_order(probabilities, first, classes_from)
    return facts


def _compared(recipe: MethodRecipe, rows: Table) -> Array:
    """Positions of the rows that are compared: a file that has no reference, such as training rows, is left out."""
    reference = recipe["reference"] or []
    columns = [reference] if isinstance(reference, str) else list(reference)
    present = np.ones(len(rows), bool)
    for column in columns:
        present &= ~np.isnan(rows.given[column])
    if recipe["reference_labels"] is not None:
        present &= rows.given[recipe["reference_labels"]] >= 0
    without = [file for file in np.unique(rows.file) if not present[rows.file == file].any()]
    if not present.any():
        names = [*columns, *filter(None, [recipe["reference_labels"]])]
        raise InputError(f"reference: {listed(names)} has no value in any row; write there what the original returns")
    return np.flatnonzero(~np.isin(rows.file, without))


def verdict(facts: dict[str, Any]) -> dict[str, Any]:
    """What `check_imported` found, in the columns of the table of checks."""
    if facts["reference"]:
        return {"verdict": "as the original", "largest_difference": facts["reference"]["largest_difference"]}
    if facts["reference_labels"]:
        return {"verdict": "decides as the original", "largest_difference": None}
    return {"verdict": "not compared with its original", "largest_difference": None}


def check_numbers(output: Array, rows: Table, place: str) -> None:
    """Refuse outputs (n, ...) that are not numbers, as a model returns for missing values that it cannot take.

    Logits of minus infinity are probabilities of 0.

    Raises:
        InputError: an output is not a number.
    """
    if output.dtype.kind != "f":
        return
    flat = output.reshape(len(output), -1)
    bad = np.flatnonzero((np.isnan(flat) | np.isposinf(flat)).any(axis=1))
    if len(bad):
        raise InputError(
            f"{place} is not a number for {len(bad):,} of {len(flat):,} rows, the first of them data row "
            f"{rows.row[bad[0]] + 1:,}; are values missing there, or too large, that the model cannot take?"
        )


def _compare_scores(
    recipe: MethodRecipe,
    probabilities: Array,
    rows: Table,
    order: Sequence[int] | None,
    scores: int,
    explain: Callable[..., str | None],
) -> dict[str, Any]:
    """Compare with the probabilities that the original returned."""
    columns = [recipe["reference"]] if isinstance(recipe["reference"], str) else list(recipe["reference"])
    expected = _expected(columns, rows, order, scores)

    def distances(outputs: Array, positions: Array | slice = slice(None)) -> Array:
        distance: Array = np.nan_to_num(np.abs(outputs - expected[positions]).max(axis=1), nan=np.inf)
        return distance

    differences = distances(probabilities)
    agreement = float((probabilities.argmax(axis=1) == expected.argmax(axis=1)).mean())
    far = differences > recipe["tolerance"]
    if far.any():
        if len(columns) == 1:
            _check_positive(columns[0], recipe, probabilities, expected, rows)
        reason = explain(far, lambda outputs, positions: distances(outputs, positions) <= recipe["tolerance"])
        worst = np.argsort(-differences, kind="stable")[: min(int(far.sum()), 1 if reason else SHOWN)]
        shown = "; ".join(f"row {rows.row[i] + 1:,}: {_pair(probabilities[i], expected[i])}" for i in worst)
        raise InputError(
            f"reference: {int(far.sum()):,} of {len(rows):,} rows differ from the original by more than "
            f"{recipe['tolerance']:g} ({shown})"
            + (f"; {reason}" if reason else f", {agreement:.2%} of the decisions agree; {OTHER_REASONS}")
        )
    return {"columns": columns, "largest_difference": float(differences.max()), "agreement": agreement}


def _expected(columns: list[str], rows: Table, order: Sequence[int] | None, scores: int) -> Array:
    """Probabilities of the original (n, classes), in the order of the dataset's classes."""
    if order is None:
        raise InputError(
            "reference: holds probabilities, and the model returns labels; name the column with the original's labels "
            "in 'reference_labels'"
        )
    expected = np.stack([rows.given[column] for column in columns], axis=1)
    if (missing := np.isnan(expected).any(axis=1)).any():
        raise InputError(
            f"reference: {listed(columns)} has no value in {int(missing.sum()):,} of {len(rows):,} rows, the first of "
            f"them data row {rows.row[missing.argmax()] + 1:,}; write what the original returns for every row"
        )
    if len(columns) == 1 and len(rows.classes) == 2:  # of the positive class
        return np.concatenate([1 - expected, expected], axis=1)
    if len(columns) == scores > 1:
        return in_order(expected, order)
    raise InputError(
        f"reference: has {len(columns)} columns for the {scores} classes of the model; name one column for each "
        "class, in the order of the scores"
    )


def _check_positive(column: str, recipe: MethodRecipe, probabilities: Array, expected: Array, rows: Table) -> None:
    """Refuse a reference that is the probability of the other one of two classes."""
    if np.nan_to_num(np.abs(probabilities[:, 0] - expected[:, 1]), nan=np.inf).max() <= recipe["tolerance"]:
        other, positive = rows.classes
        raise InputError(
            f"reference: {column!r} is the probability of {other!r}, and the positive class of the dataset is "
            f"{positive!r}; set 'positive' of its target to {other!r} (`fairweight check --positive`)"
        )


def _pair(actual: Array, expected: Array) -> str:
    far = int(np.nan_to_num(np.abs(actual - expected), nan=np.inf).argmax())
    return f"{actual[far]:.4g}, not {expected[far]:.4g}"


def _compare_labels(
    recipe: MethodRecipe, probabilities: Array, rows: Table, explain: Callable[..., str | None]
) -> dict[str, Any]:
    """Compare with the classes that the original predicted."""
    column = recipe["reference_labels"]
    expected = rows.given[column].astype(np.int64)
    expected = np.where(expected < 0, len(rows.classes), expected)  # a class that the dataset does not have
    far = probabilities.argmax(axis=1) != expected
    different = np.flatnonzero(far)
    if len(different) > recipe["tolerance"] * len(rows):
        numbers = listed(f"{rows.row[i] + 1:,}" for i in different[:SHOWN])
        reason = explain(far, lambda outputs, positions: outputs.argmax(axis=1) == expected[positions])
        raise InputError(
            f"reference_labels: the class of {len(different):,} of {len(rows):,} rows is not that of {column!r} (rows "
            f"{numbers} first); {reason or OTHER_CLASSES}"
        )
    return {"column": column, "different_rows": len(different)}


def _check_order(probabilities: Array, rows: Table, classes_from: str) -> None:
    """Refuse an order of the classes if another one, fitted to half of the rows, is clearly better on the others."""
    predicted, label, classes = probabilities.argmax(axis=1), rows.label, len(rows.classes)
    fitted = np.arange(len(rows)) % 2 == 0
    renamed = _best_names(predicted[fitted], label[fitted], classes)[predicted[~fitted]]
    gain = (renamed == label[~fitted]).astype(float) - (predicted[~fitted] == label[~fitted])
    names = _best_names(predicted, label, classes)
    own, other = float((predicted == label).mean()), float((names[predicted] == label).mean())
    largest = np.bincount(label, minlength=classes).max() / len(rows)
    least = max(CLEARLY, DEVIATIONS * float(gain.std()) / max(1, len(gain)) ** 0.5)
    if len(gain) and gain.mean() > least and other > max(largest, own) + CLEARLY:
        order = listed(rows.classes[code] for code in names[:classes])
        raise InputError(
            f"classes: with the classes {classes_from} the model is right for {own:.1%} of the rows, and for "
            f"{other:.1%} if {listed(rows.classes)} meant {order}; set 'classes', in the order of the scores"
        )


def _best_names(predicted: Array, label: Array, classes: int) -> Array:
    """For each predicted class, the class that it should be called for most hits; those that are not in the data stay.

    Args:
        predicted: codes (n,); `classes` stands for a class that the dataset does not have.
        label: codes (n,).
        classes: number of classes of the dataset.
    """
    counts = np.zeros((classes + 1, classes))
    np.add.at(counts, (predicted, label), 1)
    counts = counts[:classes] + np.eye(classes) / (2 * classes)  # of equal orders the present one
    return np.append(linear_sum_assignment(-counts)[1], classes)


def _seen_twice(signature: Signature, rows: Table, parts: dict[str, Array]) -> int:
    """Number of test rows whose inputs are also those of a training or validation row."""
    feeds = ModelInputs.from_rows(signature, rows).feeds.values()
    columns = [array.reshape(len(rows), -1) for array in feeds]
    if any(array.shape[1] > 1024 for array in columns):  # images: their bytes, row by row
        keys = np.array([hash(tuple(array[i].tobytes() for array in columns)) for i in range(len(rows))])
    else:
        keys = pd.util.hash_pandas_object(pd.concat([pd.DataFrame(a) for a in columns], axis=1), index=False).to_numpy()
    others = np.concatenate([parts["train"], parts["validation"]])
    return int(np.isin(keys[parts["test"]], keys[others]).sum())
