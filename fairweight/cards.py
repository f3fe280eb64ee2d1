"""Data cards: what a dataset holds, before anything is learned from it."""

from typing import Any

import numpy as np
import pandas as pd

from fairweight.artifacts import read_json, write_json
from fairweight.intersections import crossed
from fairweight.statistics.privacy import identifying, k_anonymity
from fairweight.table import Table

FEW = 50  # rows of a group, or of its positives or negatives, below which a warning is written


def contents(table: Table, frame: pd.DataFrame, recipe: dict[str, Any], checksums: dict[str, str]) -> dict[str, Any]:
    """Count what a dataset holds.

    Args:
        table: its coded rows.
        frame: its raw rows, for missing values.
        recipe: the dataset's part of the study file: what was dropped, reference populations, quasi-identifiers.
        checksums: name of each raw file -> SHA-256.

    Returns:
        JSON-compatible: rows, columns, missing values (by group, too), label balance, shares and base rates of groups and
        intersections beside their reference, entropy, duplicates, k-anonymity, columns that identify, warnings, checksums.
    """
    inputs = [*table.numeric_names, *table.levels]
    groups, levels = crossed(table.groups, table.group_levels)
    kept = frame.drop(columns=[*recipe["drop"], "__file__"])
    shares = {attribute: _group_rows(table, groups[attribute], levels[attribute]) for attribute in groups}
    for attribute, stated in recipe["groups"].items():
        for entry in shares[attribute]:
            entry["reference"] = stated.get("reference", {}).get(str(entry["group"]))
    quasi = recipe["quasi_identifiers"]
    if quasi is None:
        quasi = list(dict.fromkeys(g["column"] for g in recipe["groups"].values() if "column" in g))
    return {
        "rows": len(table),
        "rows_by_file": {str(k): int(v) for k, v in frame["__file__"].value_counts(sort=False).items()},
        "columns": {"numeric": list(table.numeric_names), "categorical": {k: len(v) for k, v in table.levels.items()}},
        "image": None if table.images is None else list(table.images.shape[1:]),
        "dropped": recipe["drop"],
        "missing": {column: int(frame[column].isna().sum()) for column in inputs},
        "missing_by_group": _missing_by_group(table, frame, inputs),
        "classes": list(table.classes),
        "label": {c: int((table.label == code).sum()) for code, c in enumerate(table.classes)},
        "groups": {attribute: shares[attribute] for attribute in table.groups},
        "intersections": {attribute: shares[attribute] for attribute in groups if attribute not in table.groups},
        "entropy": {attribute: _entropy(entries) for attribute, entries in shares.items()},
        "duplicates": _duplicates(table),
        "k_anonymity": k_anonymity(frame, quasi) if quasi else None,
        "identifying": identifying(kept),
        "warnings": _warnings(table, groups, levels),
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


def _group_rows(table: Table, codes: np.ndarray, levels: tuple[str, ...]) -> list[dict[str, Any]]:
    """One entry a group: rows, share of all rows, and for a binary label the share of positives (base rate)."""
    binary = len(table.classes) == 2
    entries = []
    for code, level in [*enumerate(levels), (-1, None)]:
        member = codes == code
        size = int(member.sum())
        if level is None and not size:
            continue
        rate = float(np.mean(table.label[member] == 1)) if binary and size else None
        entries.append({"group": level, "rows": size, "share": size / len(table), "base_rate": rate})
    return entries


def _missing_by_group(table: Table, frame: pd.DataFrame, inputs: list[str]) -> list[dict[str, Any]]:
    """Share of missing values in each group, of the inputs that have any."""
    found = []
    for column in inputs:
        absent = frame[column].isna().to_numpy()
        if absent.any():
            for attribute, codes in table.groups.items():
                for code, level in enumerate(table.group_levels[attribute]):
                    share = float(absent[codes == code].mean())
                    found.append({"column": column, "attribute": attribute, "group": level, "share": share})
    return found


def _entropy(entries: list[dict[str, Any]]) -> float:
    """Entropy of the groups' shares over that of equal groups: 1 where all are equal (Pielou 1966)."""
    rows = np.array([entry["rows"] for entry in entries if entry["group"] is not None], float)
    shares = rows[rows > 0] / rows.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(rows)))


def _duplicates(table: Table) -> dict[str, int]:
    """Rows whose inputs and label another row has, too; and of the official test rows those that another file has."""
    columns: list[np.ndarray] = [table.label[:, None], table.numeric.view(np.int32), table.categorical]
    if table.images is not None:
        columns = [table.label[:, None], table.images.reshape(len(table), -1)]
    elif not (table.numeric.size or table.categorical.size):
        return {}  # nothing but labels and given scores
    joined = np.concatenate([np.ascontiguousarray(c).view(np.uint8).reshape(len(table), -1) for c in columns], axis=1)
    _, kind, counts = np.unique([hash(row.tobytes()) for row in joined], return_inverse=True, return_counts=True)
    found = {"rows": int((counts[kind] > 1).sum())}
    test = np.char.startswith(table.file.astype(str), "test")
    if test.any() and not test.all():
        found["test_rows_in_training"] = int(np.isin(kind[test], kind[~test]).sum())
    return found


def _warnings(table: Table, groups: dict[str, np.ndarray], levels: dict[str, tuple[str, ...]]) -> list[str]:
    """A sentence for every group that is too small to say much of, in all or in one class of a binary label."""
    found = []
    for attribute, codes in groups.items():
        for code, level in enumerate(levels[attribute]):
            labels = table.label[codes == code]
            kinds = {"rows": len(labels)}
            if len(table.classes) == 2:
                kinds |= {f"rows of class {c}": int((labels == y).sum()) for y, c in enumerate(table.classes)}
            few = [f"{n} {kind}" for kind, n in kinds.items() if n < FEW]
            if few:
                found.append(f"{level} ({attribute}) has only {few[0]}: its rates are uncertain.")
    return found
