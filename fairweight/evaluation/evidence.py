"""Evidence on the criteria of one variant, by the kind of its label: rates of classes, or losses of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fairweight.core.recipes import Criteria
from fairweight.evaluation import criteria as rates
from fairweight.evaluation import loss_criteria
from fairweight.evaluation.criteria import Assessed

Array = np.ndarray[Any, Any]
Changes = rates.Changes | loss_criteria.Changes
Rows = Sequence[Mapping[str, Any]]


def changes(rows: Rows, pairs: Rows, seed: int | None = None) -> Changes:
    """Changes of every rate or loss of one variant; parameters as of `criteria.changes`."""
    if loss_criteria.is_about_losses(rows):
        return loss_criteria.changes(rows, pairs, seed)
    return rates.changes(rows, pairs, seed)


def assess(
    compared: Changes, ceilings: Mapping[str, tuple[Array, float, bool]], criteria: Criteria, attributes: list[str]
) -> Assessed:
    """Test every criterion of one variant; parameters as of `criteria.assess`."""
    if any(isinstance(entry, loss_criteria.Entry) for entry in compared.values()):
        return loss_criteria.assess(compared, ceilings, criteria, attributes)  # type: ignore[arg-type]
    return rates.assess(compared, ceilings, criteria, attributes)  # type: ignore[arg-type]
