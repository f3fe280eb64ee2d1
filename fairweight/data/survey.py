"""Survey all raw rows of a dataset block by block: check their values and collect classes, levels and groups."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from fairweight.core.errors import LONGEST_NAME, InputError, listed, shown
from fairweight.core.recipes import DatasetRecipe, Target
from fairweight.data.categorical_codes import Categories
from fairweight.data.raw_rows import RawRows, bin_names, label_names, rows_by_file

MOST_GROUPS = 100  # an attribute with more groups than this is an identifier or needs bins
MOST_CLASSES = 1_000


@dataclass(frozen=True)
class Bad:
    """Values of one column that may be unusable: their number, and the first of them."""

    count: int = 0
    row: int = -1  # data row of the first
    value: object = None

    @classmethod
    def among(cls, values: pd.Series, mask: np.ndarray, start: int) -> "Bad":
        """The values (n,) where the mask (n,) is true, in a block whose first data row is `start`."""
        if not mask.any():
            return cls()
        first = int(mask.argmax())
        return cls(int(mask.sum()), start + first, values.iloc[first])

    def __add__(self, later: "Bad") -> "Bad":
        first = self if self.count else later
        return Bad(self.count + later.count, first.row, first.value)


@dataclass(frozen=True)
class Numbers:
    """Values of a numeric column that cannot be used, by kind."""

    unread: Bad  # not numbers
    infinite: Bad
    missing: Bad

    @classmethod
    def from_rows(cls, rows: RawRows, column: str, place: str) -> "Numbers":
        """Examine a column of one block."""
        values, numbers = rows.column(column, place), rows.numbers(column, place)
        nan = np.isnan(numbers)
        unread = nan & values.notna().to_numpy()
        unread[unread] = values[unread].astype(str).str.lower() != "nan"
        with np.errstate(over="ignore"):
            infinite = np.isinf(numbers.astype(np.float32))  # includes numbers too large for float32
        return cls(*(Bad.among(values, mask, rows.start) for mask in (unread, infinite, nan)))

    def __add__(self, later: "Numbers") -> "Numbers":
        return Numbers(self.unread + later.unread, self.infinite + later.infinite, self.missing + later.missing)

    def check(self, column: str, place: str, policy: str, size: int) -> None:
        """Check that all values can be used.

        Args:
            column: the column's name.
            place: its key in the study file.
            policy: what to do with missing values (`inputs: missing_numeric`); 'refuse' allows none.
            size: number of rows.

        Raises:
            InputError: some cannot; the message names the first of them.
        """
        where = f"{place}: column {column!r}"
        if self.unread.count:
            bad = self.unread
            raise InputError(
                f"{where}: {shown(bad.value)} in data row {bad.row} is not a number; fix the value, or list the column "
                "under 'categorical'"
            )
        if self.infinite.count:
            bad = self.infinite
            raise InputError(f"{where}: {bad.count:,} values are infinite (first in data row {bad.row}); fix the data")
        bad = self.missing
        if bad.count and (policy == "refuse" or bad.count == size):
            inputs = place.startswith("inputs")
            remedy = "fix the data or set inputs: missing_numeric: mean" if inputs else "fix the data"
            raise InputError(
                f"{where}: {bad.count:,} of {size:,} values are missing (first in data row {bad.row}); {remedy}"
            )


@dataclass
class Survey:
    """What one or more blocks of raw rows hold; add a later block with `+=`.

    Values are in the order of their first occurrence.
    """

    files: Counter[str] = field(default_factory=Counter)  # raw file -> rows
    missing: Counter[str] = field(default_factory=Counter)  # input column -> missing values
    labels: Counter[str] = field(default_factory=Counter)
    unlabelled: Bad = Bad()
    numbers: dict[tuple[str, str], Numbers] = field(default_factory=dict)  # (place, column)
    categories: dict[str, Counter[str]] = field(default_factory=dict)
    groups: dict[str, Counter[Any]] = field(default_factory=dict)  # attribute -> names, or positions of bins
    fractions: set[str] = field(default_factory=set)  # binned attributes that have a number that is not whole
    image_shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)
    textless: Bad = Bad()  # empty texts

    def __iadd__(self, later: "Survey") -> "Survey":
        self.files.update(later.files)
        self.missing.update(later.missing)
        self.labels.update(later.labels)
        self.image_shapes.update(later.image_shapes)
        for column, categories in later.categories.items():
            self.categories.setdefault(column, Counter()).update(categories)
        for attribute, groups in later.groups.items():
            self.groups.setdefault(attribute, Counter()).update(groups)
        for key, numbers in later.numbers.items():
            self.numbers[key] = self.numbers[key] + numbers if key in self.numbers else numbers
        self.unlabelled += later.unlabelled
        self.textless += later.textless
        self.fractions |= later.fractions
        return self

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.files.total()


def survey(rows: RawRows, recipe: DatasetRecipe, given: list[str]) -> Survey:
    """Survey one block.

    Args:
        rows: its raw rows.
        recipe: the dataset's part of the study file.
        given: columns of scores to keep.

    Raises:
        InputError: the data lack a column.
    """
    inputs, target = recipe["inputs"], recipe["target"]
    block = Survey(files=Counter(rows_by_file(rows.frame)))
    for column in recipe["quasi_identifiers"] or []:
        rows.column(column, "quasi_identifiers")
    if target:
        labels = rows.labels(target)
        block.unlabelled = Bad.among(labels, labels.isna().to_numpy(), rows.start)
        block.labels = _counts(labels)
    if inputs["text"]:
        texts = rows.column(inputs["text"], "inputs: text")
        empty = texts.isna() | (texts.astype(str).str.strip() == "")
        block.textless = Bad.among(texts, empty.to_numpy(), rows.start)
    pair = [inputs["pair"]] if inputs["pair"] else []
    for place, columns in (("inputs: numeric", inputs["numeric"]), ("inputs: pair", pair), ("given", given)):
        for column in columns:
            block.numbers[place, column] = Numbers.from_rows(rows, column, place)
    for column in inputs["categorical"]:
        block.categories[column] = _counts(rows.categories(column, "inputs: categorical"))
    if inputs["image"]:
        block.image_shapes = Counter(np.shape(image) for image in rows.column(inputs["image"], "inputs: image"))
    for column in (*inputs["numeric"], *inputs["categorical"]):
        block.missing[column] = int(rows.frame[column].isna().sum())
    _survey_groups(block, rows, recipe)
    return block


def _survey_groups(block: Survey, rows: RawRows, recipe: DatasetRecipe) -> None:
    for name, options in recipe["groups"].items():
        place = f"groups: {name}"
        if "bins" in options:
            numbers = rows.numbers(options["column"], place)
            numbers = numbers[~np.isnan(numbers)]
            block.groups[name] = _counts(pd.Series(np.digitize(numbers, sorted(options["bins"]))))
            if (numbers != np.round(numbers)).any():
                block.fractions.add(name)
        elif "column" in options:
            block.groups[name] = _counts(rows.names(options["column"], place))


def _counts(values: pd.Series) -> Counter[Any]:
    codes, distinct = pd.factorize(values)
    return Counter(dict(zip(distinct, np.bincount(codes[codes >= 0], minlength=len(distinct)).tolist(), strict=True)))


def checked_categories(survey: Survey, recipe: DatasetRecipe) -> Categories:
    """Check the values of all rows and return the classes, levels and groups that they have.

    Raises:
        InputError: a value cannot be used, the label has one class, or an attribute has one group or too many.
    """
    if not survey.size:
        raise InputError("the reader found no rows")
    inputs = recipe["inputs"]
    classes = _classes(survey, recipe["target"]) if recipe["target"] else ()
    if (bad := survey.textless).count:
        raise InputError(
            f"inputs: text: column {inputs['text']!r} has {bad.count:,} empty texts (first in data row {bad.row}); "
            "drop the rows"
        )
    for (place, column), numbers in survey.numbers.items():
        policy = inputs["missing_numeric"] if place.startswith("inputs") else "refuse"
        numbers.check(column, place, policy, survey.size)
    if len(survey.image_shapes) > 1:
        shapes = " and ".join(map(str, list(survey.image_shapes)[:2]))
        raise InputError(
            f"inputs: image: column {inputs['image']!r} has images of the shapes {shapes}; resize all to one shape"
        )
    bins = {
        name: tuple(bin_names(options["bins"], name not in survey.fractions))
        for name, options in recipe["groups"].items()
        if "bins" in options
    }
    return Categories(
        classes=classes,
        levels={column: tuple(sorted(categories)) for column, categories in survey.categories.items()},
        bins=bins,
        group_levels={name: _levels(survey, name, recipe, bins.get(name, ())) for name in recipe["groups"]},
    )


def _classes(survey: Survey, target: Target) -> tuple[str, ...]:
    """The classes in order; of a binary label the positive one is last."""
    place = f"target: column {target['column']!r}"
    bad = survey.unlabelled
    if bad.count:
        raise InputError(f"{place}: {bad.count:,} labels are missing (first in data row {bad.row}); drop the rows")
    classes = _in_order(survey.labels)
    if len(classes) < 2:
        raise InputError(f"{place}: all {survey.size:,} labels are {classes[0]!r}; a study needs two classes or more")
    if len(classes) > MOST_CLASSES:
        raise InputError(
            f"{place}: has {len(classes):,} classes; at most {MOST_CLASSES:,} are allowed (is it a number?)"
        )
    if target["positive"] is not None:
        (positive,) = label_names(pd.Series([str(target["positive"])]), target)
        if positive not in classes or len(classes) != 2:
            raise InputError(f"target: positive: {positive!r} is not one of two classes; they are {listed(classes)}")
        classes = [c for c in classes if c != positive] + [positive]
    return tuple(classes)


def _in_order(values: Iterable[str]) -> list[str]:
    """Sorted: by size if all are numbers, else alphabetically."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return sorted(values)


