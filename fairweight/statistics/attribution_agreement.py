"""Agreement of two explanations of the same rows: do two models decide for the same reasons?"""

from typing import Any

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]
TOP = 3  # most important inputs that are compared


def rank_correlation(first: Array, second: Array) -> Array:
    """Spearman's correlation of the absolute attributions of each row (n,); NaN for a row whose inputs all tie.

    Args:
        first, second: attributions (n, d).
    """
    ranks = [stats.rankdata(np.abs(values), axis=1) for values in (first, second)]
    centred = [r - r.mean(axis=1, keepdims=True) for r in ranks]
    norm = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation: Array = (centred[0] * centred[1]).sum(axis=1) / norm
    return correlation


def top_overlap(first: Array, second: Array, top: int = TOP) -> Array:
    """Share of the `top` most important inputs of each row that both explanations have (n,).

    Args:
        first, second: attributions (n, d).
        top: number of inputs; at most d.
    """
    top = min(top, first.shape[1])
    members = [_top(values, top) for values in (first, second)]
    shared: Array = (members[0] & members[1]).sum(axis=1) / top
    return shared


def sign_agreement(first: Array, second: Array, top: int = TOP) -> Array:
    """Share of the `top` most important inputs of the first explanation that have the same sign in the second (n,).

    Args:
        first, second: attributions (n, d).
        top: number of inputs; at most d.
    """
    member = _top(first, min(top, first.shape[1]))
    same = (np.sign(first) == np.sign(second)) & member
    agreement: Array = same.sum(axis=1) / member.sum(axis=1)
    return agreement


def _top(values: Array, top: int) -> Array:
    """Whether an input is among the `top` most important ones of its row: bool (n, d)."""
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :top]
    member = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(member, order, True, axis=1)
    return member


def importance(values: Array) -> Array:
    """Share of each input in all attributions (d,): mean absolute attribution, divided by the sum over inputs.

    Args:
        values: attributions (n, d).
    """
    mean = np.abs(values).mean(axis=0)
    total = mean.sum()
    share: Array = mean / total if total > 0 else np.full(len(mean), np.nan)
    return share
