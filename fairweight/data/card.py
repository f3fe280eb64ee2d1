"""Data cards: what a dataset holds, before anything is learned from it, counted block by block."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairweight.core.artifacts import read_json, write_json
from fairweight.core.intersections import BETWEEN
from fairweight.core.table import Table
from fairweight.data.raw_rows import FILE, RawRows
from fairweight.data.survey import Survey
from fairweight.statistics.privacy import identifying, k_anonymity

FEW = 50  # rows of a group, or of its positives or negatives, below which a warning is written


@dataclass
class Tally:
    """What blocks of rows hold; a later block is added with `+=`.

    A row is known by 64-bit hashes, of which two alike by chance are not expected among less than a billion rows.
    """

    labels: Counter[int] = field(default_factory=Counter)
    groups: Counter[tuple[str, int, int]] = field(default_factory=Counter)  # attribute, code, label
    pairs: Counter[tuple[tuple[str, str], tuple[int, int], int]] = field(default_factory=Counter)
    missing: Counter[tuple[str, str, int]] = field(default_factory=Counter)  # input column, attribute, code
    kinds: list[NDArray[np.uint64]] = field(default_factory=list)  # of inputs and label, (n,) a block
    quasi: list[NDArray[np.uint64]] = field(default_factory=list)  # of the quasi-identifiers, (n,) a block
    test: list[NDArray[np.bool_]] = field(default_factory=list)  # whether the row is of an official test file
    first: pd.DataFrame | None = None  # raw rows of the first block, which are looked through for identifiers

    def __iadd__(self, later: "Tally") -> "Tally":
        for name in ("labels", "groups", "pairs", "missing"):
            getattr(self, name).update(getattr(later, name))
        for name in ("kinds", "quasi", "test"):
            getattr(self, name).extend(getattr(later, name))
        self.first = later.first if self.first is None else self.first
        return self


def tally(raw: RawRows, rows: Table, recipe: dict[str, Any]) -> Tally:
    """What one block holds, of its raw rows and the same rows coded."""
    label = rows.label.tolist()
    found = Tally(Counter(label), test=[np.char.startswith(rows.file.astype(str), "test")])
    found.kinds = [_kinds(rows)]
    quasi = quasi_identifiers(recipe)
    found.quasi = [pd.util.hash_pandas_object(raw.frame[quasi], index=False).to_numpy()] if quasi else []
    found.first = raw.frame.drop(columns=FILE) if raw.start == 0 else None
    absent = {column: raw.frame[column].isna().to_numpy() for column in (*rows.numeric_names, *rows.levels)}
    for attribute, codes in rows.groups.items():
        found.groups.update(zip(itertools.repeat(attribute), codes.tolist(), label, strict=False))
        for column, gone in absent.items():
            found.missing.update((column, attribute, code) for code in codes[gone].tolist())
    for one, two in itertools.combinations(rows.groups, 2):
        both = zip(rows.groups[one].tolist(), rows.groups[two].tolist(), strict=True)
        found.pairs.update(zip(itertools.repeat((one, two)), both, label, strict=False))
    return found


def quasi_identifiers(recipe: dict[str, Any]) -> list[str]:
    """Columns by which a row might be told to be someone's: those that are stated, else those of the groups."""
    if recipe["quasi_identifiers"] is not None:
        return list(recipe["quasi_identifiers"])
    return list(dict.fromkeys(g["column"] for g in recipe["groups"].values() if "column" in g))


def _kinds(rows: Table) -> NDArray[np.uint64]:
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
    hashed: NDArray[np.uint64] = pd.util.hash_pandas_object(
        pd.DataFrame(dict(enumerate(columns))), index=False
    ).to_numpy()
    return hashed


def contents(
    rows: Table, counts: Tally, found: Survey, recipe: dict[str, Any], checksums: dict[str, str]
) -> dict[str, Any]:
    """Count what a dataset holds.

    Args:
        rows: some of its coded rows, for the names of what is counted.
        counts: of all its rows.
        found: its survey.
        recipe: the dataset's part of the study file: what was dropped, reference populations, quasi-identifiers.
        checksums: name of each raw file -> SHA-256.

    Returns:
        JSON-compatible: rows, columns, missing values (by group, too), label balance, shares and base rates of groups and
        intersections beside their reference, entropy, duplicates, k-anonymity, columns that identify, warnings, checksums.
    """
    cells = dict(_cells(rows, counts))
    shares = {attribute: _group_rows(levels, found.size, len(rows.classes)) for attribute, levels in cells.items()}
    for attribute, stated in recipe["groups"].items():
        for entry in shares[attribute]:
            entry["reference"] = stated.get("reference", {}).get(str(entry["group"]))
    quasi = quasi_identifiers(recipe)
    return {
        "rows": found.size,
        "rows_by_file": dict(found.files),
        "columns": {"numeric": list(rows.numeric_names), "categorical": {k: len(v) for k, v in rows.levels.items()}},
        "image": None if rows.images is None else list(rows.images.shape[1:]),
        "text": rows.texts is not None,
        "dropped": recipe["drop"],
        "missing": dict(found.missing),
        "missing_by_group": _missing_by_group(rows, counts, found),
        "classes": list(rows.classes),
        "label": {c: counts.labels[code] for code, c in enumerate(rows.classes)},
        "groups": {attribute: shares[attribute] for attribute in rows.groups},
        "intersections": {attribute: shares[attribute] for attribute in shares if attribute not in rows.groups},
        "entropy": {attribute: _entropy(entries) for attribute, entries in shares.items()},
        "duplicates": _duplicates(rows, counts),
        "k_anonymity": {"columns": quasi} | k_anonymity(np.concatenate(counts.quasi)) if quasi else None,
        "identifying": [] if counts.first is None else identifying(counts.first),
        "warnings": _warnings(rows, cells),
        "sha256": checksums,
    }


