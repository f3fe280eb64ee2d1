"""Rows that do not enter a table: with labels that are not asked for, repeated, or of two labels for the same inputs."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fairweight.data.raw_rows import present


@dataclass(frozen=True)
class Removal:
    """Which raw rows go, by their number over all files, and why."""

    rows: frozenset[int] = frozenset()
    counts: tuple[tuple[str, int], ...] = ()  # (reason, number of rows)

    def applied(self, frames: pd.DataFrame | Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """The same frames without those rows; a frame of which nothing stays is left out."""
        start = 0
        for frame in [frames] if isinstance(frames, pd.DataFrame) else frames:
            numbers = np.arange(start, start + len(frame))
            start += len(frame)
            kept = np.array([number not in self.rows for number in numbers], bool)
            if kept.any():
                yield frame[kept].reset_index(drop=True) if not kept.all() else frame


def removal(read: Callable[[], pd.DataFrame | Iterable[pd.DataFrame]], recipe: dict[str, Any]) -> Removal:
    """Find the rows that `target: only` and `repeated: remove` take out.

    Rows are repeated if all their inputs are equal, of texts without regard to case and blanks.  If the labels differ,
    all of them go, for nobody knows which one is right; else the first stays.

    Args:
        read: gives raw rows, as a reader yields them; it is called only where something is asked for.
        recipe: the dataset's part of the study file.

    Returns:
        Nothing to remove where the recipe asks for nothing.
    """
    only, remove = recipe["target"] and recipe["target"]["only"], recipe["repeated"] == "remove"
    if not only and not remove:
        return Removal()
    frames, kinds, labels = read(), [], []
    for frame in [frames] if isinstance(frames, pd.DataFrame) else frames:
        kinds.append(_kinds(frame, recipe["inputs"]))
        labels.append(_labels(frame, recipe["target"]))
    kind, label = np.concatenate(kinds), np.concatenate(labels)
    reasons = np.full(len(kind), "", dtype=object)
    if only:
        reasons[~np.isin(label, [str(value) for value in only])] = "with another label"
    if remove:
        left = np.flatnonzero(reasons == "")
        _, first, same = np.unique(kind[left], return_index=True, return_inverse=True)
        distinct = pd.Series(label[left]).groupby(same).transform("nunique").to_numpy()
        repeated = np.ones(len(left), bool)
        repeated[first] = False
        reasons[left[repeated]] = "repeated"
        reasons[left[distinct > 1]] = "with two labels"
    counts = Counter(reason for reason in reasons if reason)
    return Removal(frozenset(np.flatnonzero(reasons != "").tolist()), tuple(sorted(counts.items())))


def _labels(frame: pd.DataFrame, target: dict[str, Any] | None) -> np.ndarray:
    if target is None:
        return np.full(len(frame), "", dtype=object)
    return present(frame, target["column"], "target").astype(str).to_numpy(dtype=object)


def _kinds(frame: pd.DataFrame, inputs: dict[str, Any]) -> np.ndarray:
    """Hash of the inputs of each row (n,)."""
    columns = [*inputs["numeric"], *inputs["categorical"], *filter(None, (inputs["image"], inputs["text"]))]
    found = pd.DataFrame({name: present(frame, name, "inputs") for name in columns})
    if inputs["image"]:
        found[inputs["image"]] = found[inputs["image"]].map(lambda image: image.tobytes())
    if inputs["text"]:
        found[inputs["text"]] = found[inputs["text"]].astype(str).str.lower().str.split().str.join(" ")
    hashed: np.ndarray = pd.util.hash_pandas_object(found, index=False).to_numpy()
    return hashed
