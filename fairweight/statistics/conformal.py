"""Split conformal prediction: intervals around predicted numbers, with a coverage that needs no model of errors."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
COVERAGE = 0.9  # of the intervals


def half_width(predictions: Array, labels: Array, coverage: float = COVERAGE) -> float | None:
    """Half of the width of intervals around predictions, from the errors of n rows that nothing was fitted to.

    It is the ceil(coverage (n + 1))-th smallest absolute error (Lei et al. 2018, section 2.2). If these rows and a new
    one are exchangeable, the interval around the new prediction holds its label with at least this probability. The
    choice of the best epoch sees the same rows, which makes the width slightly too small.

    Args:
        predictions, labels: (n,).
        coverage: the probability.

    Returns:
        Half of the width, in the unit of the labels; None where n is too small for the coverage.
    """
    errors = np.sort(np.abs(predictions - labels))
    rank = int(np.ceil(coverage * (len(errors) + 1)))
    return float(errors[rank - 1]) if 0 < rank <= len(errors) else None
