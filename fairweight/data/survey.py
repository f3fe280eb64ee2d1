"""What all raw rows of a dataset hold, learned block by block: checks, and what coding a row takes to know."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from fairweight.core.errors import LONGEST_NAME, InputError, shown
from fairweight.data.categorical_codes import Coding
from fairweight.data.raw_rows import RawRows, bin_names, rows_by_file

MOST_GROUPS = 100  # an attribute with more groups than this is an identifier or wants bins
MOST_CLASSES = 1_000


@dataclass(frozen=True)
class Bad:
    """Values that may not be usable: how many, and the first one."""

    count: int = 0
    row: int = -1  # its data row
    value: Any = None

    @classmethod
    def among(cls, values: pd.Series, mask: np.ndarray, start: int) -> "Bad":
        """Those where the mask (n,) is true, in a block whose first data row is `start`."""
        if not mask.any():
            return cls()
        first = int(mask.argmax())
        return cls(int(mask.sum()), start + first, values.iloc[first])

    def __add__(self, later: "Bad") -> "Bad":
        first = self if self.count else later
        return Bad(self.count + later.count, first.row, first.value)


@dataclass(frozen=True)
class Numbers:
    """What is wrong with the values of a numeric column."""

    unread: Bad
    infinite: Bad
    absent: Bad

    @classmethod
    def of(cls, rows: RawRows, column: str, place: str) -> "Numbers":
        """Those of a block."""
        values, numbers = rows.column(column, place), rows.numbers(column, place)
        nan = np.isnan(numbers)
        unread = nan & values.notna().to_numpy()
        unread[unread] = values[unread].astype(str).str.lower() != "nan"
        with np.errstate(over="ignore"):
            infinite = np.isinf(numbers.astype(np.float32))  # what is too large for a model's numbers, too
        return cls(*(Bad.among(values, mask, rows.start) for mask in (unread, infinite, nan)))

    def __add__(self, later: "Numbers") -> "Numbers":
        return Numbers(self.unread + later.unread, self.infinite + later.infinite, self.absent + later.absent)

    def check(self, column: str, place: str, missing: str, size: int) -> None:
        """Raise an InputError for the first kind of value that cannot be used among `size` rows."""
        where = f"{place}: column {column!r}"
        if self.unread.count:
            bad = self.unread
            raise InputError(
                f"{where}: {shown(bad.value)} in data row {bad.row} is not a number; list it under 'categorical'?"
            )
        if self.infinite.count:
            bad = self.infinite
            raise InputError(f"{where}: {bad.count:,} values are infinite (first in data row {bad.row}); mend the data")
        bad = self.absent
        if bad.count and (missing == "refuse" or bad.count == size):
            inputs = place.startswith("inputs")
            remedy = "mend the data or set inputs: missing_numeric: mean" if inputs else "mend the data"
            raise InputError(
                f"{where}: {bad.count:,} of {size:,} values are missing (first in data row {bad.row}); {remedy}"
            )


@dataclass
class Survey:
    """What blocks of raw rows hold; a later block is added with `+=`.

    Values keep the order in which they first occur.
    """

    files: Counter[str] = field(default_factory=Counter)  # raw file -> rows
    missing: Counter[str] = field(default_factory=Counter)  # input column -> missing values
    labels: Counter[str] = field(default_factory=Counter)
    unlabelled: Bad = Bad()
    numbers: dict[tuple[str, str], Numbers] = field(default_factory=dict)  # (place, column)
    categories: dict[str, Counter[str]] = field(default_factory=dict)
    groups: dict[str, Counter[Any]] = field(default_factory=dict)  # attribute -> names, or positions of bins
    fractions: set[str] = field(default_factory=set)  # binned attributes with a number that is not whole
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
        for key, found_numbers in later.numbers.items():
            self.numbers[key] = self.numbers[key] + found_numbers if key in self.numbers else found_numbers
        self.unlabelled += later.unlabelled
        self.textless += later.textless
        self.fractions |= later.fractions
        return self

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.files.total()


def survey(rows: RawRows, recipe: dict[str, Any], given: list[str]) -> Survey:
    """What one block holds.

    Raises:
        InputError: a column is absent.
    """
    inputs, target = recipe["inputs"], recipe["target"]
    found = Survey(files=Counter(rows_by_file(rows.frame)))
    for column in recipe["quasi_identifiers"] or []:
        rows.column(column, "quasi_identifiers")
    if target:
        labels = rows.column(target["column"], "target")
        found.unlabelled = Bad.among(labels, labels.isna().to_numpy(), rows.start)
        found.labels = _counts(rows.labels(target))
    if inputs["text"]:
        texts = rows.column(inputs["text"], "inputs: text")
        empty = texts.isna() | (texts.astype(str).str.strip() == "")
        found.textless = Bad.among(texts, empty.to_numpy(), rows.start)
    pair = [inputs["pair"]] if inputs["pair"] else []
    for place, columns in (("inputs: numeric", inputs["numeric"]), ("inputs: pair", pair), ("given", given)):
        for column in columns:
            found.numbers[place, column] = Numbers.of(rows, column, place)
    for column in inputs["categorical"]:
        found.categories[column] = _counts(rows.categories(column, "inputs: categorical"))
    if inputs["image"]:
        found.image_shapes = Counter(np.shape(image) for image in rows.column(inputs["image"], "inputs: image"))
    for column in (*inputs["numeric"], *inputs["categorical"]):
        found.missing[column] = int(rows.frame[column].isna().sum())
    for name, stated in recipe["groups"].items():
        place = f"groups: {name}"
        if "bins" in stated:
            numbers = rows.numbers(stated["column"], place)
            numbers = numbers[~np.isnan(numbers)]
            found.groups[name] = _counts(pd.Series(np.digitize(numbers, sorted(stated["bins"]))))
            if (numbers != np.round(numbers)).any():
                found.fractions.add(name)
        elif "column" in stated:
            found.groups[name] = _counts(rows.names(stated["column"], place))
    return found


def _counts(values: pd.Series) -> Counter[Any]:
    codes, distinct = pd.factorize(values)
    return Counter(dict(zip(distinct, np.bincount(codes[codes >= 0], minlength=len(distinct)).tolist(), strict=True)))


def checked(survey: Survey, recipe: dict[str, Any]) -> Coding:
    """Check what all rows hold; return how each row is to be coded.

    Raises:
        InputError: a value cannot be used, a label has one class, a group is constant or too many.
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
        missing = inputs["missing_numeric"] if place.startswith("inputs") else "refuse"
        numbers.check(column, place, missing, survey.size)
    if len(survey.image_shapes) > 1:
        shapes = " and ".join(map(str, list(survey.image_shapes)[:2]))
        raise InputError(
            f"inputs: image: column {inputs['image']!r} has images of the shapes {shapes}; bring all to one"
        )
    bins = {
        name: tuple(bin_names(stated["bins"], name not in survey.fractions))
        for name, stated in recipe["groups"].items()
        if "bins" in stated
    }
    return Coding(
        classes=classes,
        levels={column: tuple(sorted(found)) for column, found in survey.categories.items()},
        bins=bins,
        group_levels={
            name: _levels(survey, name, stated, bins.get(name, ())) for name, stated in recipe["groups"].items()
        },
    )


