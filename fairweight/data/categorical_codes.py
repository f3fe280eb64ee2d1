"""Raw rows as coded rows: every block of a dataset in the same way."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fairweight.core.table import Table
from fairweight.data.raw_rows import FILE, RawRows


@dataclass(frozen=True)
class Coding:
    """What a row cannot tell by itself."""

    classes: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]  # categorical column -> its levels
    bins: dict[str, tuple[str, ...]]  # binned attribute -> names of its bins from below
    group_levels: dict[str, tuple[str, ...]]  # attribute -> groups that occur


def coded(rows: RawRows, coding: Coding, recipe: dict[str, Any], given: list[str]) -> Table:
    """Code a block of raw rows whose values have been checked."""
    inputs, size = recipe["inputs"], len(rows)
    numeric = [rows.numbers(column, "inputs: numeric") for column in inputs["numeric"]]
    categorical = [
        _codes(rows.categories(column, "inputs: categorical"), levels) for column, levels in coding.levels.items()
    ]
    images = None
    if inputs["image"]:
        images = np.stack(list(rows.column(inputs["image"], "inputs: image")))
    label = _codes(rows.labels(recipe["target"]), coding.classes) if recipe["target"] else np.full(size, -1)
    return Table(
        row=np.arange(rows.start, rows.start + size),
        file=rows.frame[FILE].to_numpy(dtype=object),
        label=label,
        classes=coding.classes,
        numeric=np.stack(numeric, axis=1).astype(np.float32) if numeric else np.empty((size, 0), np.float32),
        numeric_names=tuple(inputs["numeric"]),
        categorical=np.stack(categorical, axis=1) if categorical else np.empty((size, 0), np.int64),
        levels=coding.levels,
        images=images,
        groups={name: _group(rows, name, recipe["groups"][name], coding) for name in coding.group_levels},
        group_levels=coding.group_levels,
        given={column: rows.numbers(column, "given") for column in given},
        texts=rows.column(inputs["text"], "inputs: text").to_numpy(dtype=object) if inputs["text"] else None,
        pairs=rows.numbers(inputs["pair"], "inputs: pair").astype(np.int64) if inputs["pair"] else None,
    )


def _codes(values: pd.Series, levels: tuple[str, ...]) -> np.ndarray:
    """Code of each value among the levels (n,); -1 where it is none of them or missing."""
    position = {level: code for code, level in enumerate(levels)}
    found, distinct = pd.factorize(values)
    translation = np.array([*(position.get(value, -1) for value in distinct), -1], dtype=np.int64)
    return translation[found]  # a missing value is -1 in `found`, and so the last entry


def _group(rows: RawRows, name: str, stated: dict[str, Any], coding: Coding) -> np.ndarray:
    levels, place = coding.group_levels[name], f"groups: {name}"
    position = {level: code for code, level in enumerate(levels)}
    if "ranges" in stated:
        places, codes = rows.positions(stated["file"]), np.full(len(rows), -1)
        for level, (first, last) in stated["ranges"].items():
            codes[(first <= places) & (places <= last)] = position.get(level, -1)
        return codes
    if "bins" in stated:
        numbers = rows.numbers(stated["column"], place)
        of_bin = np.array([position.get(bin_, -1) for bin_ in coding.bins[name]])
        return np.where(np.isnan(numbers), -1, of_bin[np.digitize(numbers, sorted(stated["bins"]))])
    return _codes(rows.names(stated["column"], place), levels)
