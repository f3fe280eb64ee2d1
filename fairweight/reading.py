"""From raw files to one table: checked, typed, coded; and the data card."""

import difflib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairweight import components
from fairweight.artifacts import checksum, write_json, write_table
from fairweight.cards import contents
from fairweight.errors import InputError
from fairweight.table import MISSING, Table

MOST_GROUPS = 100  # an attribute with more groups than this is an identifier or wants bins
MOST_CLASSES = 1_000


def read(
    files: dict[str, str], table: str, contents_path: str, *, name: str, recipe: dict[str, Any], given: list[str]
) -> None:
    """Read a dataset's raw files and write its table and a count of what it holds.

    Args:
        files: name of the raw file -> path.
        table: Parquet file to write.
        contents_path: JSON file to write.
        name: the dataset's name, for messages.
        recipe: the dataset's part of the study file.
        given: columns of scores to keep.

    Raises:
        InputError: the data do not fit the study file; one sentence with the column and the remedy.
    """
    try:
        options = {key: value for key, value in recipe["reader"].items() if key != "method"}
        paths = {key: Path(path) for key, path in files.items()}
        frame = components.load("readers", recipe["reader"]["method"])(paths, **options)
        rows = build_table(frame, recipe, given)
    except InputError as error:
        raise InputError(f"datasets: {name}: {str(error).rstrip('.')}.") from None
    checksums = {key: checksum(path) for key, path in paths.items()}
    write_table(table, rows)
    write_json(contents_path, contents(rows, frame, recipe, checksums))


def build_table(frame: pd.DataFrame, recipe: dict[str, Any], given: list[str]) -> Table:
    """Check raw rows against the recipe and code them.

    Args:
        frame: what a reader returned, with the column `__file__`.
        recipe: the dataset's part of the study file.
        given: columns of scores to keep.

    Raises:
        InputError: a column is absent, a value cannot be used, a label has one class, a group is constant or too many.
    """
    inputs, target = recipe["inputs"], recipe["target"]
    for column in recipe["drop"]:
        _present(frame, column, "drop")
    for column in recipe["quasi_identifiers"] or []:
        _present(frame, column, "quasi_identifiers")
    frame = frame.drop(columns=recipe["drop"])
    label, classes = _labels(frame, target)
    numeric = [_numbers(frame, c, "inputs: numeric", inputs["missing_numeric"]) for c in inputs["numeric"]]
    categorical, levels = [], {}
    for column in inputs["categorical"]:
        values = _present(frame, column, "inputs: categorical").astype(object)
        values = values.where(values.notna(), MISSING).astype(str)
        codes, found = pd.factorize(values, sort=True)
        categorical.append(codes)
        levels[column] = tuple(found)
    images = None
    if inputs["image"]:
        images = np.stack(list(_present(frame, inputs["image"], "inputs: image")))
    groups, group_levels = _groups(frame, recipe["groups"])
    size = len(frame)
    return Table(
        row=np.arange(size),
        file=frame["__file__"].to_numpy(),
        label=label,
        classes=classes,
        numeric=np.stack(numeric, axis=1).astype(np.float32) if numeric else np.empty((size, 0), np.float32),
        numeric_names=tuple(inputs["numeric"]),
        categorical=np.stack(categorical, axis=1).astype(np.int64) if categorical else np.empty((size, 0), np.int64),
        levels=levels,
        images=images,
        groups=groups,
        group_levels=group_levels,
        given={column: _numbers(frame, column, "given", "refuse") for column in given},
    )