def _classes(survey: Survey, target: dict[str, Any]) -> tuple[str, ...]:
    place = f"target: column {target['column']!r}"
    bad = survey.unlabelled
    if bad.count:
        raise InputError(f"{place}: {bad.count:,} labels are missing (first in data row {bad.row}); drop the rows")
    classes = _in_order(survey.labels)
    if len(classes) < 2:
        raise InputError(f"{place}: all {survey.size:,} labels are {classes[0]!r}; a study needs two classes or more")
    if len(classes) > MOST_CLASSES:
        raise InputError(f"{place}: has {len(classes):,} classes; at most {MOST_CLASSES:,} are taken (is it a number?)")
    if target["positive"] is not None:
        positive = str(target["positive"])
        if positive not in classes or len(classes) != 2:
            raise InputError(f"target: positive: {positive!r} is not one of two classes; they are {', '.join(classes)}")
        classes = [c for c in classes if c != positive] + [positive]
    return tuple(classes)


def _in_order(values: Any) -> list[str]:
    """Numbers by size, anything else by letters."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return sorted(values)


def _levels(survey: Survey, name: str, stated: dict[str, Any], bins: tuple[str, ...]) -> tuple[str, ...]:
    """The groups of an attribute that occur, in order."""
    place = f"groups: {name}"
    if "ranges" in stated:
        _check_ranges(survey, stated, place)
        order, occurring = list(stated["ranges"]), set(stated["ranges"])
    elif bins:
        order, occurring = list(bins), {bins[position] for position in survey.groups[name]}
    else:
        order, occurring = _in_order(survey.groups[name]), set(survey.groups[name])
    if "values" in stated:
        wanted = [str(value) for value in stated["values"]]
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
            f"{place}: column {stated.get('column')!r} has {len(levels):,} distinct values; at most {MOST_GROUPS} are "
            "groups: give 'bins' for a number, 'values' for a selection, or take it out"
        )
    if unknown := [group for group in stated.get("reference", {}) if group not in levels]:
        raise InputError(f"{place}: reference: {unknown[0]!r} is not a group; there are: {', '.join(levels)}")
    return tuple(levels)


def _check_ranges(survey: Survey, stated: dict[str, Any], place: str) -> None:
    size = survey.files[stated["file"]]
    if not size:
        found = ", ".join(survey.files)
        raise InputError(f"{place}: file: there are no rows of a file {stated['file']!r}; the files are {found}")
    taken: list[tuple[int, int]] = []
    for level, (first, last) in stated["ranges"].items():
        if not first <= last < size:
            raise InputError(
                f"{place}: ranges: {level}: [{first}, {last}] is not within the file's rows 0 to {size - 1}"
            )
        if any(first <= end and start <= last for start, end in taken):
            raise InputError(f"{place}: ranges: {level}: [{first}, {last}] overlaps another range")
        taken.append((first, last))