def _levels(survey: Survey, name: str, recipe: DatasetRecipe, bins: tuple[str, ...]) -> tuple[str, ...]:
    """The groups of an attribute that occur, in order."""
    options, place = recipe["groups"][name], f"groups: {name}"
    if "ranges" in options:
        _check_ranges(survey, options["file"], options["ranges"], place)
        order, occurring = list(options["ranges"]), set(options["ranges"])
    elif bins:
        order, occurring = list(bins), {bins[position] for position in survey.groups[name]}
    else:
        order, occurring = _in_order(survey.groups[name]), set(survey.groups[name])
    if "values" in options:
        wanted = [str(value) for value in options["values"]]
        if absent := [value for value in wanted if value not in order]:
            names = dict.fromkeys(level if len(level) <= LONGEST_NAME else shown(level) for level in order)
            raise InputError(
                f"{place}: values: {absent[0]!r} does not occur; the groups are {', '.join([*names][:40])}"
            )
        order = wanted
    levels = [level for level in order if level in occurring]
    if len(levels) < 2:
        raise InputError(f"{place}: has only the group {', '.join(levels) or 'none'}; a comparison needs two or more")
    if len(levels) > MOST_GROUPS:
        raise InputError(
            f"{place}: column {options.get('column')!r} has {len(levels):,} distinct values; at most {MOST_GROUPS} are "
            "allowed: give 'bins' for a number, 'values' for a selection, or remove the attribute"
        )
    if unknown := [group for group in options.get("reference", {}) if group not in levels]:
        raise InputError(f"{place}: reference: {unknown[0]!r} is not a group; there are: {', '.join(levels)}")
    return tuple(levels)


def _check_ranges(survey: Survey, file: str, ranges: dict[str, tuple[int, int]], place: str) -> None:
    size = survey.files[file]
    if not size:
        files = ", ".join(survey.files)
        raise InputError(f"{place}: file: there are no rows of a file {file!r}; the files are {files}")
    taken: list[tuple[int, int]] = []
    for level, (first, last) in ranges.items():
        if not first <= last < size:
            raise InputError(
                f"{place}: ranges: {level}: [{first}, {last}] is not within the file's rows 0 to {size - 1}"
            )
        if any(first <= end and start <= last for start, end in taken):
            raise InputError(f"{place}: ranges: {level}: [{first}, {last}] overlaps another range")
        taken.append((first, last))