def write_card(found: str, destination: str, *, name: str, recipe: dict[str, Any]) -> None:
    """Write a dataset's card: what it holds, and what the study file says of it.

    Args:
        found: JSON file of its contents.
        destination: JSON file to write.
        name: its name in the study file.
        recipe: its title, licence, homepage and sources.
    """
    stated = {"dataset": name, **recipe, "title": recipe["title"] or name}
    write_json(destination, stated | read_json(found))


Cells = list[tuple[str | None, list[int]]]  # groups of an attribute, each with its rows by label; None is no group


def _cells(rows: Table, counts: Tally) -> Iterator[tuple[str, Cells]]:
    """The attributes, and every pair of them with the combinations that occur (`intersections.crossed`)."""
    labels = _labels(rows)
    for attribute, levels in rows.group_levels.items():
        yield (
            attribute,
            [
                (name, [counts.groups[attribute, code, y] for y in labels])
                for code, name in [*enumerate(levels), (-1, None)]
            ],
        )
    for one, two in itertools.combinations(rows.group_levels, 2):
        occurring = sorted({codes for pair, codes, _ in counts.pairs if pair == (one, two)})
        whole = [codes for codes in occurring if min(codes) >= 0]
        if len(whole) < 2:
            continue
        cells: Cells = []
        for a, b in whole:
            name = f"{rows.group_levels[one][a]}{BETWEEN}{rows.group_levels[two][b]}"
            cells.append((name, [counts.pairs[(one, two), (a, b), y] for y in labels]))
        rest = [sum(counts.pairs[(one, two), codes, y] for codes in occurring if min(codes) < 0) for y in labels]
        yield f"{one}{BETWEEN}{two}", [*cells, (None, rest)]


def _labels(rows: Table) -> Sequence[int]:
    """Codes of the labels; rows of a task without labels all have -1."""
    return range(len(rows.classes)) if rows.classes else (-1,)


def _group_rows(cells: Cells, total: int, classes: int) -> list[dict[str, Any]]:
    """One entry a group: rows, share of all rows, and for a binary label the share of positives (base rate)."""
    entries = []
    for level, by_label in cells:
        size = sum(by_label)
        if level is None and not size:
            continue
        rate = by_label[1] / size if classes == 2 and size else None
        entries.append({"group": level, "rows": size, "share": size / total, "base_rate": rate})
    return entries


def _missing_by_group(rows: Table, counts: Tally, found: Survey) -> list[dict[str, Any]]:
    """Share of missing values in each group, of the inputs that have any."""
    entries = []
    for column in (*rows.numeric_names, *rows.levels):
        if not found.missing[column]:
            continue
        for attribute, levels in rows.group_levels.items():
            for code, level in enumerate(levels):
                size = sum(counts.groups[attribute, code, y] for y in _labels(rows))
                share = counts.missing[column, attribute, code] / size
                entries.append({"column": column, "attribute": attribute, "group": level, "share": share})
    return entries


def _entropy(entries: list[dict[str, Any]]) -> float:
    """Entropy of the groups' shares over that of equal groups: 1 where all are equal (Pielou 1966)."""
    rows = np.array([entry["rows"] for entry in entries if entry["group"] is not None], float)
    shares = rows[rows > 0] / rows.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(rows)))


def _duplicates(rows: Table, counts: Tally) -> dict[str, int]:
    """Rows whose inputs and label another row has, too; and of the official test rows those that another file has."""
    if rows.images is None and rows.texts is None and not (rows.numeric.shape[1] or rows.categorical.shape[1]):
        return {}  # nothing but labels and given scores
    _, kind, sizes = np.unique(np.concatenate(counts.kinds), return_inverse=True, return_counts=True)
    found = {"rows": int((sizes[kind] > 1).sum())}
    test = np.concatenate(counts.test)
    if test.any() and not test.all():
        found["test_rows_in_training"] = int(np.isin(kind[test], kind[~test]).sum())
    return found


def _warnings(rows: Table, cells: dict[str, Cells]) -> list[str]:
    """A sentence for every group that is too small to say much of, in all or in one class of a binary label."""
    found = []
    for attribute, groups in cells.items():
        for level, by_label in groups:
            if level is None:
                continue
            kinds = {"rows": sum(by_label)}
            if len(rows.classes) == 2:
                kinds |= {f"rows of class {c}": by_label[y] for y, c in enumerate(rows.classes)}
            few = [f"{n} {kind if n != 1 else kind.replace('rows', 'row', 1)}" for kind, n in kinds.items() if n < FEW]
            if few:
                found.append(f"{level} ({attribute}) has only {few[0]}: its rates are uncertain.")
    return found
