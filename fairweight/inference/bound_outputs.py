"""Outputs of imported files as probabilities of the dataset's classes (NumPy and SciPy only)."""

import json
from collections.abc import Callable, Mapping
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
        class; all are 0 if that is none of the dataset's.

    Raises:
        InputError: the output has fewer columns than the binding names.
    """
    order, content = list(binding["order"]), binding["content"]
    if content == "labels":
        predicted = output.reshape(len(output)).astype(str)
        return np.stack([predicted == str(label) for label in order], axis=1).astype(np.float32)
    scores = np.asarray(output, np.float64).reshape(len(output), -1)
    if content in ("positive", "margin"):
        positive = scores[:, -1] if content == "positive" else expit(scores[:, -1])
        scores = np.stack([1 - positive, positive], axis=1)
    elif content == "logits":
        scores = softmax(scores, axis=1)
    positions = [int(position) for position in order]
    if max(positions) >= scores.shape[1]:
        raise InputError(
            f"output {binding['output']!r} has {scores.shape[1]} columns, and number {max(positions)} is asked for"
        )
    return scores[:, positions].astype(np.float32)


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
