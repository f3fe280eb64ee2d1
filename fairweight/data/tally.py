"""Counts of a dataset's rows, added up block by block: groups, labels, missing values, duplicates, k-anonymity."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairweight.core.intersections import BETWEEN
from fairweight.core.recipes import DatasetRecipe
from fairweight.core.table import Table
from fairweight.data.categorical_codes import Categories
from fairweight.data.named_values import resolved
from fairweight.data.raw_rows import FILE, RawRows
from fairweight.data.survey import Survey
from fairweight.data.value_formats import Formats, in_order, spellings
from fairweight.statistics.privacy import Anonymity, Identifier, identifying, k_anonymity

TEST = "test"  # name of the file of the official test rows


class GroupRows(TypedDict):
    """Rows of one group of an attribute, or of one combination of groups of two attributes."""

    group: str | None  # None: rows that belong to no group
    rows: int
    share: float  # of all rows
    base_rate: float | None  # share of positives; None where the label is not binary or the group is empty
    reference: NotRequired[float | None]  # share of the reference population; intersections have none
    mean: NotRequired[float | None]  # of labels that are numbers; None where the group is empty


class GroupMissing(TypedDict):
    """Missing values of an input column in one group."""

    column: str
    attribute: str
    group: str
    share: float  # of the group's rows


class InputColumns(TypedDict):
    """Input columns of a table."""

    numeric: list[str]
    categorical: dict[str, int]  # column -> number of levels


class LabelNumbers(TypedDict):
    """Labels that are numbers."""

    unit: str
    lowest: float
    highest: float
    mean: float
    sd: float


class QuasiAnonymity(Anonymity):
    """k-anonymity with regard to some columns."""

    columns: list[str]  # the quasi-identifiers


class Contents(TypedDict):
    """What a dataset holds: the entries of `contents.json`."""

    rows: int
    rows_by_file: dict[str, int]
    columns: InputColumns
    image: list[int] | None  # channels, height, width
    text: bool
    dropped: list[str]
    missing: dict[str, int]  # input column -> missing values
    missing_by_group: list[GroupMissing]
    spellings: dict[str, list[list[str]]]  # column -> for each number written in more than one way, the ways
    classes: list[str]
    label: dict[str, int]  # class -> rows
    numbers: NotRequired[LabelNumbers]  # where the label is a number
    groups: dict[str, list[GroupRows]]  # attribute -> its groups
    merged: NotRequired[dict[str, dict[str, list[str]]]]  # attribute -> group -> values of which `merge` makes it
    intersections: dict[str, list[GroupRows]]  # pair of attributes -> the combinations that occur
    entropy: dict[str, float]  # attribute or pair -> evenness of its groups, from 0 to 1
    duplicates: dict[str, int]
    k_anonymity: QuasiAnonymity | None  # None: there are no quasi-identifiers
    identifying: list[Identifier]
    sha256: dict[str, str]  # raw file -> SHA-256
    removed: dict[str, int]  # reason -> rows


@dataclass
class Tally:
    """Counts of one or more blocks of rows; add a later block with `+=`.

    Rows are compared by 64-bit hashes. Among fewer than a billion rows, no two different rows are expected to collide.
    """

    labels: Counter[int] = field(default_factory=Counter)
    # attributes and codes, both empty for all rows -> sum of the labels that are numbers, and of their squares
    sums: Counter[tuple[tuple[str, ...], tuple[int, ...], int]] = field(default_factory=Counter)
    groups: Counter[tuple[str, int, int]] = field(default_factory=Counter)  # attribute, code, label
    pairs: Counter[tuple[tuple[str, str], tuple[int, int], int]] = field(default_factory=Counter)
    missing: Counter[tuple[str, str, int]] = field(default_factory=Counter)  # input column, attribute, code
    hashes: list[NDArray[np.uint64]] = field(default_factory=list)  # of inputs and label; (n,) per block
    quasi: list[NDArray[np.uint64]] = field(default_factory=list)  # hashes of the quasi-identifiers; (n,) per block
    classes: list[NDArray[np.int64]] = field(default_factory=list)  # labels beside `quasi`; (n,) per block
    test: list[NDArray[np.bool_]] = field(default_factory=list)  # whether a row is of an official test file
    first: pd.DataFrame | None = None  # raw rows of the first block, which are searched for identifiers

    def __iadd__(self, later: "Tally") -> "Tally":
        for name in ("labels", "sums", "groups", "pairs", "missing"):
            getattr(self, name).update(getattr(later, name))
        for name in ("hashes", "quasi", "classes", "test"):
            getattr(self, name).extend(getattr(later, name))
        self.first = later.first if self.first is None else self.first
        return self


def tally(raw: RawRows, rows: Table, recipe: DatasetRecipe, categories: Categories) -> Tally:
    """Count one block.

    Args:
        raw: its raw rows (n).
        rows: the same rows as a table (n).
        recipe: the dataset's part of the study file.
        categories: the spellings of numbers in the whole dataset.
    """
    label = [-1] * len(rows) if rows.measured else rows.label.tolist()
    counts = Tally(Counter(label), test=[rows.file == TEST])
    counts.hashes = [_row_hashes(rows)]
    counts.quasi = _quasi_hashes(raw, recipe, categories)
    counts.classes = [rows.label] if counts.quasi and rows.classes else []
    counts.first = _with_numbers(raw, recipe) if raw.start == 0 else None
    missing = dict(zip(rows.numeric_names, np.isnan(rows.numeric).T, strict=True))
    missing |= {column: raw.frame[column].isna().to_numpy() for column in rows.levels}
    for attribute, codes in rows.groups.items():
        counts.groups.update(zip(itertools.repeat(attribute), codes.tolist(), label, strict=False))
        for column, mask in missing.items():
            counts.missing.update((column, attribute, code) for code in codes[mask].tolist())
    if rows.measured:
        _add_sums(counts, rows)
    for pair in itertools.combinations(rows.groups, 2):
        codes_of_pair = zip(*(rows.groups[attribute].tolist() for attribute in pair), strict=True)
        counts.pairs.update(zip(itertools.repeat(pair), codes_of_pair, label, strict=False))
    return counts


def _add_sums(counts: Tally, rows: Table) -> None:
    """Add the sums of labels that are numbers: of all rows, of each group and of each pair of groups."""
    for power in (1, 2):
        values = rows.label**power
        counts.sums[(), (), power] += float(values.sum())  # type: ignore[assignment]
        for size in (1, 2):
            for attributes in itertools.combinations(rows.groups, size):
                codes = np.stack([rows.groups[attribute] for attribute in attributes], axis=1)
                kinds, places = np.unique(codes, axis=0, return_inverse=True)
                sums = np.bincount(places.reshape(-1), weights=values)
                for kind, total in zip(kinds.tolist(), sums.tolist(), strict=True):
                    counts.sums[attributes, tuple(kind), power] += total


def _with_numbers(raw: RawRows, recipe: DatasetRecipe) -> pd.DataFrame:
    """Raw rows with numbers where the study file says so: hardly two amounts are equal, and they identify nobody."""
    groups = [options["column"] for options in recipe["groups"].values() if "bins" in options]
    target = [recipe["target"]["column"]] if recipe["target"] and "unit" in recipe["target"] else []
    numeric = dict.fromkeys([*recipe["inputs"]["numeric"], *groups, *target])
    numbers = {column: raw.numbers(column, "inputs: numeric") for column in numeric}
    return raw.frame.drop(columns=FILE).assign(**numbers)


def _anonymity(counts: Tally) -> Anonymity:
    return k_anonymity(np.concatenate(counts.quasi), np.concatenate(counts.classes) if counts.classes else None)


def quasi_identifiers(recipe: DatasetRecipe) -> list[str]:
    """Columns that together may identify a person: those of the recipe, else the columns of the groups."""
    if recipe["quasi_identifiers"] is not None:
        return list(recipe["quasi_identifiers"])
    return list(dict.fromkeys(g["column"] for g in recipe["groups"].values() if "column" in g))


def _quasi_hashes(raw: RawRows, recipe: DatasetRecipe, categories: Categories) -> list[NDArray[np.uint64]]:
    """Hash of the quasi-identifiers of each row (n,), if there are any; numbers are compared as numbers."""
    quasi, place = quasi_identifiers(recipe), "quasi_identifiers"
    if not quasi:
        return []
    groups = recipe["groups"].items()
    spelling = {group.get("column", ""): categories.group_spelling.get(name, {}) for name, group in groups}
    spelling |= categories.spelling
    columns: list[pd.Series | NDArray[np.float64]] = []
    for column in quasi:
        if column in recipe["inputs"]["numeric"]:
            columns.append(raw.numbers(column, place))
        else:
            columns.append(raw.names(column, place).replace(spelling.get(column, {})))
    frame = pd.DataFrame(dict(enumerate(columns)))
    return [pd.util.hash_pandas_object(frame, index=False).to_numpy()]


def _row_hashes(rows: Table) -> NDArray[np.uint64]:
    """Hash of the inputs and the label of each row (n,)."""
    if rows.images is not None:
        pixels = rows.images.reshape(len(rows), -1)
        digests = [
            hashlib.blake2b(image.tobytes() + bytes(str(label), "ascii"), digest_size=8).digest()
            for image, label in zip(pixels, rows.label, strict=True)
        ]
        return np.frombuffer(b"".join(digests), np.uint64)
    bits = np.ascontiguousarray(rows.numeric).view(np.int32)
    columns = [rows.label, *bits.T, *rows.categorical.T, *([] if rows.texts is None else [rows.texts])]
    frame = pd.DataFrame(dict(enumerate(columns)))
    hashes: NDArray[np.uint64] = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return hashes


def contents(
    rows: Table,
    counts: Tally,
    totals: Survey,
    recipe: DatasetRecipe,
    checksums: dict[str, str],
    removed: dict[str, int],
) -> Contents:
    """Describe what a dataset holds.

    Args:
        rows: some of its rows, for the names of columns, classes and groups.
        counts: of all its rows.
        totals: survey of all its raw rows.
        recipe: the dataset's part of the study file: dropped columns, reference populations, quasi-identifiers.
        checksums: name of each raw file -> SHA-256.
        removed: reason -> number of rows that were left out for it.

    Returns:
        JSON-compatible counts and shares; see `Contents`.
    """
    formats, group_counts = Formats.from_recipe(recipe), dict(_group_counts(rows, counts))
    shares = {attribute: _group_rows(groups, totals.size, rows) for attribute, groups in group_counts.items()}
    for attribute, options in recipe["groups"].items():
        _add_reference(shares[attribute], options.get("reference", {}), formats)
    quasi = quasi_identifiers(recipe)
    merged = {
        attribute: {
            group: [resolved(value, totals.groups[attribute], formats) for value in values]
            for group, values in options["merge"].items()
        }
        for attribute, options in recipe["groups"].items()
        if "merge" in options
    }
    entries: Contents = {
        "rows": totals.size,
        "rows_by_file": dict(totals.files),
        "columns": {"numeric": list(rows.numeric_names), "categorical": {k: len(v) for k, v in rows.levels.items()}},
        "image": None if rows.images is None else list(rows.images.shape[1:]),
        "text": rows.texts is not None,
        "dropped": recipe["drop"],
        "missing": dict(totals.missing),
        "missing_by_group": _missing_by_group(rows, counts, totals),
        "spellings": dict(_spellings(totals, recipe, formats)),
        "classes": list(rows.classes),
        "label": {c: counts.labels[code] for code, c in enumerate(rows.classes)},
        "groups": {attribute: shares[attribute] for attribute in rows.groups},
        "intersections": {attribute: shares[attribute] for attribute in shares if attribute not in rows.groups},
        "entropy": {attribute: _entropy(entries) for attribute, entries in shares.items()},
        "duplicates": _duplicates(rows, counts),
        "k_anonymity": {"columns": quasi, **_anonymity(counts)} if quasi else None,
        "identifying": [] if counts.first is None else identifying(counts.first),
        "sha256": checksums,
        "removed": removed,
    }
    if rows.measured:
        entries["numbers"] = _label_numbers(rows, counts, totals, recipe)
        _add_means(rows, counts, shares)
    return {**entries, "merged": merged} if merged else entries


def _label_numbers(rows: Table, counts: Tally, totals: Survey, recipe: DatasetRecipe) -> LabelNumbers:
    """Range, mean and standard deviation of labels that are numbers."""
    assert recipe["target"] is not None  # these are its numbers
    span = totals.numbers["target", recipe["target"]["column"]].range
    mean, square = (counts.sums[(), (), power] / totals.size for power in (1, 2))
    sd = float(np.sqrt(max(square - mean**2, 0.0)))
    return {"unit": rows.unit, "lowest": span.lowest, "highest": span.highest, "mean": mean, "sd": sd}


def _add_means(rows: Table, counts: Tally, shares: dict[str, list[GroupRows]]) -> None:
    """Add the mean label of each group, and of each combination of groups of two attributes."""
    for attribute, entries in shares.items():
        attributes = tuple(attribute.split(BETWEEN)) if attribute not in rows.groups else (attribute,)
        for entry in entries:
            if entry["group"] is None:
                continue
            names = entry["group"].split(BETWEEN) if len(attributes) > 1 else [entry["group"]]
            pairs = zip(attributes, names, strict=True)
            codes = tuple(rows.group_levels[name].index(level) for name, level in pairs)
            entry["mean"] = counts.sums[attributes, codes, 1] / entry["rows"] if entry["rows"] else None


def _spellings(totals: Survey, recipe: DatasetRecipe, formats: Formats) -> Iterator[tuple[str, list[list[str]]]]:
    """Columns of the label, of categories and of groups in which one number is written in more than one way."""
    columns: dict[str, Counter[str]] = {}
    if recipe["target"]:
        columns[recipe["target"]["column"]] = totals.labels
    columns |= {
        options["column"]: totals.groups[name]
        for name, options in recipe["groups"].items()
        if "column" in options and "bins" not in options
    }
    for column, texts in (columns | totals.categories).items():
        ways: dict[str, list[str]] = {}
        for text, name in spellings(texts, formats).items():
            ways.setdefault(name, []).append(text)
        if ways:
            yield column, [sorted(ways[name]) for name in in_order(ways, formats) if len(ways[name]) > 1]


LabelCounts = list[tuple[str | None, list[int]]]  # groups of an attribute, each with its rows by label; None: no group


def _group_counts(rows: Table, counts: Tally) -> Iterator[tuple[str, LabelCounts]]:
    """The attributes, and every pair of them with the combinations that occur (see `intersections.crossed`)."""
    labels = _labels(rows)
    for attribute, levels in rows.group_levels.items():
        named = [*enumerate(levels), (-1, None)]
        yield attribute, [(name, [counts.groups[attribute, code, y] for y in labels]) for code, name in named]
    for pair in itertools.combinations(rows.group_levels, 2):
        occurring = sorted({codes for attributes, codes, _ in counts.pairs if attributes == pair})
        whole = [codes for codes in occurring if min(codes) >= 0]
        if len(whole) < 2:
            continue
        first_levels, second_levels = (rows.group_levels[attribute] for attribute in pair)
        groups: LabelCounts = []
        for first, second in whole:
            name = f"{first_levels[first]}{BETWEEN}{second_levels[second]}"
            groups.append((name, [counts.pairs[pair, (first, second), y] for y in labels]))
        rest = [sum(counts.pairs[pair, codes, y] for codes in occurring if min(codes) < 0) for y in labels]
        yield BETWEEN.join(pair), [*groups, (None, rest)]


def _labels(rows: Table) -> Sequence[int]:
    """Codes of the labels; all rows of a task without labels have -1."""
    return range(len(rows.classes)) if rows.classes else (-1,)


def _group_rows(groups: LabelCounts, total: int, rows: Table) -> list[GroupRows]:
    """One entry per group; rows of no group have one only where there are any."""
    entries: list[GroupRows] = []
    for level, by_label in groups:
        size = sum(by_label)
        if level is None and not size:
            continue
        rate = by_label[1] / size if len(rows.classes) == 2 and size else None
        entries.append({"group": level, "rows": size, "share": size / total, "base_rate": rate})
    return entries


def _add_reference(entries: list[GroupRows], reference: Mapping[str, float], formats: Formats) -> None:
    groups = [entry["group"] for entry in entries if entry["group"] is not None]
    shares = {resolved(group, groups, formats): share for group, share in reference.items()}
    for entry in entries:
        entry["reference"] = shares.get(str(entry["group"]))


def _missing_by_group(rows: Table, counts: Tally, totals: Survey) -> list[GroupMissing]:
    """Share of missing values in each group, for the inputs that have any."""
    entries: list[GroupMissing] = []
    for column in (*rows.numeric_names, *rows.levels):
        if not totals.missing[column]:
            continue
        for attribute, levels in rows.group_levels.items():
            for code, level in enumerate(levels):
                size = sum(counts.groups[attribute, code, y] for y in _labels(rows))
                share = counts.missing[column, attribute, code] / size
                entries.append({"column": column, "attribute": attribute, "group": level, "share": share})
    return entries


def _entropy(entries: list[GroupRows]) -> float:
    """Entropy of the groups' shares, divided by the entropy of equal groups: 1 where all are equal (Pielou 1966)."""
    rows = np.array([entry["rows"] for entry in entries if entry["group"] is not None], float)
    shares = rows[rows > 0] / rows.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(rows)))


def _duplicates(rows: Table, counts: Tally) -> dict[str, int]:
    """Rows that share inputs and label with another row, and official test rows that other files also hold."""
    if rows.images is None and rows.texts is None and not (rows.numeric.shape[1] or rows.categorical.shape[1]):
        return {}  # nothing but labels and given scores
    _, kind, sizes = np.unique(np.concatenate(counts.hashes), return_inverse=True, return_counts=True)
    duplicates = {"rows": int((sizes[kind] > 1).sum())}
    test = np.concatenate(counts.test)
    if test.any() and not test.all():
        duplicates["test_rows_in_training"] = int(np.isin(kind[test], kind[~test]).sum())
    return duplicates
