"""What a report is made from: the summary tables, data cards and provenance of one study."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.artifacts import read_frame, read_json
from fairweight.core.frames import where
from fairweight.core.operations import of_recipe

TABLES = (
    *(
        "assessments",
        "checks",
        "comparisons",
        "steps",
        "criteria",
        "curves",
        "decisions",
        "files",
        "language",
        "layers",
    ),
    *("power", "profiles", "slices", "variants"),
    *("break_even", "estimators", "life_cycle", "ratios", "rules", "sci", "what_if"),
)

ENCODING = ("encoder.mean", "encoder.scale")  # the standardisation inside a file; no weights


@dataclass(frozen=True)
class Results:
    """The files below one `results/{study}/` that reports read."""

    assessments: pd.DataFrame
    checks: pd.DataFrame
    comparisons: pd.DataFrame
    steps: pd.DataFrame
    criteria: pd.DataFrame
    curves: pd.DataFrame
    decisions: pd.DataFrame
    files: pd.DataFrame
    language: pd.DataFrame
    layers: pd.DataFrame
    power: pd.DataFrame
    profiles: pd.DataFrame
    slices: pd.DataFrame
    variants: pd.DataFrame
    break_even: pd.DataFrame
    estimators: pd.DataFrame
    life_cycle: pd.DataFrame
    ratios: pd.DataFrame
    rules: pd.DataFrame
    sci: pd.DataFrame
    what_if: pd.DataFrame
    cards: list[dict[str, Any]]
    provenance: dict[str, Any]

    @classmethod
    def read(cls, results: str) -> "Results":
        """Read them from the study's folder."""
        folder = Path(results)
        tables = {name: read_frame(folder / "summary" / f"{name}.parquet") for name in TABLES}
        datasets = sorted(tables["assessments"]["dataset"].unique())
        cards = [read_json(folder / "data" / dataset / "card.json") for dataset in datasets]
        return cls(**tables, cards=cards, provenance=read_json(folder / "summary" / "provenance.json"))

    @property
    def study(self) -> dict[str, Any]:
        """The resolved study file."""
        stated: dict[str, Any] = self.provenance["study"]
        return stated

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets, sorted."""
        return [card["dataset"] for card in self.cards]

    @property
    def variant_order(self) -> list[str]:
        """Variants in the order of the study file."""
        return list(self.study["variants"])

    @property
    def measured_variants(self) -> list[str]:
        """Those that something was measured of, in the order of the study file."""
        found = {name for table in (self.variants, self.curves, self.language) for name in table.get("variant", ())}
        return [variant for variant in self.variant_order if variant in found]

    def operation(self, variant: str) -> str:
        """The operation that makes a variant."""
        return of_recipe(self.study["variants"][variant])

    @property
    def noise_floors(self) -> list[str]:
        """Variants that differ from their baseline by initialisation alone."""
        return [variant for variant, stated in self.study["variants"].items() if stated.get("replicate")]

    def compared(self, dataset: str) -> pd.DataFrame:
        """Comparisons of a dataset: one model and engine, augmentation `none` where there is one; replicates left out."""
        rows = self.comparisons[self.comparisons["dataset"] == dataset]
        rows = rows[~rows["variant"].isin(self.noise_floors)]
        if rows.empty:
            return rows
        first = self.ordered(rows).iloc[0]
        return self.ordered(where(rows, first[["model", "engine", "augmentation"]]))

    def ships(self, dataset: str) -> bool:
        """Whether files were shipped and profiled for a dataset; given scores have none."""
        return dataset in set(self.profiles["dataset"])

    def title(self, dataset: str) -> str:
        """A dataset's name for people."""
        return str(next(card["title"] for card in self.cards if card["dataset"] == dataset))

    def label(self, dataset: str) -> str:
        """The title, with the name where another dataset has the same title: what tells datasets apart."""
        title = self.title(dataset)
        alike = sum(card["title"] == title for card in self.cards) > 1
        return f"{title} ({dataset})" if alike else title

    def ordered(self, cells: pd.DataFrame) -> pd.DataFrame:
        """Rows by dataset, model and engine, augmentation `none` first, variants in the order of the study file."""
        keys = pd.DataFrame(
            {
                "plain": cells["augmentation"] != "none",
                "order": cells["variant"].map(self.variant_order.index),
            }
        )
        columns = [c for c in ("dataset", "model", "engine") if c in cells]
        return cells.assign(**keys).sort_values([*columns, "plain", "augmentation", "order"], kind="stable")

    def measured(self, measure: str, attribute: str | None = None, batch_size: int | None = None) -> pd.DataFrame:
        """Rows of the variants' table for one measure."""
        table = self.variants[self.variants["measure"] == measure]
        table = table[table["attribute"].isna() if attribute is None else table["attribute"] == attribute]
        table = table[table["group"].isna()]
        if batch_size is not None:
            table = table[table["batch_size"] == batch_size]
        return table
