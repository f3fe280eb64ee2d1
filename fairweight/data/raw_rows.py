"""Raw rows of a dataset, one block at a time, and the conversion of their columns to numbers and text."""

import difflib
import itertools
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fairweight.core.errors import InputError
from fairweight.core.recipes import Target
from fairweight.core.table import MISSING, block_rows

FILE = "__file__"  # the column in which a reader names the raw file of each row


@dataclass(frozen=True)
class RawRows:
    """Consecutive raw rows of a dataset, with their position in it."""

    frame: pd.DataFrame
    start: int  # data row of the first row, counted from 0 over all files
    before: dict[str, int]  # raw file -> number of its rows before these

    def __len__(self) -> int:
        return len(self.frame)

    def column(self, name: str, place: str) -> pd.Series:
        """A column.

        Raises:
            InputError: the data have no such column; the message names `place`, the key of the study file.
        """
        return present(self.frame, name, place)

    def numbers(self, name: str, place: str) -> np.ndarray:
        """A column as float64 (n,), NaN where a value is missing or is not a number."""
        return pd.to_numeric(self.column(name, place), errors="coerce").to_numpy(dtype=float, na_value=np.nan)

    def categories(self, name: str, place: str) -> pd.Series:
        """A column as text; a missing value is a category of its own."""
        values = self.column(name, place).astype(object)
        return values.where(values.notna(), MISSING).astype(str)

    def labels(self, target: Target) -> pd.Series:
        """The label as text (see `label_names`)."""
        return label_names(self.names(target["column"], "target"), target)

    def names(self, name: str, place: str) -> pd.Series:
        """A column as text; a missing value stays missing."""
        values = self.column(name, place).astype(object)
        return values.astype(str).where(values.notna())

    def positions(self, file: str) -> np.ndarray:
        """Position of each row (n,) within a raw file; -1 for rows of other files."""
        member = self.frame[FILE].to_numpy() == file
        return np.where(member, self.before.get(file, 0) + np.cumsum(member) - 1, -1)


def present(frame: pd.DataFrame, name: str, place: str) -> pd.Series:
    """A column of a frame; see `RawRows.column`."""
    if name in frame.columns:
        return frame[name]
    legal = [str(c) for c in frame.columns if c != FILE]
    near = difflib.get_close_matches(name, legal, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    listed = ", ".join(legal[:40]) + (", ..." if len(legal) > 40 else "")
    raise InputError(f"{place}: column {name!r} is not in the data{hint}; the columns are: {listed}")


def label_names(values: pd.Series, target: Target) -> pd.Series:
    """Labels, of the data or of the study file, as they are compared: the only place that applies `target: strip`.

    Args:
        values: texts, missing ones as NaN or None.
        target: the study file's `target`.

    Returns:
        The texts without white space around them and without the characters to strip; a label of which nothing is left
        is missing.
    """
    names = values.str.strip().str.rstrip(target["strip"] + string.whitespace)
    return names.where(names != "")


def rows_by_file(frame: pd.DataFrame) -> dict[str, int]:
    """Number of rows of each raw file, in the order of the files."""
    codes, files = pd.factorize(frame[FILE])
    return dict(zip(map(str, files), np.bincount(codes, minlength=len(files)).tolist(), strict=True))


def raw_blocks(read: pd.DataFrame | Iterable[pd.DataFrame], drop: list[str]) -> Iterator[RawRows]:
    """Blocks of the raw rows that a reader returns or yields, without the columns that identify someone.

    Raises:
        InputError: a column to drop is not in the data.
    """
    start, before = 0, dict[str, int]()
    for frame in _cut(read) if isinstance(read, pd.DataFrame) else read:
        for column in drop:
            present(frame, column, "drop")
        yield RawRows(frame.drop(columns=drop), start, dict(before))
        start += len(frame)
        for file, rows in rows_by_file(frame).items():
            before[file] = before.get(file, 0) + rows


def _cut(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    size = block_rows(frame.shape[1])
    for start in range(0, len(frame), size):
        yield frame.iloc[start : start + size].reset_index(drop=True)


def bin_names(cuts: list[float], whole: bool) -> list[str]:
    """Names of the bins between cuts, from the lowest.

    Args:
        cuts: boundaries between bins; a number equal to a boundary belongs to the bin above it.
        whole: whether all numbers are whole, so that bins can be named by their last number (25-59 instead of 25-60).
    """
    cuts = sorted(cuts)
    names = [f"<{cuts[0]:g}"] + [f"{a:g}-{b:g}" for a, b in itertools.pairwise(cuts)] + [f">={cuts[-1]:g}"]
    if whole and all(float(cut).is_integer() for cut in cuts):
        names[1:-1] = [f"{a:g}-{b - 1:g}" for a, b in itertools.pairwise(cuts)]
    return names
