"""Data cards: what a dataset holds, before anything is learned from it."""

from typing import Any

import numpy as np
import pandas as pd

from fairweight.artifacts import read_json, write_json
from fairweight.table import Table


def contents(table: Table, frame: pd.DataFrame, dropped: list[str], checksums: dict[str, str]) -> dict[str, Any]:
    """Count what a dataset holds.

    Args:
        table: its coded rows.
        frame: its raw rows, for missing values.
        dropped: identifying columns that were left out.
        checksums: name of each raw file -> SHA-256.

    Returns:
        JSON-compatible: rows, columns, missing values, label balance, group shares and base rates, checksums.
    """
    inputs = [*table.numeric_names, *table.levels]
    return {
        "rows": len(table),
        "rows_by_file": {str(k): int(v) for k, v in frame["__file__"].value_counts(sort=False).items()},
        "columns": {"numeric": list(table.numeric_names), "categorical": {k: len(v) for k, v in table.levels.items()}},
        "image": None if table.images is None else list(table.images.shape[1:]),
        "dropped": dropped,
        "missing": {column: int(frame[column].isna().sum()) for column in inputs},
        "classes": list(table.classes),
        "label": {c: int((table.label == code).sum()) for code, c in enumerate(table.classes)},
        "groups": {attribute: _group_rows(table, attribute) for attribute in table.groups},
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


def _group_rows(table: Table, attribute: str) -> list[dict[str, Any]]:
    """One entry a group: rows, share of all rows, and for a binary label the share of positives (base rate)."""
    codes = table.groups[attribute]
    binary = len(table.classes) == 2
    entries = []
    for code, level in [*enumerate(table.group_levels[attribute]), (-1, None)]:
        member = codes == code
        size = int(member.sum())
        if level is None and not size:
            continue
        rate = float(np.mean(table.label[member] == 1)) if binary and size else None
        entries.append({"group": level, "rows": size, "share": size / len(table), "base_rate": rate})
    return entries
