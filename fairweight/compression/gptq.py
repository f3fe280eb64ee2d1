"""GPTQ (Frantar et al. 2022): round weights one input after the other, and let the later ones correct the error."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from fairweight.compression.weight_grids import Codes, Floats, Grid, narrowed

DAMPING = 0.01  # added to the diagonal of the second moment, relative to its mean
PRIOR = 1e-3  # weight of the scales before, relative to the diagonal of the system that fits them
NEAR = 1.5  # largest factor by which fitted scales may differ from those before
ROWS = 4096  # outputs that are fitted at once
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


def refit_scales(weights: Floats, codes: Codes, on: Grid, moment: NDArray[np.float64]) -> Grid:
    """Scales with the smallest loss of GPTQ for given codes: least squares over the blocks of each output.

    Args:
        weights, codes, on, moment: as those of `round_weights`, and its result.

    Returns:
        The grid with other scales, in 8 bits where they were; those of a block stay if theirs would change much.
    """
    width, block = weights.shape[1], on.block
    damped = (moment + DAMPING * max(float(np.diag(moment).mean()), 1e-12) * np.eye(width)).astype(np.float32)
    starts = np.arange(0, width, block)
    scales = on.scales.copy()
    for first in range(0, len(weights), ROWS):
        rows = slice(first, first + ROWS)
        steps = codes[rows].astype(np.float32) - np.repeat(on.zeros[rows], block, axis=1)[:, :width]
        right = np.add.reduceat(steps * (weights[rows] @ damped), starts, axis=1)
        products = [
            np.add.reduceat(steps * (steps[:, start : start + block] @ damped[start : start + block]), starts, axis=1)
            for start in starts
        ]
        system = np.stack(products, axis=1).astype(np.float64)
        # blocks whose codes are all zero, and nearly dependent ones, keep their scales
        prior = PRIOR * np.einsum("nbb->nb", system) + 1e-9
        system += np.einsum("nb,bc->nbc", prior, np.eye(len(starts)))
        fitted = np.linalg.solve(system, (right + prior * scales[rows])[:, :, None])[:, :, 0]
        near = (fitted > scales[rows] / NEAR) & (fitted < scales[rows] * NEAR)
        scales[rows] = np.where(near, fitted, scales[rows])
    fitted_grid = replace(on, scales=scales)
    return fitted_grid if on.scale_codes is None else narrowed(fitted_grid, np.round)


def _inverse_factor(moment: NDArray[np.float64], damping: float) -> Floats:
    """Upper Cholesky factor U of the inverse of a damped second moment: U'U is the inverse."""
    damped = moment.astype(np.float64)
    diagonal = np.diag(damped).copy()
    floor = max(float(diagonal.mean()), 1e-12)
    np.fill_diagonal(damped, diagonal + damping * floor)  # an input that is always zero needs a positive one
    inverse = linalg.cho_solve((linalg.cholesky(damped, lower=True), True), np.eye(len(damped)))
    factor: Floats = linalg.cholesky((inverse + inverse.T) / 2, lower=False).astype(np.float32)
    return factor
