"""Remove raw rows from a dataset: those with unwanted labels, repeated rows, and equal inputs with two labels."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fairweight.core.recipes import DatasetRecipe, Inputs, Target
from fairweight.data.raw_rows import present


@dataclass(frozen=True)
class Removal:
    """Which raw rows are removed, by their number over all files, and why."""

    rows: frozenset[int] = frozenset()
    counts: tuple[tuple[str, int], ...] = ()  # (reason, number of rows)

    def applied(self, frames: pd.DataFrame | Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """The same frames without those rows; a frame of which no row is left is skipped."""
        start = 0
        for frame in [frames] if isinstance(frames, pd.DataFrame) else frames:
            numbers = np.arange(start, start + len(frame))
            start += len(frame)
            kept = np.array([number not in self.rows for number in numbers], bool)
            if kept.any():
                yield frame[kept].reset_index(drop=True) if not kept.all() else frame


def removal(read: Callable[[], pd.DataFrame | Iterable[pd.DataFrame]], recipe: DatasetRecipe) -> Removal:
    """Find the rows that `target: only` and `repeated: remove` exclude.

    Rows are repeated if all their inputs are equal; texts are compared without regard to case and white space. If the
    labels of repeated rows differ, all of these rows are removed, because it is not known which label is right.
    Otherwise the first row stays.

    Args:
        read: returns raw rows, as a reader yields them; called only if the recipe excludes rows.
        recipe: the dataset's part of the study file.

    Returns:
        An empty removal if the recipe excludes nothing.
    """
    only, remove = recipe["target"] and recipe["target"]["only"], recipe["repeated"] == "remove"
    if not only and not remove:
        return Removal()
    frames, hash_blocks, label_blocks = read(), [], []
    for frame in [frames] if isinstance(frames, pd.DataFrame) else frames:
        hash_blocks.append(_input_hashes(frame, recipe["inputs"]))
        label_blocks.append(_labels(frame, recipe["target"]))
    hashes, label = np.concatenate(hash_blocks), np.concatenate(label_blocks)
    reasons = np.full(len(hashes), "", dtype=object)
    if only:
        reasons[~np.isin(label, [str(value) for value in only])] = "with another label"
    if remove:
        left = np.flatnonzero(reasons == "")
        _, first, same = np.unique(hashes[left], return_index=True, return_inverse=True)
        distinct = pd.Series(label[left]).groupby(same).transform("nunique").to_numpy()
        repeated = np.ones(len(left), bool)
        repeated[first] = False
        reasons[left[repeated]] = "repeated"
        reasons[left[distinct > 1]] = "with two labels"
    counts = Counter(reason for reason in reasons if reason)
    return Removal(frozenset(np.flatnonzero(reasons != "").tolist()), tuple(sorted(counts.items())))


def _labels(frame: pd.DataFrame, target: Target | None) -> np.ndarray:
    if target is None:
        return np.full(len(frame), "", dtype=object)
    return present(frame, target["column"], "target").astype(str).to_numpy(dtype=object)


def _input_hashes(frame: pd.DataFrame, inputs: Inputs) -> np.ndarray:
    """Hash of the inputs of each row (n,)."""
    columns = [*inputs["numeric"], *inputs["categorical"], *filter(None, (inputs["image"], inputs["text"]))]
    compared = pd.DataFrame({name: present(frame, name, "inputs") for name in columns})
    if inputs["image"]:
        compared[inputs["image"]] = compared[inputs["image"]].map(lambda image: image.tobytes())
    if inputs["text"]:
        compared[inputs["text"]] = compared[inputs["text"]].astype(str).str.lower().str.split().str.join(" ")
    hashes: np.ndarray = pd.util.hash_pandas_object(compared, index=False).to_numpy()
    return hashes
