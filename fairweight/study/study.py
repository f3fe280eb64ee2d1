"""A resolved study file as objects: variants, the grid, and the questions that the rules ask (standard library only).

`schema.resolve` has checked shapes and filled in defaults. `check_datasets` and `check_grid` check what keys say in
combination.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fairweight.core import components, labels
from fairweight.core.errors import InputError, known, listed
from fairweight.core.lineage import COMPARISON
from fairweight.core.operations import GIVEN, OPERATIONS
from fairweight.core.recipes import MethodRecipe, Split, TrainingRecipe
from fairweight.energy import carbon_intensity, energy_model, sci
from fairweight.study import check_datasets, check_grid
from fairweight.study.check_paths import check_paths
from fairweight.study.examined import audited, explained, generated, split_recipe
from fairweight.study.grid import Cell, Variant

LONGEST_LINEAGE = 50  # operations that make a variant, one after the other
MOST_CELLS = 50_000  # each cell is ten steps a seed, and Snakemake takes a millisecond for each


class Study:
    """A resolved study file.

    Args:
        config: the dictionary that `schema.resolve` returned.

    Raises:
        InputError: keys contradict each other; one sentence with the place and the legal values.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.name: str = config["name"]
        self.seeds: list[int] = list(range(config["seeds"]))
        self.augmentations: dict[str, MethodRecipe] = {"none": {"method": "none"}, **config["augmentations"]}
        self.variants = {name: self._variant(name, v) for name, v in config["variants"].items()}
        self._check_variants()
        for name, dataset in config["datasets"].items():
            check_datasets.check_dataset(name, dataset)
        check_paths(config)
        carbon_intensity.check(config["energy"])  # refuses unknown countries and regions, and faulty hourly intensities
        sci.check(config["energy"]["embodied"])
        energy_model.watts_per_core(config["energy"])  # refuses an unknown processor
        self.cells = self._cells()
        check_grid.check_cells(self)
        check_grid.check_criteria(self)
        self.audited, self.explained, self.generated = audited(self), explained(self), generated(self)

    # ---- variants

    def _variant(self, name: str, recipe: Mapping[str, Any]) -> Variant:
        place = f"variants: {name}"
        operations = [operation for operation in OPERATIONS if operation in recipe]
        if len(operations) != 1:
            raise InputError(
                f"{place}: has {' and '.join(operations) or 'no operation'}; it takes exactly one of "
                f"{listed(OPERATIONS, 'see config/README.md')}."
            )
        variant = Variant(name, operations[0], recipe, recipe.get("from"))
        if variant.record.parents and variant.parent is None:
            raise InputError(f"{place}: {variant.operation!r} needs a parent; name it with 'from'.")
        if not variant.record.parents and variant.parent is not None:
            raise InputError(f"{place}: {variant.operation!r} takes no 'from'; it starts from data.")
        for key, default in (("parameters", 1), ("replicate", 0)):
            if recipe.get(key, default) != default and not variant.trained_from_data:
                legal = [repr(o.name) for o in OPERATIONS.values() if o.trains and not o.parents]
                raise InputError(f"{place}: {key!r} goes with {' or '.join(legal)} only.")
        return variant

    def _check_variants(self) -> None:
        for variant in self.variants.values():
            place = f"variants: {variant.name}"
            if variant.trained_from_data:
                known(variant.step, self.config["training"], f"{place}: {variant.operation}", "a training recipe")
            elif variant.record.imports and variant.step["training"] is not None:
                where = f"{place}: {variant.operation}: training"
                known(variant.step["training"], self.config["training"], where, "a training recipe")
            self._check_against(variant)
            if variant.parent is None:
                continue
            known(variant.parent, self.variants, f"{place}: from", "a variant")
            self._check_cycle(variant)
            operation, legal = self.variants[variant.parent].operation, variant.record.parents
            if operation not in legal:
                raise InputError(
                    f"{place}: from: {variant.parent!r} is made by {operation!r}, and {variant.operation!r} takes only "
                    f"variants made by {' or '.join(legal)}; there are: {listed(self.made_by(*legal))}."
                )

    def _check_against(self, variant: Variant) -> None:
        against = variant.recipe.get("against")
        if not against:
            return
        place = f"variants: {variant.name}: against"
        known(against, self.variants, place, "a variant")
        other = self.variants[against]
        if other.parent is not None or "against" in other.recipe or not other.record.ships:
            raise InputError(
                f"{place}: {against!r} is itself compared with another variant, or its scores are given; name one that "
                "is trained and has neither 'from' nor 'against'."
            )

    def _check_cycle(self, variant: Variant) -> None:
        path = [variant.name]
        while (parent := self.variants[path[-1]].parent) in self.variants:
            if parent in path:
                raise InputError(f"variants: {variant.name}: 'from' goes in a circle: {' -> '.join([*path, parent])}.")
            path.append(str(parent))
            if len(path) > LONGEST_LINEAGE:
                raise InputError(f"variants: {variant.name}: has over {LONGEST_LINEAGE} ancestors; use fewer steps.")

    def lineage(self, variant: str) -> list[str]:
        """Names of a variant and its ancestors, root last."""
        path = [variant]
        while (parent := self.variants[path[-1]].parent) is not None:
            path.append(parent)
        return path

    def baseline(self, variant: str) -> str:
        """Name of the variant that a variant is compared with.

        It is the `against` of the nearest variant of the lineage that states one, or else the root. For a root that is
        a replicate, it is the variant with replicate 0 of the same recipe.
        """
        for name in self.lineage(variant):
            if against := self.variants[name].recipe.get("against"):
                return str(against)
        root = self.root(variant)
        if root.recipe.get("replicate"):
            for other in self.variants.values():
                same = other.operation == root.operation and other.step == root.step
                if same and not other.recipe.get("replicate"):
                    return other.name
        return root.name

    def root(self, variant: str) -> Variant:
        """Root of a variant's lineage."""
        return self.variants[self.lineage(variant)[-1]]

    def made_by(self, *operations: str) -> list[str]:
        """Names of the variants that these operations make."""
        return [name for name, variant in self.variants.items() if variant.operation in operations]

    def training_recipe(self, variant: str) -> TrainingRecipe:
        """Training recipe of a variant: that of its root, updated by the variant's own `finetune`."""
        own, root = self.variants[variant], self.root(variant)
        changes = own.step.get("finetune", {}) if own.record.finetunes else {}
        name = root.step["training"] if root.record.imports else root.step
        if name is None:
            raise InputError(
                f"variants: {root.name}: {root.operation}: name a recipe with 'training', with which variant "
                f"{variant!r} is trained."
            )
        recipe: TrainingRecipe = self.config["training"][name] | changes
        return recipe

    def published(self, variant: str) -> bool:
        """Whether a variant comes from published weights; nothing is trained, and no seed changes it."""
        root = self.root(variant).record
        return root.ships and root.once

    def replicate(self, variant: str) -> int:
        """Replicate of the root of a variant's lineage."""
        return int(self.root(variant).recipe.get("replicate", 0))

    # ---- the grid

    def _cells(self) -> list[Cell]:
        cells: set[Cell] = set()
        self._seeds: dict[str, int] = {}  # model -> number of seeds
        for number, entry in enumerate(self.config["grid"], start=1):
            place = f"grid: entry {number}"
            known(entry["dataset"], self.config["datasets"], f"{place}: dataset", "a dataset")
            for key, legal in (("augmentations", self.augmentations), ("models", self.config["models"])):
                for name in entry[key]:
                    known(name, legal, f"{place}: {key}", f"one of the {key}")
            for model in entry["models"]:
                seeds = min(entry["seeds"] or len(self.seeds), len(self.seeds))
                if self._seeds.setdefault(model, seeds) != seeds:
                    raise InputError(f"{place}: seeds: model {model!r} has {self._seeds[model]} in another entry.")
            for name in entry["variants"]:
                known(name, self.variants, f"{place}: variants", "a variant")
                product = len(entry["augmentations"]) * len(entry["models"]) * len(self.config["engines"])
                if len(cells) + product > MOST_CELLS:
                    raise InputError(f"{place}: the grid has over {MOST_CELLS:,} combinations; use fewer.")
                cells.update(self._cells_of(entry, name, place))
        return sorted(cells)

    def _cells_of(self, entry: Mapping[str, Any], variant: str, place: str) -> Iterable[Cell]:
        if not self.variants[variant].record.ships:
            return [Cell(entry["dataset"], "none", GIVEN, variant, GIVEN)]
        if not entry["models"]:
            raise InputError(f"{place}: 'models' is empty, and variant {variant!r} needs a model.")
        reasons = {engine: self.supports(engine, variant) for engine in self.config["engines"]}
        if None not in reasons.values():
            why = "; ".join(f"{engine}: {reason}" for engine, reason in reasons.items())
            raise InputError(
                f"{place}: variants: no engine of the study runs {variant!r} ({why}); name another one in 'engines', "
                "or take the variant out."
            )
        # its baseline and its ancestors are measured as well
        return [
            Cell(entry["dataset"], augmentation, model, made, engine)
            for augmentation in entry["augmentations"]
            for model in entry["models"]
            for made in {variant, self.baseline(variant), *self.lineage(variant)}
            for engine in self.config["engines"]
            if self.supports(engine, made) is None
        ]

    def supports(self, engine: str, variant: str) -> str | None:
        """Why an engine cannot run a variant, or None."""
        for name in self.lineage(variant):
            made = self.variants[name]
            if reason := components.unsupported(engine, made.operation, made.method):
                return reason
        return None

    @property
    def left_out(self) -> list[dict[str, str]]:
        """Variants that an engine of the study cannot run, and why."""
        used = {c.variant for c in self.cells if c.engine != GIVEN}
        return [
            {"engine": engine, "variant": variant, "reason": reason}
            for engine in self.config["engines"]
            for variant in self.variants
            if variant in used and (reason := self.supports(engine, variant))
        ]

    def decided_attributes(self, dataset: str) -> list[str]:
        """Attributes of a dataset that the criteria are about."""
        wanted = self.config["criteria"]["attributes"]
        return [name for name in self.config["datasets"][dataset]["groups"] if wanted is None or name in wanted]

    def largest_family(self, dataset: str) -> int:
        """Largest number of variants that are tested together on a dataset, with one augmentation and one model.

        Only models with the most seeds of the dataset count (see `most_seeds`).
        """
        tested = [c for c in self.cells if c.dataset == dataset and self.candidate(c)]
        tested = [c for c in tested if len(self.seeds_of(c)) == self.most_seeds(dataset)]
        return max(Counter((c.augmentation, c.model) for c in tested).values(), default=0)

    def most_seeds(self, dataset: str) -> int:
        """Largest number of seeds of a cell of a dataset."""
        return max(len(self.seeds_of(cell)) for cell in self.cells if cell.dataset == dataset)

    def candidate(self, cell: Cell) -> bool:
        """Whether a cell is decided on: it is compared with another one, and neither a replicate nor a control."""
        apart = self.cell_baseline(cell) != cell
        return apart and not self.replicate(cell.variant) and cell.variant not in self.controls

    @property
    def controls(self) -> list[str]:
        """Names of the variants that differ from their baseline by training alone."""
        return [name for name, variant in self.variants.items() if variant.recipe.get("control")]

    def cell_baseline(self, cell: Cell) -> Cell:
        """The cell that a cell is compared with (`criteria: against`); a baseline is its own."""
        elsewhere = self.config["criteria"]["against"] == "none" and cell.engine != GIVEN
        augmentation = "none" if elsewhere else cell.augmentation
        return replace(cell, augmentation=augmentation, variant=self.baseline(cell.variant))

    @property
    def comparisons(self) -> list[dict[str, str]]:
        """Wildcards of the comparisons, one per dataset, augmentation, model and engine with something to compare."""
        compared = [c for c in self.cells if self.cell_baseline(c) != c and self.labelled(c.dataset)]
        keys = sorted({tuple(getattr(cell, name) for name in COMPARISON) for cell in compared})
        return [dict(zip(COMPARISON, key, strict=True)) for key in keys]

    def compared(self, dataset: str, augmentation: str, model: str, engine: str) -> list[tuple[int, Cell]]:
        """(seed, cell) of everything that takes part in one comparison."""
        same = (dataset, augmentation, model, engine)
        cells = [c for c in self.cells if (c.dataset, c.augmentation, c.model, c.engine) == same]
        return [(seed, cell) for cell in cells for seed in self.seeds_of(cell)]

    def with_baselines(self, **place: str) -> list[tuple[int, Cell]]:
        """(seed, cell) of `compared`, followed by the baselines that have another augmentation."""
        compared = self.compared(**place)
        others = {self.cell_baseline(cell) for _, cell in compared} - {cell for _, cell in compared}
        return compared + [(seed, cell) for cell in sorted(others) for seed in self.seeds_of(cell)]

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets that the grid uses."""
        return sorted({cell.dataset for cell in self.cells})

    def labelled(self, dataset: str) -> bool:
        """Whether the rows of a dataset have a label, so that a prediction is right or wrong."""
        return bool(components.literal("tasks", self.task(dataset), "LABELLED"))

    def measured(self, dataset: str) -> bool:
        """Whether the labels of a dataset are numbers."""
        return labels.measured(self.task(dataset))

    def task(self, dataset: str) -> str:
        """Kind of task of a dataset."""
        return str(self.config["datasets"][dataset]["task"])

    def metrics(self, dataset: str) -> list[str]:
        """Names of the metrics for predictions on a dataset."""
        return list(components.literal("tasks", self.task(dataset), "METRICS"))

    def given_columns(self, dataset: str) -> list[str]:
        """Columns of a dataset that hold the scores of `given` variants, or what imported models should return."""
        used = {c.variant for c in self.cells if c.dataset == dataset and c.engine == GIVEN}
        columns = {str(self.variants[v].step["column"]) for v in used}
        for model in self._models(dataset):
            reference = model.get("reference") or []
            columns |= {reference} if isinstance(reference, str) else set(reference)
        return sorted(columns)

    def predicted_columns(self, dataset: str) -> list[str]:
        """Columns of a dataset with the classes that imported models should predict."""
        return sorted(
            {str(model["reference_labels"]) for model in self._models(dataset) if model.get("reference_labels")}
        )

    def _models(self, dataset: str) -> list[MethodRecipe]:
        """Recipes of the models of a dataset."""
        names = {c.model for c in self.cells if c.dataset == dataset and c.engine != GIVEN}
        return [self.config["models"][name] for name in sorted(names)]

    def seeds_of(self, cell: Cell) -> list[int]:
        """Seeds of a cell. Given scores and published weights depend on no seed and are assessed once."""
        return self.seeds[: 1 if cell.engine == GIVEN or self.published(cell.variant) else self._seeds[cell.model]]

    def split_recipe(self, dataset: str, seed: int) -> Split:
        """Recipe of the split of a dataset with a seed, which may be that of a model of the audit."""
        return split_recipe(self.config, dataset, seed)

    @property
    def profiles(self) -> list[dict[str, str]]:
        """Wildcards of the profiles, one per dataset, model and engine."""
        profiles = sorted({(c.dataset, c.model, c.engine) for c in self.cells if c.engine != GIVEN})
        return [{"dataset": dataset, "model": model, "engine": engine} for dataset, model, engine in profiles]

    def profiled(self, dataset: str, model: str, engine: str) -> list[tuple[int, Cell]]:
        """(seed, cell) of every exported file that one profile measures."""
        seeds = self.seeds[: min(self.config["profile"]["seeds"], self._seeds[model])]
        wanted = [c for c in self.cells if (c.dataset, c.model, c.engine) == (dataset, model, engine)]
        return [(seed, cell) for seed in seeds for cell in wanted if seed in self.seeds_of(cell)]


def alternation(names: Iterable[str]) -> str:
    """Regular expression that matches exactly these names, and nothing if there are none."""
    return "|".join(re.escape(name) for name in names) or "(?!)"
