"""Remove raw rows from a dataset: those with unwanted labels, repeated rows, and equal inputs with two labels."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fairweight.core.errors import InputError
from fairweight.core.recipes import DatasetRecipe, Inputs, Target
from fairweight.data.named_values import occurring
from fairweight.data.raw_rows import RawRows, label_names, raw_blocks
from fairweight.data.value_formats import PLAIN, Formats, spellings


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

    Rows are repeated if all their inputs are equal, as the table holds them; texts are compared without regard to case
    and white space. If the labels of repeated rows differ, all of these rows are removed, because it is not known which
    label is right. Otherwise the first row stays.

    Args:
        read: returns raw rows, as a reader yields them; called only if the recipe excludes rows.
        recipe: the dataset's part of the study file.

    Returns:
        An empty removal if the recipe excludes nothing.

    Raises:
        InputError: a label to keep does not occur, or no row is left.
    """
    target, remove = recipe["target"], recipe["repeated"] == "remove"
    only = target["only"] if target else None
    if not only and not remove:
        return Removal()
    formats, label_blocks, hash_blocks = Formats.from_recipe(recipe), [], []
    categories = {column: _Codes() for column in recipe["inputs"]["categorical"]}
    for rows in raw_blocks(read(), [], formats):
        hash_blocks.append(_input_hashes(rows, recipe["inputs"]))
        label_blocks.append(rows.labels(target) if target else pd.Series("", range(len(rows)), dtype="str"))
        for column, codes in categories.items():
            codes.add(rows.categories(column, "inputs: categorical"))
    if not label_blocks:
        return Removal()  # the survey says that there are no rows
    label = pd.concat(label_blocks, ignore_index=True)
    columns = [np.concatenate(hash_blocks), *(codes.merged(formats) for codes in categories.values())]
    hashes = pd.util.hash_pandas_object(pd.DataFrame(dict(enumerate(columns))), index=False).to_numpy()
    reasons = np.full(len(hashes), "", dtype=object)
    if only and target:
        reasons[~label.isin(_wanted(only, label, target, formats)).to_numpy()] = "with another label"
    if remove and target and "unit" in target:  # numbers of equal inputs differ by chance: equal rows alone repeat
        hashes = pd.util.hash_pandas_object(pd.DataFrame({0: hashes, 1: label.astype(str)}), index=False).to_numpy()
    if remove:
        label = label.replace(spellings(label[reasons == ""].dropna().unique(), formats))
        left = np.flatnonzero(reasons == "")
        _, first, same = np.unique(hashes[left], return_index=True, return_inverse=True)
        distinct = label.iloc[left].reset_index(drop=True).groupby(same).transform("nunique").to_numpy()
        repeated = np.ones(len(left), bool)
        repeated[first] = False
        reasons[left[repeated]] = "repeated"
        reasons[left[distinct > 1]] = "with two labels"
    counts = tuple(sorted(Counter(reason for reason in reasons if reason).items()))
    if len(hashes) and (reasons != "").all():
        left_out = " and ".join(f"{number:,} {reason}" for reason, number in counts)
        raise InputError(f"target: only, and repeated: no row is left of {left_out}; change one of the two keys")
    return Removal(frozenset(np.flatnonzero(reasons != "").tolist()), counts)


@dataclass
class _Codes:
    """Codes of the categories of one column, block by block."""

    code_of: dict[str, int] = field(default_factory=dict)
    blocks: list[np.ndarray] = field(default_factory=list)

    def add(self, names: pd.Series) -> None:
        positions, distinct = pd.factorize(names)
        codes = np.array([self.code_of.setdefault(name, len(self.code_of)) for name in distinct], np.int32)
        self.blocks.append(codes[positions])

    def merged(self, formats: Formats) -> np.ndarray:
        """Codes of all rows (n,), equal for the spellings of one number."""
        spelling = spellings(self.code_of, formats)
        code_of_name = {spelling.get(name, name): code for name, code in self.code_of.items()}
        translation = np.array([code_of_name[spelling.get(name, name)] for name in self.code_of], np.int32)
        return translation[np.concatenate(self.blocks)]


def _wanted(only: list[str | float | bool], label: pd.Series, target: Target, formats: Formats) -> list[str]:
    """The labels of the data that are to be kept; a number also means its other spellings."""
    names, wanted = label.dropna().unique().tolist(), list[str]()
    numbers = {name: formats.number(name) for name in names}
    for value, text in zip(only, label_names(pd.Series([str(value) for value in only]), target), strict=True):
        number = PLAIN.number(text)
        same = [name for name in names if name == text or (number is not None and numbers[name] == number)]
        if not same or isinstance(value, bool):
            same = [occurring(value, sorted(names), formats, "target: only")]
        wanted += same
    return wanted


def _input_hashes(rows: RawRows, inputs: Inputs) -> np.ndarray:
    """Hash of the inputs of each row (n,) except its categories."""
    columns = [rows.numbers(name, "inputs: numeric") + 0.0 for name in inputs["numeric"]]  # + 0.0: -0.0 equals 0.0
    if inputs["image"]:
        images = rows.column(inputs["image"], "inputs: image")
        columns.append(np.array([np.asarray(image).tobytes() for image in images], dtype=object))
    if inputs["text"]:
        texts = rows.names(inputs["text"], "inputs: text").fillna("")
        columns.append(texts.str.lower().str.split().str.join(" ").to_numpy(object))
    compared = pd.DataFrame(dict(enumerate(columns)), index=range(len(rows)))
    hashes: np.ndarray = pd.util.hash_pandas_object(compared, index=False).to_numpy()
    return hashes
