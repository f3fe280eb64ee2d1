"""Numbers that an article may cite, and their keys: the same name means the same in all tables of a study."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fairweight.core.formatting import missing
from fairweight.reporting.paper.latex import slug
from fairweight.reporting.report.results import Results


@dataclass(frozen=True)
class Number:
    """A number with its key, its text, and the file that it comes from."""

    key: str
    text: str  # LaTeX
    value: Any
    unit: str
    source: str  # file below the study's folder


def _distinct_slugs(names: Iterable[str]) -> dict[str, str]:
    """Name of each group -> its part of a key; a number follows where two would be equal.

    The result does not depend on the order of the names.
    """
    slugs: dict[str, str] = {}
    for name in sorted(set(names), key=lambda n: (slug(n) != n, n)):  # a name that is a key already keeps it
        part, copies = slug(name), 1
        while part in slugs.values():
            copies += 1
            part = f"{slug(name)}-{copies}"
        slugs[name] = part
    return slugs


class Keys:
    """Keys of rows, the same in all tables of a study."""

    def __init__(self, results: Results) -> None:
        self.engines = results.variants["engine"].nunique() > 1
        self.smallest = results.study["profile"]["batch_sizes"][0]
        names: dict[tuple[str, str], set[str]] = {}
        for card in results.cards:
            for attribute, groups in card["groups"].items():
                names.setdefault((card["dataset"], attribute), set()).update(str(g["group"]) for g in groups)
        columns = ["dataset", "attribute", "group"]
        for table in (results.variants, results.comparisons, results.criteria, results.untested):
            for dataset, attribute, group in table.reindex(columns=columns).dropna().drop_duplicates().to_numpy():
                names.setdefault((dataset, attribute), set()).add(group)
        self.groups = {place: _distinct_slugs(group_names) for place, group_names in names.items()}

    def cell_key(self, row: Any) -> str:
        """Key of a cell: dataset, augmentation, model, variant, engine."""
        return "/".join([self.family_key(row), row["variant"], *self.engine_key(row)])

    def engine_key(self, row: Any) -> list[str]:
        """The part of a key that is an engine; none where a study has one engine only."""
        return [row["engine"]] if self.engines else []

    def family_key(self, row: Any) -> str:
        """Key of the variants that are decided on together: dataset, augmentation, model."""
        augmentation = [] if row["augmentation"] == "none" else [row["augmentation"]]
        return "/".join([row["dataset"], *augmentation, row["model"]])

    def measure_key(self, row: Any, name: str) -> str:
        """Key of a measure of a cell: the cell's key, then measure, attribute, group and batch size."""
        parts = [self.cell_key(row), name]
        if isinstance(row.get("attribute"), str):
            parts.append(slug(row["attribute"]))
            if isinstance(row.get("group"), str):
                parts.append(self.groups[row["dataset"], row["attribute"]][row["group"]])
        batch = row.get("batch_size")
        if batch is not None and not missing(batch) and int(batch) != self.smallest:
            parts.append(f"batch-{int(batch)}")
        return "/".join(parts)
