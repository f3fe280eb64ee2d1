"""What the audit of membership looks at: variants, and models trained for it (standard library only)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fairweight.core import components
from fairweight.core.errors import InputError, known
from fairweight.core.operations import GIVEN
from fairweight.study.grid import Cell, Variant

FIRST_SHADOW = 1_000_000  # seeds of the models that are trained for the audit; a study has fewer seeds
SHARE = 0.5  # of the rows that are no test rows, which each of these models does not see


class AuditedStudy(Protocol):
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

    def root(self, variant: str) -> Variant:
        """Root of a variant's lineage."""

    def baseline(self, variant: str) -> str:
        """Name of the variant that a variant is compared with."""

    def task(self, dataset: str) -> str:
        """Kind of task of a dataset."""

    def supports(self, engine: str, variant: str) -> str | None:
        """Why an engine cannot run a variant, or None."""


def split_recipe(config: Mapping[str, Any], dataset: str, seed: int) -> Any:
    """Recipe of a split: that of the dataset; for a model of the audit with half of the rows to train on."""
    recipe = config["datasets"][dataset]["split"]
    return recipe if seed < FIRST_SHADOW else {**recipe, "validation": SHARE}


def audited(study: AuditedStudy) -> list[tuple[int, Cell]]:
    """(seed, cell) of every file that the audit attacks, those of a variant next to each other; none without an audit.

    Raises:
        InputError: the study file names variants that cannot be audited, or none can be.
    """
    recipe = study.config["privacy_audit"]
    if recipe is None:
        return []
    for name in recipe["variants"] or ():
        known(name, study.variants, "privacy_audit: variants", "a variant")
    wanted = None if recipe["variants"] is None else set(recipe["variants"])
    if wanted is not None:
        wanted |= {study.baseline(name) for name in wanted}
    cells = [c for c in study.cells if (wanted is None or c.variant in wanted) and _attackable(study, c)]
    if missing := sorted((wanted or set()) - {c.variant for c in cells}):
        raise InputError(
            f"privacy_audit: variants: {missing[0]!r} cannot be audited: it is not trained here from the rows of a "
            "dataset with classes and test rows of its own; take it out."
        )
    if not cells:
        raise InputError(
            "privacy_audit: no variant can be audited: none is trained here from the rows of a dataset with classes "
            "and test rows of its own; remove 'privacy_audit'."
        )
    seeds = range(FIRST_SHADOW, FIRST_SHADOW + recipe["shadows"])
    return [(seed, cell) for cell in cells for seed in seeds]


def _attackable(study: AuditedStudy, cell: Cell) -> bool:
    """Whether a cell's model is trained here on rows of its dataset; each is attacked in one engine."""
    if cell.engine == GIVEN or not study.root(cell.variant).trained_from_data:
        return False
    first = next(engine for engine in study.config["engines"] if study.supports(engine, cell.variant) is None)
    classes = components.literal("tasks", study.task(cell.dataset), "OUTPUT") == "probabilities"
    return cell.engine == first and classes and study.config["datasets"][cell.dataset]["split"]["test"] != "all"
