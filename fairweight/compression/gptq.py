"""GPTQ (Frantar et al. 2022): round weights one input after the other, and let the later ones correct the error."""

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from fairweight.compression.weight_grids import Codes, Floats, Grid

DAMPING = 0.01  # added to the diagonal of the second moment, relative to its mean
TOGETHER = 128  # inputs whose corrections are applied to the others at once


def round_weights(weights: Floats, on: Grid, moment: NDArray[np.float64], *, damping: float = DAMPING) -> Codes:
    """Round weights such that the outputs for the calibration inputs change little.

    The sum over outputs of (w - w')' M (w - w') is made small, M being the second moment of the inputs. Inputs are
    taken by falling second moment ("act-order"), each on the grid of its own block ("static groups"): no permutation is
    left to the file.

    Args:
        weights: float32 (n, k).
        on: their grid.
        moment: (k, k) sum or mean over calibration rows of x x'.
        damping: see DAMPING.

    Returns:
        Codes uint8 (n, k).
    """
    order = np.argsort(-np.diag(moment), kind="stable")
    upper = _inverse_factor(moment[np.ix_(order, order)], damping)
    scales, zeros = (np.ascontiguousarray(part[:, order].T) for part in on.columns(weights.shape[1]))
    rest = np.ascontiguousarray(weights[:, order].T)  # (k, n): each input is a row
    codes = np.empty(rest.shape, np.uint8)
    highest = 2**on.bits - 1
    for start in range(0, len(rest), TOGETHER):
        stop = min(start + TOGETHER, len(rest))
        errors = np.empty((stop - start, rest.shape[1]), np.float32)
        for i in range(start, stop):
            codes[i] = np.clip(np.round(rest[i] / scales[i] + zeros[i]), 0, highest)
            errors[i - start] = (rest[i] - (codes[i] - zeros[i]) * scales[i]) / upper[i, i]
            rest[i + 1 : stop] -= upper[i, i + 1 : stop, None] * errors[i - start]
        rest[stop:] -= upper[start:stop, stop:].T @ errors
    result = np.empty(weights.shape, np.uint8)
    result[:, order] = codes.T
    return result


def _inverse_factor(moment: NDArray[np.float64], damping: float) -> Floats:
    """Upper Cholesky factor U of the inverse of a damped second moment: U'U is the inverse."""
    damped = moment.astype(np.float64)
    diagonal = np.diag(damped).copy()
    floor = max(float(diagonal.mean()), 1e-12)
    np.fill_diagonal(damped, diagonal + damping * floor)  # an input that is always zero needs a positive one
    inverse = linalg.cho_solve((linalg.cholesky(damped, lower=True), True), np.eye(len(damped)))
    factor: Floats = linalg.cholesky((inverse + inverse.T) / 2, lower=False).astype(np.float32)
    return factor
