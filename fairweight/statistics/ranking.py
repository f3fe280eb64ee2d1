"""ROC curves and the areas below them, from counts.

The numbers are scikit-learn's, without its input checks, which would run for every small group.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def roc_counts(positive: Array, scores: Array) -> tuple[Array, Array]:
    """False and true positives at each distinct threshold, from the highest score down: float64 (T,) each.

    Args:
        positive: bool (n,), n > 0.
        scores: (n,) larger means more likely positive.
    """
    order = np.argsort(scores)[::-1]  # ties become one point, so that their order does not matter
    ranked = scores[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    true = np.cumsum(positive[order], dtype=np.float64)[last]
    return 1 + last - true, true


def roc_curve(positive: Array, scores: Array) -> tuple[Array, Array]:
    """False and true positive rates with a point for each distinct score, from (0, 0) to (1, 1).

    Args:
        positive: bool (n,) with rows of both kinds.
        scores: (n,).
    """
    false, true = (np.concatenate([[0.0], counts]) for counts in roc_counts(positive, scores))
    return false / false[-1], true / true[-1]


def auc(positive: Array, scores: Array) -> float:
    """Area below the ROC curve: the probability that a positive scores above a negative, where ties count one half.

    Args:
        positive: bool (n,) with rows of both kinds.
        scores: (n,).
    """
    false, true = roc_counts(positive, scores)
    if len(false) > 2:
        # points on a straight line are left out, as in scikit-learn, so that the sum is equal to the last bit
        corner = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
        kept = np.concatenate([[True], corner, [True]])
        false, true = false[kept], true[kept]
    false, true = np.concatenate([[0.0], false]), np.concatenate([[0.0], true])
    return float(np.trapezoid(true / true[-1], false / false[-1]))
