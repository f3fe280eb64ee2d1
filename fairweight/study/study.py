"""The study file as objects: what is to be made, from what, by which rule (standard library only).

`schema.resolve` has checked shapes and filled in defaults; here stand variants, the
grid and the questions that the rules ask; `declared` and `uses` check what keys say together.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fairweight.core import components
from fairweight.core.errors import InputError, known
from fairweight.core.operations import GIVEN, OPERATIONS, Operation
from fairweight.energy import carbon_intensity, energy_model, sci
from fairweight.study import check_datasets, check_grid


@dataclass(frozen=True)
class Variant:
    """One operation on a parent."""

    name: str
    operation: str
    recipe: Mapping[str, Any]
    parent: str | None

    @property
    def record(self) -> Operation:
        """Record of its operation."""
        return OPERATIONS[self.operation]


@dataclass(frozen=True, order=True)
class Cell:
    """One combination of the grid, without the seed; its fields are the wildcards of the paths."""

    dataset: str
    augmentation: str
    model: str
    variant: str
    engine: str


class Study:
    """A resolved study file.

    Args:
        config: what `schema.resolve` returned.

    Raises:
        InputError: the keys contradict each other; one sentence with the place and the legal values.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.name: str = config["name"]
        self.seeds: list[int] = list(range(config["seeds"]))
        self.augmentations: dict[str, Any] = {"none": {"method": "none"}, **config["augmentations"]}
        self.variants = {name: self._variant(name, v) for name, v in config["variants"].items()}
        self._check_variants()
        for name, dataset in config["datasets"].items():
            check_datasets.check_dataset(name, dataset)
        carbon_intensity.check(config["energy"])  # tells an unknown country or region, and faults in hourly intensities
        sci.check(config["energy"]["embodied"])
        energy_model.watts_per_core(config["energy"])  # tells an unknown processor
        self.cells = self._cells()
        check_grid.check_uses(self)
        check_grid.check_criteria(self)

    # ---- variants

    def _variant(self, name: str, stated: Mapping[str, Any]) -> Variant:
        place = f"variants: {name}"
        operations = [operation for operation in OPERATIONS if operation in stated]
        if len(operations) != 1:
            raise InputError(
                f"{place}: has {' and '.join(operations) or 'no operation'}; it takes exactly one of "
                f"{', '.join(OPERATIONS)}."
            )
        operation = operations[0]
        parent = stated.get("from")
        parents = OPERATIONS[operation].parents
        if parents and parent is None:
            raise InputError(f"{place}: {operation!r} needs a parent; name it with 'from'.")
        if not parents and parent is not None:
            raise InputError(f"{place}: {operation!r} takes no 'from'; it starts from data.")
        if stated.get("parameters", 1) != 1 and operation != "train":
            raise InputError(f"{place}: 'parameters' goes with 'train' only.")
        if stated.get("replicate") and operation != "train":
            raise InputError(f"{place}: 'replicate' goes with 'train' only.")
        return Variant(name, operation, stated, parent)

    def _check_variants(self) -> None:
        for variant in self.variants.values():
            place = f"variants: {variant.name}"
            if variant.operation == "train":
                known(variant.recipe["train"], self.config["training"], f"{place}: train", "a training recipe")
            if against := variant.recipe.get("against"):
                known(against, self.variants, f"{place}: against", "a variant")
                other = self.variants[against]
                if other.parent is not None or "against" in other.recipe or not other.record.ships:
                    raise InputError(
                        f"{place}: against: {against!r} is compared itself; name one that is trained as it is."
                    )
            if variant.parent is None:
                continue
            known(variant.parent, self.variants, f"{place}: from", "a variant")
            self._check_cycle(variant)
            operation, legal = self.variants[variant.parent].operation, variant.record.parents
            if operation not in legal:
                raise InputError(
                    f"{place}: from: {variant.parent!r} is made by {operation!r}, and {variant.operation!r} takes only "
                    f"variants made by {' or '.join(legal)}; there are: "
                    f"{', '.join(self.made_by(*legal)) or 'none'}."
                )

    def _check_cycle(self, variant: Variant) -> None:
        path = [variant.name]
        while (parent := self.variants[path[-1]].parent) in self.variants:
            if parent in path:
                raise InputError(f"variants: {variant.name}: 'from' goes in a circle: {' -> '.join([*path, parent])}.")
            path.append(str(parent))

    def lineage(self, variant: str) -> list[str]:
        """The variant and its ancestors, root last."""
        path = [variant]
        while (parent := self.variants[path[-1]].parent) is not None:
            path.append(parent)
        return path

    def baseline(self, variant: str) -> str:
        """The variant that this one is compared with.

        It is what the nearest of its lineage states as `against`, else the root, and of that the replicate 0.
        """
        for name in self.lineage(variant):
            if against := self.variants[name].recipe.get("against"):
                return str(against)
        root = self.root(variant)
        if root.recipe.get("replicate"):
            for other in self.variants.values():
                same = other.operation == "train" and other.recipe["train"] == root.recipe["train"]
                if same and not other.recipe.get("replicate"):
                    return other.name
        return root.name

    def root(self, variant: str) -> Variant:
        """Root of a variant's lineage."""
        return self.variants[self.lineage(variant)[-1]]

    def made_by(self, *operations: str) -> list[str]:
        """Names of the variants that these operations make."""
        return [name for name, variant in self.variants.items() if variant.operation in operations]

    def training_recipe(self, variant: str) -> dict[str, Any]:
        """Recipe of the root of a variant's lineage, with what the variant's own `finetune` changes."""
        root = self.root(variant)
        recipe = dict(self.config["training"][root.recipe["train"]])
        own = self.variants[variant]
        return recipe | own.recipe[own.operation].get("finetune", {}) if own.record.finetunes else recipe

    def published(self, variant: str) -> bool:
        """Whether a variant comes from published weights, so that nothing is trained and no seed changes it."""
        root = self.root(variant).record
        return root.ships and not root.draws

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
                cells.update(self._cells_of(entry, name, place))
        return sorted(cells)

    def _cells_of(self, entry: Mapping[str, Any], variant: str, place: str) -> Iterable[Cell]:
        if not self.variants[variant].record.ships:
            return [Cell(entry["dataset"], "none", GIVEN, variant, GIVEN)]
        if not entry["models"]:
            raise InputError(f"{place}: 'models' is empty, and variant {variant!r} needs a model.")
        reasons = {engine: self.supports(engine, variant) for engine in self.config["engines"]}
        if None not in reasons.values():
            told = "; ".join(f"{engine}: {reason}" for engine, reason in reasons.items())
            raise InputError(
                f"{place}: variants: no engine of the study runs {variant!r} ({told}); name another one in 'engines', or "
                "take the variant out."
            )
        # what it is compared with is measured too
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
            stated = made.recipe[made.operation]
            method = stated.get("method") if isinstance(stated, Mapping) else None
            if reason := components.unsupported(engine, made.operation, method):
                return reason
        return None

    @property
    def left_out(self) -> list[dict[str, str]]:
        """What engines of the study cannot run, and why."""
        used = {c.variant for c in self.cells if c.engine != GIVEN}
        return [
            {"engine": engine, "variant": variant, "reason": reason}
            for engine in self.config["engines"]
            for variant in self.variants
            if variant in used and (reason := self.supports(engine, variant))
        ]

    def decided_attributes(self, dataset: str) -> list[str]:
        """Attributes of a dataset that the criteria look at."""
        wanted = self.config["criteria"]["attributes"]
        return [name for name in self.config["datasets"][dataset]["groups"] if wanted is None or name in wanted]

    def largest_family(self, dataset: str) -> int:
        """Most variants that are tested together on one dataset and model: those of augmentation `none`, no replicates."""
        tested = [c for c in self.cells if (c.dataset, c.augmentation) == (dataset, "none")]
        tested = [c for c in tested if self.baseline(c.variant) != c.variant and not self.replicate(c.variant)]
        return max((sum(c.model == model for c in tested) for model in {c.model for c in tested}), default=0)

    @property
    def comparisons(self) -> list[dict[str, str]]:
        """Wildcards of the comparisons: one for each dataset, augmentation, model and engine with something to compare."""
        keys = ("dataset", "augmentation", "model", "engine")
        compared = [c for c in self.cells if self.baseline(c.variant) != c.variant and self.labelled(c.dataset)]
        return [dict(zip(keys, k, strict=True)) for k in sorted({tuple(getattr(c, x) for x in keys) for c in compared})]

    def compared(self, dataset: str, augmentation: str, model: str, engine: str) -> list[tuple[int, Cell]]:
        """(seed, cell) of everything that one comparison looks at."""
        same = (dataset, augmentation, model, engine)
        cells = [c for c in self.cells if (c.dataset, c.augmentation, c.model, c.engine) == same]
        return [(seed, cell) for cell in cells for seed in self.seeds_of(cell)]

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets that the grid uses."""
        return sorted({cell.dataset for cell in self.cells})

    def labelled(self, dataset: str) -> bool:
        """Whether the rows of a dataset have a label, so that predictions are right or wrong."""
        return bool(components.literal("tasks", self.task(dataset), "LABELLED"))

    def task(self, dataset: str) -> str:
        """Kind of task of a dataset."""
        return str(self.config["datasets"][dataset]["task"])

    def metrics(self, dataset: str) -> list[str]:
        """Families of metrics that predictions on a dataset are assessed by."""
        return list(components.literal("tasks", self.task(dataset), "METRICS"))

    def given_columns(self, dataset: str) -> list[str]:
        """Columns of scores that the variants of a dataset need."""
        used = {c.variant for c in self.cells if c.dataset == dataset and c.engine == GIVEN}
        return sorted({str(self.variants[v].recipe["given"]["column"]) for v in used})

    def seeds_of(self, cell: Cell) -> list[int]:
        """Seeds of a cell: given scores and published weights depend on none, so they are assessed once."""
        return self.seeds[: 1 if cell.engine == GIVEN or self.published(cell.variant) else self._seeds[cell.model]]

    @property
    def profiles(self) -> list[dict[str, str]]:
        """Wildcards of the profiles: one for each dataset, model and engine."""
        found = sorted({(c.dataset, c.model, c.engine) for c in self.cells if c.engine != GIVEN})
        return [{"dataset": d, "model": m, "engine": e} for d, m, e in found]

    def profiled(self, dataset: str, model: str, engine: str) -> list[tuple[int, Cell]]:
        """(seed, cell) of every shipped file that one profile measures."""
        seeds = self.seeds[: min(self.config["profile"]["seeds"], self._seeds[model])]
        wanted = [c for c in self.cells if (c.dataset, c.model, c.engine) == (dataset, model, engine)]
        return [(seed, cell) for seed in seeds for cell in wanted if seed in self.seeds_of(cell)]


def alternation(names: Iterable[str]) -> str:
    """Regular expression that matches exactly these names; with none, nothing."""
    return "|".join(re.escape(name) for name in names) or "(?!)"
