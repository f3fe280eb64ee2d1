"""No augmentation: makes no rows."""

import numpy as np

from fairweight.core.table import Augmented, Table

OPTIONS: dict[str, dict[str, object]] = {}


def augment(block: Table, rng: np.random.Generator) -> Augmented:  # noqa: ARG001 - same signature as all
    """Make no row and leave every weight at 1."""
    return Augmented.nothing(block)
