"""What a report is made from: the summary tables, data cards and provenance of one study."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core.artifacts import read_frame, read_json
from fairweight.core.frames import where
from fairweight.core.operations import OPERATIONS, of_recipe
from fairweight.reporting.report.older_results import read_tables
from fairweight.study.results_layout import PROVENANCE

Document = dict[str, Any]  # content of a JSON file: a data card, or the provenance with the resolved study file in it

STANDARDISATION = ("encoder.mean", "encoder.scale")  # tensors of a model file that standardise inputs; not weights


@dataclass(frozen=True)
class Results:
    """The files below one `results/{study}/` that reports read."""

    assessments: pd.DataFrame
    checks: pd.DataFrame
    comparisons: pd.DataFrame
    steps: pd.DataFrame
    criteria: pd.DataFrame
    crossings: pd.DataFrame
    curves: pd.DataFrame
    decisions: pd.DataFrame
    files: pd.DataFrame
    goals: pd.DataFrame
    guards: pd.DataFrame
    language: pd.DataFrame
    layers: pd.DataFrame
    parts: pd.DataFrame
    power: pd.DataFrame
    profiles: pd.DataFrame
    shipped: pd.DataFrame
    simple_models: pd.DataFrame
    slices: pd.DataFrame
    untested: pd.DataFrame
    variants: pd.DataFrame
    break_even: pd.DataFrame
    estimators: pd.DataFrame
    life_cycle: pd.DataFrame
    ratios: pd.DataFrame
    rules: pd.DataFrame
    sci: pd.DataFrame
    what_if: pd.DataFrame
    cards: list[Document]
    provenance: Document
    later: Document | None = None  # what was used after the table by rule was made; None until it is known
    # the audit of membership, explanations and generated rows; None in a study without them
    privacy: pd.DataFrame | None = None
    reasons: pd.DataFrame | None = None
    importances: pd.DataFrame | None = None
    made: pd.DataFrame | None = None

    @classmethod
    def read(cls, results: str) -> "Results":
        """Read the tables, cards and provenance of a study.

        Args:
            results: the study's folder.

        Raises:
            InputError: another version of fairweight wrote the results, and they cannot be read.
        """
        folder = Path(results)
        provenance = read_json(folder / PROVENANCE)
        tables = read_tables(folder, TABLES, provenance)
        datasets = sorted(tables["assessments"]["dataset"].unique())
        cards = [read_json(folder / "data" / dataset / "card.json") for dataset in datasets]
        later = folder / "summary" / "later_steps.json"
        files = {name: folder / "summary" / f"{name}.parquet" for name in OPTIONAL}
        return cls(
            **tables,
            cards=cards,
            provenance=provenance,
            later=read_json(later) if later.is_file() else None,
            **{name: read_frame(path) if path.is_file() else None for name, path in files.items()},
        )

    @property
    def study(self) -> Document:
        """The resolved study file."""
        study: Document = self.provenance["study"]
        return study

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets, sorted."""
        return [card["dataset"] for card in self.cards]

    @property
    def variant_order(self) -> list[str]:
        """Variants in the order of the study file."""
        return list(self.study["variants"])

    @property
    def nothing_decided(self) -> str:
        """Why a study without decisions has none, in a sentence."""
        if len(self.variant_order) > 1:
            return "There is no decision: no variant is compared with a baseline."
        return "There is nothing to decide: the study has no variant beside the baseline."

    @property
    def measured_variants(self) -> list[str]:
        """Variants of which anything was measured, in the order of the study file."""
        measured = {name for table in (self.variants, self.curves, self.language) for name in table.get("variant", ())}
        return [variant for variant in self.variant_order if variant in measured]

    @property
    def noise_floors(self) -> list[str]:
        """Variants that differ from their baseline by initialisation alone."""
        return [variant for variant, recipe in self.study["variants"].items() if recipe.get("replicate")]

    @property
    def controls(self) -> list[str]:
        """Variants that differ from their baseline by additional training alone."""
        return [variant for variant, recipe in self.study["variants"].items() if recipe.get("control")]

    @property
    def trained_from_data(self) -> list[str]:
        """Variants that are trained from data, not finetuned from a parent, in the order of the study file."""
        records = {variant: OPERATIONS[self.operation(variant)] for variant in self.variant_order}
        return [variant for variant, record in records.items() if record.trains and not record.parents]

    def operation(self, variant: str) -> str:
        """The operation that makes a variant."""
        return of_recipe(self.study["variants"][variant])

    def card(self, dataset: str) -> Document:
        """The data card of a dataset."""
        return next(card for card in self.cards if card["dataset"] == dataset)

    def title(self, dataset: str) -> str:
        """A dataset's name for people."""
        return str(self.card(dataset)["title"])

    def label(self, dataset: str) -> str:
        """The title of a dataset; if another dataset has the same title, with its name in parentheses."""
        title = self.title(dataset)
        alike = sum(card["title"] == title for card in self.cards) > 1
        return f"{title} ({dataset})" if alike else title

    def ships(self, dataset: str) -> bool:
        """Whether files were shipped and profiled for a dataset; given scores have none."""
        return dataset in set(self.profiles["dataset"])

    def compared(self, dataset: str) -> pd.DataFrame:
        """Comparisons of the first combination of a dataset (see `first_combination`), without replicates."""
        rows = self.comparisons[self.comparisons["dataset"] == dataset]
        rows = rows[~rows["variant"].isin(self.noise_floors)]
        return rows if rows.empty else self.first_combination(rows, dataset)

    def first_combination(self, rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
        """Rows of a dataset's first model, engine and augmentation (`none` where there is one), which figures show."""
        ordered = self.ordered(where(rows, {"dataset": dataset}))
        return where(ordered, ordered.iloc[0][["model", "engine", "augmentation"]]) if len(ordered) else ordered

    @staticmethod
    def plain(rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of the augmentation `none`; where there are none, those of the first one by name."""
        names = set(rows["augmentation"])
        shown = "none" if "none" in names else min(names, default="none")
        return rows[rows["augmentation"] == shown]

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
        """Rows of the variants' table for one measure of all rows, of one attribute, or at one batch size."""
        table = self.variants[self.variants["measure"] == measure]
        table = table[table["attribute"].isna() if attribute is None else table["attribute"] == attribute]
        table = table[table["group"].isna()]
        if batch_size is not None:
            table = table[table["batch_size"] == batch_size]
        return table


OPTIONAL = ("privacy", "reasons", "importances", "made")  # tables that not every study has
NO_TABLES = ("cards", "provenance", "later", *OPTIONAL)
TABLES = tuple(field.name for field in fields(Results) if field.name not in NO_TABLES)


def place(row: Any) -> str:
    """Model, engine and augmentation of a row, in words."""
    return f"model {row['model']}, engine {row['engine']}, augmentation {row['augmentation']}"


def varying(cells: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """The columns with more than one value: a table must show them to tell its rows apart."""
    return [column for column in columns if cells[column].nunique() > 1]