def _present(frame: pd.DataFrame, column: str, place: str) -> pd.Series:
    if column in frame.columns:
        return frame[column]
    legal = [str(c) for c in frame.columns if c != "__file__"]
    near = difflib.get_close_matches(column, legal, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    listed = ", ".join(legal[:40]) + (", ..." if len(legal) > 40 else "")
    raise InputError(f"{place}: column {column!r} is not in the data{hint}; the columns are: {listed}")


def _numbers(frame: pd.DataFrame, column: str, place: str, missing: str) -> np.ndarray:
    values = _present(frame, column, place)
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    where = f"{place}: column {column!r}"
    unread = numbers.isna() & values.notna() & ~values.astype(str).str.lower().isin(["nan"])
    if unread.any():
        first = int(unread.idxmax())
        raise InputError(
            f"{where}: {values[first]!r} in data row {first} is not a number; list it under 'categorical'?"
        )
    with np.errstate(over="ignore"):
        infinite = np.isinf(numbers.astype(np.float32))  # what is too large for a model's numbers, too
    if infinite.any():
        first = int(infinite.idxmax())
        raise InputError(
            f"{where}: {int(infinite.sum()):,} values are infinite (first in data row {first}); mend the data"
        )
    absent = int(numbers.isna().sum())
    if absent and (missing == "refuse" or absent == len(numbers)):
        first = int(numbers.isna().idxmax())
        remedy = "mend the data or set inputs: missing_numeric: mean" if place.startswith("inputs") else "mend the data"
        raise InputError(
            f"{where}: {absent:,} of {len(numbers):,} values are missing (first in data row {first}); {remedy}"
        )
    return numbers.to_numpy()


def _labels(frame: pd.DataFrame, target: dict[str, Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    place = f"target: column {target['column']!r}"
    values = _present(frame, target["column"], "target")
    if values.isna().any():
        first = int(values.isna().idxmax())
        raise InputError(
            f"{place}: {int(values.isna().sum()):,} labels are missing (first in data row {first}); drop the rows"
        )
    text = values.astype(str).str.rstrip(target["strip"]) if target["strip"] else values.astype(str)
    classes = _in_order(text.unique())
    if len(classes) < 2:
        raise InputError(f"{place}: all {len(text):,} labels are {classes[0]!r}; a study needs two classes or more")
    if len(classes) > MOST_CLASSES:
        raise InputError(f"{place}: has {len(classes):,} classes; at most {MOST_CLASSES:,} are taken (is it a number?)")
    if target["positive"] is not None:
        positive = str(target["positive"])
        if positive not in classes or len(classes) != 2:
            raise InputError(f"target: positive: {positive!r} is not one of two classes; they are {', '.join(classes)}")
        classes = [c for c in classes if c != positive] + [positive]
    codes = text.map({c: code for code, c in enumerate(classes)}).to_numpy().astype(np.int64)
    return codes, tuple(classes)


def _in_order(values: Any) -> list[str]:
    """Numbers by size, anything else by letters."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return sorted(values)


def _groups(frame: pd.DataFrame, stated: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]]]:
    codes: dict[str, np.ndarray] = {}
    levels: dict[str, tuple[str, ...]] = {}
    for name, recipe in stated.items():
        place = f"groups: {name}"
        if "ranges" in recipe:
            values, order = _ranges(frame, recipe, place)
        elif "bins" in recipe:
            values, order = _bins(frame, recipe, place)
        else:
            values = _present(frame, recipe["column"], place).map(lambda v: None if pd.isna(v) else str(v))
            order = _in_order(values.dropna().unique())
        if "values" in recipe:
            wanted = [str(value) for value in recipe["values"]]
            if absent := [value for value in wanted if value not in order]:
                raise InputError(
                    f"{place}: values: {absent[0]!r} does not occur; the groups are {', '.join(order[:40])}"
                )
            order = wanted
        present = [level for level in order if (values == level).any()]
        if len(present) < 2:
            raise InputError(
                f"{place}: has only the group {', '.join(present) or 'none'}; a comparison needs two or more"
            )
        if len(present) > MOST_GROUPS:
            raise InputError(
                f"{place}: column {recipe.get('column')!r} has {len(present):,} distinct values; at most {MOST_GROUPS} are "
                "groups: give 'bins' for a number, 'values' for a selection, or take it out"
            )
        if unknown := [name for name in recipe.get("reference", {}) if name not in present]:
            raise InputError(f"{place}: reference: {unknown[0]!r} is not a group; there are: {', '.join(present)}")
        translated = values.map({level: code for code, level in enumerate(present)})
        codes[name] = translated.fillna(-1).to_numpy().astype(np.int64)
        levels[name] = tuple(present)
    return codes, levels


def _bins(frame: pd.DataFrame, recipe: dict[str, Any], place: str) -> tuple[pd.Series, list[str]]:
    numbers = pd.to_numeric(_present(frame, recipe["column"], place), errors="coerce")
    cuts = sorted(recipe["bins"])
    names = [f"<{cuts[0]:g}"] + [f"{a:g}-{b:g}" for a, b in itertools.pairwise(cuts)] + [f">={cuts[-1]:g}"]
    whole = numbers.dropna()
    if all(float(cut).is_integer() for cut in cuts) and (whole == whole.round()).all():  # 25-59 needs no footnote
        names[1:-1] = [f"{a:g}-{b - 1:g}" for a, b in itertools.pairwise(cuts)]
    position = np.digitize(numbers.to_numpy(dtype=float), cuts)
    values = pd.Series([names[p] for p in position], index=frame.index, dtype=object).mask(numbers.isna(), None)
    return values, names


def _ranges(frame: pd.DataFrame, recipe: dict[str, Any], place: str) -> tuple[pd.Series, list[str]]:
    positions = np.flatnonzero(frame["__file__"].to_numpy() == recipe["file"])
    if not len(positions):
        found = ", ".join(frame["__file__"].unique())
        raise InputError(f"{place}: file: there are no rows of a file {recipe['file']!r}; the files are {found}")
    values = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    for level, (first, last) in recipe["ranges"].items():
        if not first <= last < len(positions):
            raise InputError(
                f"{place}: ranges: {level}: [{first}, {last}] is not within the file's rows 0 to {len(positions) - 1}"
            )
        rows = positions[first : last + 1]
        if values.iloc[rows].notna().any():
            raise InputError(f"{place}: ranges: {level}: [{first}, {last}] overlaps another range")
        values.iloc[rows] = level
    return values, list(recipe["ranges"])
