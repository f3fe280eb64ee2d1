"""What each model predicts on the test rows: hits, classes, whether it equals its baseline, and a simple model."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np

Array = np.ndarray[Any, Any]
Node = tuple[str, str]  # augmentation and variant
FEWEST_ROWS = 10  # a class with fewer test rows may go unpredicted without a word


class Fingerprints(NamedTuple):
    """What is kept of the probabilities of K models."""

    classes: int
    finite: list[bool]  # (K,) whether all are numbers
    digests: list[bytes]  # (K,) of predictions and probabilities; empty where some are not a number

    @classmethod
    def joined(cls, seeds: Sequence["Fingerprints | None"]) -> "Fingerprints | None":
        """Those of all seeds; None if the first one has no probabilities."""
        known = [seed for seed in seeds if seed is not None]
        if seeds[0] is None:
            return None
        return cls(known[0].classes, [s.finite[0] for s in known], [s.digests[0] for s in known])


class FingerprintReader:
    """The fingerprint of one model, from blocks of any size of its predictions and probabilities."""

    def __init__(self) -> None:
        self._digests = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)
        self._finite, self._numbers, self._classes = True, True, 0

    def add(self, predictions: Array, probabilities: Array | None) -> None:
        """Add the next rows: predictions (n,), probabilities (n, classes)."""
        if probabilities is None:
            return
        self._classes = probabilities.shape[1]
        self._finite &= bool(np.isfinite(probabilities).all())
        self._numbers &= not np.isnan(probabilities).any()
        of_predictions, of_probabilities = self._digests
        of_predictions.update(predictions.astype(np.int64).tobytes())
        of_probabilities.update((probabilities.astype(np.float64) + 0.0).tobytes())  # -0 equals 0

    @property
    def fingerprints(self) -> Fingerprints | None:
        """The fingerprint; None without probabilities."""
        if not self._classes:
            return None
        digest = b"".join(digest.digest() for digest in self._digests) if self._numbers else b""
        return Fingerprints(self._classes, [self._finite], [digest])


Predictions = tuple[Array, Fingerprints | None]  # predictions (n, K), and what is kept of their probabilities


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
        models: augmentation and variant -> predictions of all seeds and what is kept of their probabilities.
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
    for node, (predictions, kept) in models.items():
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
                "finite": kept is None or kept.finite[position],
                "same": None if other is None else _same(kept, other[1], position),
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


def _same(ours: Fingerprints | None, theirs: Fingerprints | None, seed: int) -> bool | None:
    """Whether two models are equal to the bit; labels alone do not tell."""
    if ours is None or theirs is None or ours.classes != theirs.classes:
        return None
    return bool(ours.digests[seed]) and ours.digests[seed] == theirs.digests[seed]
