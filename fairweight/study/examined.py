"""What is examined further: variants by audit and explanations, and generated rows (standard library only)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from fairweight.core import components
from fairweight.core.errors import InputError, known
from fairweight.core.operations import GIVEN
from fairweight.core.recipes import MethodRecipe
from fairweight.study.grid import Cell, Variant

FIRST_SHADOW = 1_000_000  # seeds of the models that are trained for the audit; a study has fewer seeds
SHARE = 0.5  # of the rows that are no test rows, which each of these models does not see


class ExaminedStudy(Protocol):
    """What this module asks of a study."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved study file."""

    @property
    def cells(self) -> Sequence[Cell]:
        """Cells of the grid."""

    @property
    def variants(self) -> Mapping[str, Variant]:
        """Variants by name."""

    @property
    def augmentations(self) -> Mapping[str, MethodRecipe]:
        """Recipes of augmentations by name."""

    def root(self, variant: str) -> Variant:
        """Root of a variant's lineage."""

    def baseline(self, variant: str) -> str:
        """Name of the variant that a variant is compared with."""

    def task(self, dataset: str) -> str:
        """Kind of task of a dataset."""

    def seeds_of(self, cell: Cell) -> list[int]:
        """Seeds of a cell."""

    def supports(self, engine: str, variant: str) -> str | None:
        """Why an engine cannot run a variant, or None."""


def split_recipe(config: Mapping[str, Any], dataset: str, seed: int) -> Any:
    """Recipe of a split: that of the dataset; for a model of the audit with half of the rows to train on."""
    recipe = config["datasets"][dataset]["split"]
    return recipe if seed < FIRST_SHADOW else {**recipe, "validation": SHARE}


def audited(study: ExaminedStudy) -> list[tuple[int, Cell]]:
    """(seed, cell) of every file that the audit attacks, those of a variant next to each other; none without an audit.

    Raises:
        InputError: the study file names variants that cannot be audited, or none can be.
    """
    needs = "it is not trained here from the rows of a dataset with classes and test rows of its own"
    cells = _examined(study, "privacy_audit", _attackable, "audited", needs)
    seeds = range(FIRST_SHADOW, FIRST_SHADOW + study.config["privacy_audit"]["shadows"]) if cells else ()
    return [(seed, cell) for cell in cells for seed in seeds]


def explained(study: ExaminedStudy) -> list[tuple[int, Cell]]:
    """(seed, cell) of every file that is explained; none where the study file does not ask for it.

    Raises:
        InputError: the study file names variants that cannot be explained, or none can be.
    """
    needs = "it has no file, or its dataset has texts or no classes"
    cells = _examined(study, "explain", _explainable, "explained", needs)
    return [(seed, cell) for cell in cells for seed in study.seeds_of(cell)]


def generated(study: ExaminedStudy) -> list[tuple[str, str]]:
    """(dataset, augmentation) of every augmentation that generates rows, and does not only change or weigh them."""
    methods = {name: recipe["method"] for name, recipe in study.augmentations.items()}
    made = {name for name, method in methods.items() if components.literal("augmentations", method, "GENERATES")}
    return sorted({(c.dataset, c.augmentation) for c in study.cells if c.augmentation in made})


def _examined(
    study: ExaminedStudy, key: str, possible: Callable[[ExaminedStudy, Cell], bool], participle: str, needs: str
) -> list[Cell]:
    """Cells of the variants that a key of the study file names, with their baselines, or of all that are possible."""
    recipe = study.config[key]
    if recipe is None:
        return []
    for name in recipe["variants"] or ():
        known(name, study.variants, f"{key}: variants", "a variant")
    wanted = set(recipe["variants"] or study.variants)
    wanted |= {study.baseline(name) for name in wanted}
    cells = [c for c in study.cells if c.variant in wanted and _first_engine(study, c) and possible(study, c)]
    missing = [name for name in recipe["variants"] or () if name not in {c.variant for c in cells}]
    if missing:
        raise InputError(f"{key}: variants: {missing[0]!r} cannot be {participle}: {needs}; take it out.")
    if not cells:
        raise InputError(f"{key}: no variant can be {participle}: of each one, {needs}; remove {key!r}.")
    return cells


def _first_engine(study: ExaminedStudy, cell: Cell) -> bool:
    """Whether a cell's engine is the first one of the study that runs its variant; given scores have none."""
    engines = (name for name in study.config["engines"] if study.supports(name, cell.variant) is None)
    return cell.engine != GIVEN and cell.engine == next(engines)


def _has_classes(study: ExaminedStudy, cell: Cell) -> bool:
    return bool(components.literal("tasks", study.task(cell.dataset), "OUTPUT") == "probabilities")


def _attackable(study: ExaminedStudy, cell: Cell) -> bool:
    """Whether a cell's model is trained here on rows of its dataset."""
    trained = study.root(cell.variant).trained_from_data
    return trained and _has_classes(study, cell) and study.config["datasets"][cell.dataset]["split"]["test"] != "all"


def _explainable(study: ExaminedStudy, cell: Cell) -> bool:
    """Whether the inputs of a cell's model are columns or pixels, which can be exchanged."""
    return _has_classes(study, cell) and not study.config["datasets"][cell.dataset]["inputs"].get("text")
