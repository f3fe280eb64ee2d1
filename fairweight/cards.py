"""Data cards: what a dataset holds, before anything is learned from it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fairweight.artifacts import read_json, write_json
from fairweight.table import Table


def tally(rows: Table) -> Counter[Any]:
    """Rows of a block by label code, and by (attribute, group code, label code)."""
    counts: Counter[Any] = Counter(rows.label.tolist())
    for attribute, codes in rows.groups.items():
        counts.update((attribute, *cell) for cell in zip(codes.tolist(), rows.label.tolist(), strict=True))
    return counts


def contents(
    rows: Table, counts: Counter[Any], rows_by_file: Mapping[str, int], missing: Mapping[str, int],
    dropped: list[str], checksums: dict[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Count what a dataset holds.

    Args:
        rows: some of its coded rows, for the names of what is counted.
        counts: `tally` of all coded rows.
        rows_by_file: name of each raw file -> rows.
        missing: input column -> missing values.
        dropped: identifying columns that were left out.
        checksums: name of each raw file -> SHA-256.

    Returns:
        JSON-compatible: rows, columns, missing values, label balance, group shares and base rates, checksums.
    """
    total = sum(rows_by_file.values())
    return {
        "rows": total,
        "rows_by_file": dict(rows_by_file),
        "columns": {"numeric": list(rows.numeric_names), "categorical": {k: len(v) for k, v in rows.levels.items()}},
        "image": None if rows.images is None else list(rows.images.shape[1:]),
        "dropped": dropped,
        "missing": dict(missing),
        "classes": list(rows.classes),
        "label": {c: counts[code] for code, c in enumerate(rows.classes)},
        "groups": {attribute: _group_rows(rows, attribute, counts, total) for attribute in rows.groups},
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


def _group_rows(rows: Table, attribute: str, counts: Counter[Any], total: int) -> list[dict[str, Any]]:
    """One entry a group: rows, share of all rows, and for a binary label the share of positives (base rate)."""
    binary = len(rows.classes) == 2
    entries = []
    for code, level in [*enumerate(rows.group_levels[attribute]), (-1, None)]:
        by_label = [counts[attribute, code, label] for label in range(len(rows.classes))]
        size = sum(by_label)
        if level is None and not size:
            continue
        rate = by_label[1] / size if binary and size else None
        entries.append({"group": level, "rows": size, "share": size / total, "base_rate": rate})
    return entries
