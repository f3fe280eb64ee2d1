"""Conversion of raw rows to a table: the same categorical codes in every block of a dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fairweight.core.recipes import DatasetRecipe
from fairweight.core.table import Table
from fairweight.data.narrowing import narrowed
from fairweight.data.raw_rows import FILE, RawRows


@dataclass(frozen=True)
class Categories:
    """What is known of a dataset only once all its rows have been surveyed: classes, levels, groups, origins.

    The spellings map the texts of numbers that are written in more than one way to the name of the class, level or
    group (see `value_formats.spellings`).
    """

    classes: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]  # categorical column -> its levels
    bins: dict[str, tuple[str, ...]]  # binned attribute -> names of its bins, from the lowest
    group_levels: dict[str, tuple[str, ...]]  # attribute -> groups that occur
    origins: dict[str, float]  # numeric column -> what is subtracted before its numbers become float32, if not 0
    label_spelling: dict[str, str]
    spelling: dict[str, dict[str, str]]  # by categorical column
    group_spelling: dict[str, dict[str, str]]  # by attribute
    group_of: dict[str, dict[str, str]]  # attribute -> text -> group, for texts that are no names of groups themselves


def to_table(
    rows: RawRows, categories: Categories, recipe: DatasetRecipe, given: list[str], predicted: Sequence[str] = ()
) -> Table:
    """Convert a block of raw rows whose values have been checked.

    Args:
        rows: the block (n).
        categories: classes, levels and groups of the whole dataset; the table holds codes into them.
        recipe: the dataset's part of the study file.
        given: columns of scores to keep.
        predicted: columns of predicted classes to keep, as codes into the classes; -1 for none of them.
    """
    inputs, size = recipe["inputs"], len(rows)
    numeric = [
        narrowed(rows.numbers(column, "inputs: numeric"), categories.origins.get(column, 0.0))
        for column in inputs["numeric"]
    ]
    categorical = [
        _codes(rows.categories(column, "inputs: categorical"), levels, categories.spelling[column])
        for column, levels in categories.levels.items()
    ]
    images = None
    if inputs["image"]:
        images = np.stack(list(rows.column(inputs["image"], "inputs: image")))
    label: np.ndarray = np.full(size, -1)
    target = recipe["target"]
    if target and "unit" in target:
        label = rows.numbers(target["column"], "target")
    elif target:
        label = _codes(rows.labels(target), categories.classes, categories.label_spelling)
    return Table(
        row=np.arange(rows.start, rows.start + size),
        file=rows.frame[FILE].to_numpy(dtype=object),
        label=label,
        classes=categories.classes,
        numeric=np.stack(numeric, axis=1) if numeric else np.empty((size, 0), np.float32),
        numeric_names=tuple(inputs["numeric"]),
        origins=categories.origins,
        categorical=np.stack(categorical, axis=1) if categorical else np.empty((size, 0), np.int64),
        levels=categories.levels,
        images=images,
        groups={name: _group(rows, name, recipe, categories) for name in categories.group_levels},
        group_levels=categories.group_levels,
        given={column: rows.numbers(column, "given") for column in given}
        | {column: _predicted(rows, column, recipe, categories) for column in predicted},
        texts=rows.names(inputs["text"], "inputs: text").to_numpy(dtype=object) if inputs["text"] else None,
        pairs=rows.numbers(inputs["pair"], "inputs: pair").astype(np.int64) if inputs["pair"] else None,
        unit=target.get("unit", "") if target else "",
    )


def _codes(values: pd.Series, levels: tuple[str, ...], spelling: Mapping[str, str]) -> np.ndarray:
    """Code of each value among the levels (n,); -1 where it is missing or none of them."""
    code_of_level = {level: code for code, level in enumerate(levels)}
    code_of_level |= {text: code_of_level.get(name, -1) for text, name in spelling.items()}
    positions, distinct = pd.factorize(values)
    translation = np.array([*(code_of_level.get(value, -1) for value in distinct), -1], dtype=np.int64)
    return translation[positions]  # a missing value has position -1, which takes the last entry


def _predicted(rows: RawRows, column: str, recipe: DatasetRecipe, categories: Categories) -> np.ndarray:
    """Code of each row's predicted class (n,), as a float like other scores; it is written as the label is."""
    assert recipe["target"] is not None  # a dataset without labels has no classes to predict
    names = rows.labels({**recipe["target"], "column": column})
    return _codes(names, categories.classes, categories.label_spelling).astype(np.float64)


def _group(rows: RawRows, name: str, recipe: DatasetRecipe, categories: Categories) -> np.ndarray:
    """Code of each row's group (n,) among the groups of one attribute; -1 for none."""
    options, levels, place = recipe["groups"][name], categories.group_levels[name], f"groups: {name}"
    code_of_level = {level: code for code, level in enumerate(levels)}
    if "ranges" in options:
        positions, codes = rows.positions(options["file"]), np.full(len(rows), -1)
        for level, (first, last) in options["ranges"].items():
            codes[(first <= positions) & (positions <= last)] = code_of_level.get(level, -1)
        return codes
    if "bins" in options:
        positions = rows.bins(options["column"], place, options["bins"])
        code_of_bin = np.array([code_of_level.get(bin_, -1) for bin_ in categories.bins[name]])
        return np.where(positions < 0, -1, code_of_bin[positions])
    return _codes(rows.names(options["column"], place), levels, categories.group_of[name])
