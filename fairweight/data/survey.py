"""Survey all raw rows of a dataset block by block: check their values and collect classes, levels and groups."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from fairweight.core.errors import InputError, did_you_mean, listed, shown
from fairweight.core.recipes import DatasetRecipe, Target
from fairweight.data.categorical_codes import Categories
from fairweight.data.column_checks import Agreement, Bad, Labels, Numbers
from fairweight.data.named_values import merges, named, occurring, resolved
from fairweight.data.raw_rows import RawRows, bin_names, label_names, rows_by_file
from fairweight.data.value_formats import Formats, in_order, spellings

MOST_GROUPS = 100  # an attribute with more groups than this is an identifier or needs bins
MOST_CLASSES = 1_000


@dataclass
class Survey:
    """What one or more blocks of raw rows hold; add a later block with `+=`.

    Values are in the order of their first occurrence.
    """

    files: Counter[str] = field(default_factory=Counter)  # raw file -> rows
    missing: Counter[str] = field(default_factory=Counter)  # input column -> missing values
    labels: Counter[str] = field(default_factory=Counter)
    unlabelled: Bad = field(default_factory=Bad)
    numbers: dict[tuple[str, str], Numbers] = field(default_factory=dict)  # (place, column)
    categories: dict[str, Counter[str]] = field(default_factory=dict)
    groups: dict[str, Counter[Any]] = field(default_factory=dict)  # attribute -> names, or positions of bins
    fractions: set[str] = field(default_factory=set)  # binned attributes that have a number that is not whole
    image_shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)
    textless: Bad = field(default_factory=Bad)  # empty texts
    agreements: dict[tuple[str, str], Agreement] = field(default_factory=dict)  # (place, input column)

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
        for key, agreement in later.agreements.items():
            self.agreements[key] = self.agreements[key] + agreement if key in self.agreements else agreement
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
    if target and "unit" in target:
        block.numbers["target", target["column"]] = Numbers.from_rows(rows, target["column"], "target")
    elif target:
        labels = rows.labels(target)
        block.unlabelled = Bad.among(labels, labels.isna().to_numpy(), rows)
        block.labels = _counts(labels)
    if inputs["text"]:
        texts = rows.names(inputs["text"], "inputs: text")
        empty = texts.isna() | (texts.str.strip() == "")
        block.textless = Bad.among(texts, empty.to_numpy(), rows)
    pair = [inputs["pair"]] if inputs["pair"] else []
    for place, columns in (("inputs: numeric", inputs["numeric"]), ("inputs: pair", pair), ("given", given)):
        for column in columns:
            block.numbers[place, column] = Numbers.from_rows(rows, column, place)
    for column in inputs["categorical"]:
        block.categories[column] = _counts(rows.categories(column, "inputs: categorical"))
    if inputs["image"]:
        block.image_shapes = _image_shapes(rows, inputs["image"])
    _survey_inputs(block, rows, recipe)
    _survey_groups(block, rows, recipe)
    return block


def _image_shapes(rows: RawRows, column: str) -> Counter[tuple[int, ...]]:
    shapes = Counter[tuple[int, ...]]()
    for position, image in enumerate(rows.column(column, "inputs: image")):
        if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.size):
            raise InputError(
                f"inputs: image: column {column!r}: the value in {rows.place(position)} is no image, which is a uint8 "
                "array (channels, height, width) as the reader idx gives it; name another column"
            )
        shapes[image.shape] += 1
    return shapes


def _survey_inputs(block: Survey, rows: RawRows, recipe: DatasetRecipe) -> None:
    """Count the missing values of tabular inputs, and compare them with the label."""
    inputs, target = recipe["inputs"], recipe["target"]
    # numbers that are all different agree with any other such column; see `leaks`
    labels = Labels.from_series(rows.labels(target)) if target and "unit" not in target else None
    for kind, columns in (("numeric", inputs["numeric"]), ("categorical", inputs["categorical"])):
        place = f"inputs: {kind}"
        for column in columns:
            values = rows.numbers(column, place) if kind == "numeric" else rows.names(column, place)
            block.missing[column] = int(pd.isna(values).sum())
            if labels is not None:
                block.agreements[place, column] = Agreement.from_rows(values, labels)


def _survey_groups(block: Survey, rows: RawRows, recipe: DatasetRecipe) -> None:
    for name, options in recipe["groups"].items():
        place = f"groups: {name}"
        if "bins" in options:
            column = options["column"]
            numbers, positions = rows.numbers(column, place), rows.bins(column, place, options["bins"])
            block.numbers[place, column] = Numbers.from_rows(rows, column, place)
            block.groups[name] = _counts(pd.Series(positions[positions >= 0]))
            if (np.isfinite(numbers) & (numbers != np.round(numbers))).any():
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
    inputs, formats = recipe["inputs"], Formats.from_recipe(recipe)
    label_spelling = spellings(survey.labels, formats)
    target = recipe["target"]
    classes = _classes(survey, target, label_spelling, formats) if target and "unit" not in target else ()
    if (bad := survey.textless).count:
        raise InputError(
            f"inputs: text: column {inputs['text']!r} has {bad.count:,} empty texts (first in {bad.row}); drop the rows"
        )
    for (place, column), numbers in survey.numbers.items():
        _check_numbers(survey, numbers, place, column, recipe)
    if len(survey.image_shapes) > 1:
        shapes = " and ".join(map(str, list(survey.image_shapes)[:2]))
        raise InputError(
            f"inputs: image: column {inputs['image']!r} has images of the shapes {shapes}; resize all to one shape"
        )
    spelling = {column: spellings(names, formats) for column, names in survey.categories.items()}
    for (place, column), agreement in survey.agreements.items():
        agreement.check(f"{place}: column {column!r}", survey.size, spelling.get(column, {}), label_spelling)
    bins = {
        name: tuple(bin_names(options["bins"], name not in survey.fractions))
        for name, options in recipe["groups"].items()
        if "bins" in options
    }
    group_spelling = {name: spellings(names, formats) for name, names in survey.groups.items() if name not in bins}
    group_of = {name: _group_of(survey, name, recipe, spelling) for name, spelling in group_spelling.items()}
    ranges = {column: survey.numbers["inputs: numeric", column].range for column in inputs["numeric"]}
    return Categories(
        classes=classes,
        levels={name: tuple(sorted(_merged(c, spelling[name]))) for name, c in survey.categories.items()},
        bins=bins,
        group_levels={
            name: _levels(survey, name, recipe, bins.get(name, ()), group_of.get(name, {})) for name in recipe["groups"]
        },
        origins={column: values.origin for column, values in ranges.items() if values.origin},
        label_spelling=label_spelling,
        spelling=spelling,
        group_spelling=group_spelling,
        group_of=group_of,
    )


def _check_numbers(survey: Survey, numbers: Numbers, place: str, column: str, recipe: DatasetRecipe) -> None:
    """Check a column of numbers for what the study file uses it for: input, group, score, or number of a pair."""
    where, size, numeric = f"{place}: column {column!r}", survey.size, place == "inputs: numeric"
    remedy = ", or leave out 'bins'" if place.startswith("groups") else ""
    remedy = ", or list the column under 'categorical'" if numeric else remedy
    numbers.check_read(where, size, remedy, recipe["dates"].get(column))
    if place == "target":
        _check_label(numbers, where, size)
        return
    if place.startswith("groups"):  # a row without a number belongs to no group
        return
    may_lack = place == "given" and column in recipe["reader"].get("optional", ())
    policy = recipe["inputs"]["missing_numeric"] if numeric else "keep" if may_lack else "refuse"
    numbers.check_usable(
        where, policy, size, "fix the data or set inputs: missing_numeric: mean" if numeric else "fix the data"
    )
    if numeric:
        numbers.check_narrow(where)
    if place == "inputs: pair" and not numbers.range.whole:
        raise InputError(f"{where}: the number of a pair must be whole; fix the data")


def _check_label(numbers: Numbers, where: str, size: int) -> None:
    """Check a label that is a number: there is one in every row, and they differ."""
    if (bad := numbers.missing).count:
        raise InputError(f"{where}: {bad.count:,} labels are missing (first in {bad.row}); drop the rows")
    if numbers.range.lowest == numbers.range.highest:
        raise InputError(f"{where}: all {size:,} labels are {numbers.range.lowest:g}; a study needs labels that differ")


def _merged(counts: Mapping[str, int], spelling: Mapping[str, str]) -> Counter[str]:
    """Counts of names, in which the spellings of one number are one name."""
    together = Counter[str]()
    for name, count in counts.items():
        together[spelling.get(name, name)] += count
    return together


def _classes(survey: Survey, target: Target, spelling: Mapping[str, str], formats: Formats) -> tuple[str, ...]:
    """The classes in order; of a binary label the positive one is last."""
    place = f"target: column {target['column']!r}"
    bad = survey.unlabelled
    if bad.count:
        raise InputError(f"{place}: {bad.count:,} labels are missing (first in {bad.row}); drop the rows")
    classes = in_order(_merged(survey.labels, spelling), formats)
    if len(classes) < 2:
        raise InputError(f"{place}: all {survey.size:,} labels are {classes[0]!r}; a study needs two classes or more")
    if len(classes) > MOST_CLASSES:
        raise InputError(
            f"{place}: has {len(classes):,} classes; at most {MOST_CLASSES:,} are allowed (is it a number?)"
        )
    if target["positive"] is not None:
        wanted: object = target["positive"]
        if not isinstance(wanted, bool):
            (wanted,) = label_names(pd.Series([str(wanted)]), target)
        positive = resolved(wanted, classes, formats)
        if positive not in classes or len(classes) != 2:
            hint = did_you_mean(positive, classes)
            raise InputError(
                f"target: positive: {named(wanted)} is not one of two classes{hint}; they are {listed(classes)}"
            )
        classes = [c for c in classes if c != positive] + [positive]
    return tuple(classes)


def _levels(
    survey: Survey, name: str, recipe: DatasetRecipe, bins: tuple[str, ...], spelling: Mapping[str, str]
) -> tuple[str, ...]:
    """The groups of an attribute that occur, in order."""
    formats = Formats.from_recipe(recipe)
    options, place = recipe["groups"][name], f"groups: {name}"
    if "ranges" in options:
        _check_ranges(survey, options["file"], options["ranges"], place)
        order, filled = list(options["ranges"]), set(options["ranges"])
    elif bins:
        order, filled = list(bins), {bins[position] for position in survey.groups[name]}
    else:
        order = in_order(_merged(survey.groups[name], spelling), formats)
        filled = set(order)
    if "values" in options:
        wanted = [occurring(value, order, formats, f"{place}: values") for value in options["values"]]
        order = list(dict.fromkeys(wanted))
    levels = [level for level in order if level in filled]
    if len(levels) < 2:
        raise InputError(f"{place}: has only the group {listed(levels)}; a comparison needs two or more")
    if len(levels) > MOST_GROUPS:
        raise InputError(
            f"{place}: column {options.get('column')!r} has {len(levels):,} distinct values; at most {MOST_GROUPS} are "
            "allowed: give 'bins' for a number, 'values' for a selection, or remove the attribute"
        )
    if unknown := [g for g in options.get("reference", {}) if resolved(g, levels, formats) not in levels]:
        hint = did_you_mean(unknown[0], levels)
        raise InputError(f"{place}: reference: {shown(unknown[0])} is not a group{hint}; there are: {listed(levels)}")
    return tuple(levels)


def _group_of(survey: Survey, name: str, recipe: DatasetRecipe, spelling: Mapping[str, str]) -> dict[str, str]:
    """Group of each text of an attribute's column that is no name of a group itself."""
    options, formats = recipe["groups"][name], Formats.from_recipe(recipe)
    if "merge" not in options:
        return dict(spelling)
    names = in_order(_merged(survey.groups[name], spelling), formats)
    group_of = merges(options, names, formats, f"groups: {name}")
    return {text: group_of.get(spelled := spelling.get(text, text), spelled) for text in survey.groups[name]}


def _check_ranges(survey: Survey, file: str, ranges: dict[str, tuple[int, int]], place: str) -> None:
    size = survey.files[file]
    if not size:
        files = listed(survey.files)
        hint = did_you_mean(file, survey.files)
        raise InputError(f"{place}: file: there are no rows of a file {file!r}{hint}; the files are {files}")
    taken: list[tuple[int, int]] = []
    for level, (first, last) in ranges.items():
        if not first <= last < size:
            raise InputError(
                f"{place}: ranges: {level}: [{first}, {last}] is not within the file's rows 0 to {size - 1}"
            )
        if any(first <= end and start <= last for start, end in taken):
            raise InputError(f"{place}: ranges: {level}: [{first}, {last}] overlaps another range")
        taken.append((first, last))
