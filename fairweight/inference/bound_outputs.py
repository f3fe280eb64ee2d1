"""Outputs of imported files as probabilities of the dataset's classes (NumPy and SciPy only)."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from fairweight.core.errors import InputError
from fairweight.training.signature import SIGNATURE, Binding, Feeds

Array = NDArray[Any]


def binding_in(metadata: Mapping[str, str]) -> Binding | None:
    """Binding in the metadata of an ONNX file; None for a file that fairweight exports, or without a signature."""
    binding: Binding | None = json.loads(metadata[SIGNATURE]).get("binding") if SIGNATURE in metadata else None
    return binding


def bound(run: Callable[[Feeds], Array], binding: Binding) -> Callable[[Feeds], Array]:
    """Wrap an imported file as an engine returns it.

    Args:
        run: input tensors of an imported file by name -> the output that its binding names.
        binding: of the file.

    Returns:
        A function from the same input tensors to probabilities (n, classes), float32.
    """

    def probabilities(feeds: Feeds) -> Array:
        output = run(feeds) if binding["rows"] is None else _in_calls(run, feeds, binding["rows"])
        return as_probabilities(output, binding)

    return probabilities


def as_probabilities(output: Array, binding: Binding) -> Array:
    """Convert the output of an imported file for n rows.

    Args:
        output: what `binding["content"]` says, for n rows.
        binding: of the file.

    Returns:
        Probabilities of the dataset's classes (n, classes), float32. Of a file that returns labels, 1 for the predicted
        class. For more than two classes there is one more column if the file has further ones: the largest probability
        of a class that the dataset does not have.

    Raises:
        InputError: the output has fewer columns than the binding names, or other labels than two.
    """
    order = list(binding["order"])
    if binding["content"] == "labels":
        return _of_labels(output, [str(label) for label in order], binding["output"])
    scores = np.asarray(output, np.float64).reshape(len(output), -1)
    if binding["content"] in ("positive", "margin"):
        positive = scores[:, -1] if binding["content"] == "positive" else expit(scores[:, -1])
        scores = np.stack([1 - positive, positive], axis=1)
    elif binding["content"] == "logits":
        scores = softmax(scores, axis=1)
    positions = [int(position) for position in order]
    if max(positions) >= scores.shape[1]:
        raise InputError(
            f"output {binding['output']!r} has {scores.shape[1]} columns, and number {max(positions)} is asked for"
        )
    return in_order(scores, positions).astype(np.float32)


def in_order(scores: Array, positions: Sequence[int]) -> Array:
    """Scores (n, classes of a file) in the order of the dataset's classes; see `as_probabilities`."""
    others = np.delete(scores, positions, axis=1)
    columns = [scores[:, positions]]
    if others.shape[1]:
        columns.append(others.max(axis=1, keepdims=True))
    return np.concatenate(columns, axis=1)


def _of_labels(output: Array, order: Sequence[str], name: str) -> Array:
    """Probabilities of 0 and 1 from labels (n,) or (n, 1)."""
    values, codes = np.unique(output.reshape(len(output)).astype(str), return_inverse=True)
    distinct = [str(value) for value in values]
    keys = [class_key(label) for label in order]
    position = {key: place for place, key in enumerate(keys)}
    places = [position.get(class_key(label), len(order)) for label in distinct]
    if len(order) == 2 and 2 in places:
        raise InputError(
            f"output {name!r} is {distinct[places.index(2)]!r}, which is neither {order[0]!r} nor {order[1]!r}"
        )
    return np.eye(len(order) + (len(order) > 2), dtype=np.float32)[np.array(places, np.int64)[codes.reshape(-1)]]


def class_key(name: str) -> str:
    """A class as a file and a dataset may both write it: `1`, `1.0` and `True` are one."""
    text = {"true": "1", "false": "0"}.get(str(name).strip().lower(), str(name).strip())
    try:
        return str(int(float(text))) if float(text).is_integer() and "_" not in text else text
    except (ValueError, OverflowError):
        return text


def _in_calls(run: Callable[[Feeds], Array], feeds: Feeds, rows: int) -> Array:
    """Run a file that takes exactly `rows` rows a call; the last call is filled up with copies of its last row."""
    number = len(next(iter(feeds.values())))
    outputs = []
    for start in range(0, number, rows):
        part = {name: array[start : start + rows] for name, array in feeds.items()}
        short = rows - min(rows, number - start)
        if short:
            part = {name: np.concatenate([array, np.repeat(array[-1:], short, axis=0)]) for name, array in part.items()}
        outputs.append(run(part)[: rows - short])
    return np.concatenate(outputs)
