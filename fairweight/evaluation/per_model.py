"""What each model predicts on the test rows: hits, classes, whether it equals its baseline, and a simple model."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

Array = np.ndarray[Any, Any]
Predictions = tuple[Array, Array | None]  # predictions (n, K), probabilities (n, K, classes)
Node = tuple[str, str]  # augmentation and variant
FEWEST_ROWS = 10  # a class with fewer test rows may go unpredicted without a word


class ModelRow(TypedDict):
    """What one model predicts on the test rows."""

    model_augmentation: str
    variant: str
    seed: int
    rows: int
    hits: int
    largest: int  # rows of the largest class
    largest_class: str
    predicted: str  # JSON list of the classes that it predicts
    frequent: str  # JSON list of the classes with at least FEWEST_ROWS test rows
    finite: bool  # whether every probability is a number
    same: bool | None  # whether it equals its baseline to the bit; None without probabilities
    simple_gained: int | None  # rows that it predicts right and the simple model does not; None without a simple model
    simple_lost: int | None  # the reverse
    simple_recall: float | None  # its mean recall of the classes minus that of the simple model


MODELS = {
    "model_augmentation": "string",
    "variant": "string",
    "seed": "int64",
    "rows": "int64",
    "hits": "int64",
    "largest": "int64",
    "largest_class": "string",
    "predicted": "string",
    "frequent": "string",
    "finite": "bool",
    "same": "bool",
    "simple_gained": "int64",
    "simple_lost": "int64",
    "simple_recall": "double",
}


def model_rows(
    models: Mapping[Node, Predictions],
    baselines: Mapping[Node, Node],
    labels: Array,
    classes: Sequence[str],
    seeds: list[int],
    simple: Array | None = None,
) -> Iterator[ModelRow]:
    """What every model of one comparison predicts, one row per variant and seed.

    Args:
        models: augmentation and variant -> predictions and probabilities of all seeds.
        baselines: augmentation and variant -> those of its baseline.
        labels: int (n,).
        classes: names of the classes.
        seeds: of the models.
        simple: predictions of the simple model of the dataset (n,), if there is one.
    """
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    frequent = [name for name, number in zip(classes, counts, strict=False) if number >= FEWEST_ROWS]
    largest = int(counts.argmax())
    right = None if simple is None else simple == labels
    for node, (predictions, scores) in models.items():
        other = models.get(baselines.get(node, node)) if baselines.get(node, node) != node else None
        for position, seed in enumerate(seeds):
            own = predictions[:, position]
            names = [_class_name(int(code), classes) for code in np.unique(own)]
            hits = own == labels
            yield {
                "model_augmentation": node[0],
                "variant": node[1],
                "seed": seed,
                "rows": len(labels),
                "hits": int(hits.sum()),
                "largest": int(counts[largest]),
                "largest_class": _class_name(largest, classes),
                "predicted": json.dumps(names),
                "frequent": json.dumps(frequent),
                "finite": scores is None or bool(np.isfinite(scores[:, position]).all()),
                "same": None if other is None else _same((predictions, scores), other, position),
                "simple_gained": None if right is None else int((hits & ~right).sum()),
                "simple_lost": None if right is None else int((right & ~hits).sum()),
                "simple_recall": None if right is None else _recall_gained(hits, right, labels),
            }


def _recall_gained(hits: Array, right: Array, labels: Array) -> float:
    """Mean recall of the classes of one model minus that of another (balanced accuracy), from their hits (n,)."""
    gained = hits.astype(float) - right
    present = labels >= 0
    counts = np.bincount(labels[present])
    recalls = np.bincount(labels[present], weights=gained[present])[counts > 0] / counts[counts > 0]
    return float(recalls.mean())


def _class_name(code: int, classes: Sequence[str]) -> str:
    """Name of a class; a model may predict others than those of the dataset."""
    return str(classes[code]) if 0 <= code < len(classes) else f"another class ({code})"


def _same(ours: Predictions, theirs: Predictions, seed: int) -> bool | None:
    """Whether two models are equal to the bit; labels alone do not tell."""
    if ours[1] is None or theirs[1] is None or ours[1].shape != theirs[1].shape:
        return None
    labels, scores = (np.array_equal(a[:, seed], b[:, seed]) for a, b in ((ours[0], theirs[0]), (ours[1], theirs[1])))
    return labels and scores
