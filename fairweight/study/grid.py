"""Variants of a study file and cells of its grid (standard library only)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairweight.core.operations import OPERATIONS, Operation


@dataclass(frozen=True)
class Variant:
    """A variant: one operation, applied to a parent or to data.

    Attributes:
        name: its key in `variants` of the study file.
        operation: name of the operation that makes it.
        recipe: its entry in the study file.
        parent: name of the variant that it is made from; None where it starts from data.
    """

    name: str
    operation: str
    recipe: Mapping[str, Any]
    parent: str | None

    @property
    def record(self) -> Operation:
        """Record of its operation."""
        return OPERATIONS[self.operation]

    @property
    def step(self) -> Any:
        """What the study file states for the operation: a recipe, or the name of one."""
        return self.recipe[self.operation]

    @property
    def method(self) -> str | None:
        """Name of the method of the operation; None where the operation has no methods."""
        return self.step.get("method") if isinstance(self.step, Mapping) else None

    @property
    def trained_from_data(self) -> bool:
        """Whether it is trained from initial weights, so that it names a training recipe."""
        return self.record.trains and self.parent is None


@dataclass(frozen=True, order=True)
class Cell:
    """One combination of the grid, without the seed. Its fields are the wildcards of the paths."""

    dataset: str
    augmentation: str
    model: str
    variant: str
    engine: str
