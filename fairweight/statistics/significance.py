"""Tests on pairs, corrections for multiple tests, and the number of seeds that tests need."""

import functools
import itertools
from typing import Any

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]
EXACT = 16  # largest number of pairs for which all combinations of signs are tried
DRAWS = 20_000
PERMUTATIONS = 2_000
TIE = 1e-9  # statistics that differ by less, relative to the largest, are equal: they are sums of shares of rows


@functools.cache
def signs(pairs: int, seed: int = 0) -> tuple[Array, bool]:
    """Combinations of signs for a sign-flip test, the observed one first, and whether they are all combinations."""
    if pairs <= EXACT:
        return np.array(list(itertools.product((1.0, -1.0), repeat=pairs))), True
    drawn = np.random.default_rng(seed).choice((1.0, -1.0), size=(DRAWS, pairs))
    return np.concatenate([np.ones((1, pairs)), drawn]), False


def sign_flip(differences: Array, alternative: str = "two-sided") -> float:
    """p-value of the sign-flip test of paired differences (Fisher 1935); exact for up to 16 pairs.

    The null hypothesis is that the differences are symmetric about 0.

    Args:
        differences: (K,).
        alternative: "two-sided", "greater" (the mean is above 0) or "less".

    Returns:
        At least 2^(1-K) for two sides and 2^-K for one; 1 where all differences are 0.
    """
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"alternative must be 'two-sided', 'greater' or 'less', not {alternative!r}")
    flips, _ = signs(len(differences))
    means = flips @ np.asarray(differences, float)
    means = {"two-sided": np.abs(means), "greater": means, "less": -means}[alternative]
    return float(np.mean(means >= means[0] - TIE * np.abs(means).max()))


def mcnemar(gained: float, lost: float) -> float:
    """p-value of McNemar's exact test that one model is right on fewer rows than another (McNemar 1947), one-sided.

    Args:
        gained: rows that the first model alone predicts right.
        lost: rows that the second one alone predicts right. Counts may be means over models; they are rounded to the
            side of the null hypothesis.
    """
    more, fewer = int(np.ceil(gained)), int(np.floor(lost))
    return float(stats.binom.cdf(more, more + fewer, 0.5))


def range_flip(changes: Array) -> float:
    """p-value of the hypothesis that groups change alike, from the spread over seeds on the same rows.

    The statistic is the largest minus the smallest mean change over the groups. Under the null hypothesis all groups
    change alike, so that a seed's deviations from its own mean over groups are symmetric; their signs are flipped
    together.

    Args:
        changes: (K, G), one row per seed.
    """
    deviations = np.asarray(changes, float)
    deviations = deviations - deviations.mean(axis=1, keepdims=True)
    flips, _ = signs(len(deviations))
    ranges = np.ptp(flips @ deviations / len(deviations), axis=1)
    return float(np.mean(ranges >= ranges[0] - TIE * ranges.max()))


def unequal_changes(values: Array, observed: Array, draws: int = PERMUTATIONS) -> tuple[float, float]:
    """Test whether groups change unequally on other rows: (range that is expected by chance, p-value).

    The statistic is the largest difference between the mean changes of two groups over its standard error. Two null
    distributions must both make it improbable: permutations of the rows over the groups (Janssen 1997; Chung & Romano
    2013), which are exact where groups have equal spreads, and normal means with the spread of each group, for those
    that differ. Instead of permuting rows, the number of rows of each group and change is drawn, which has the same
    distribution.

    Args:
        values: distinct changes of a row, ascending (V,).
        observed: rows of each group with each of them (V, G); every value and every group has a row.
        draws: number of permutations.

    Returns:
        The mean range of the groups' mean changes if their expectations were equal, each with its own spread over rows
        (simulated), and the p-value.
    """
    groups = observed.shape[1]
    observed = observed[:, np.lexsort(observed)]  # the draws do not depend on the order of the groups
    margins = [observed.sum(axis=axis).astype(np.int64) for axis in (1, 0)]
    if len(values) == 1:
        return 0.0, 1.0
    rng = np.random.default_rng(0)
    permuted = stats.random_table(*margins, seed=rng).rvs(draws)
    statistics, errors = _largest_difference(np.concatenate([observed[None], permuted]), values)
    means = rng.normal(0, errors[0], (draws, groups))
    normal = _studentized(means, np.broadcast_to(errors[0], means.shape))
    larger = max((null >= statistics[0] * (1 - TIE)).sum() for null in (statistics[1:], normal))
    return float(np.ptp(means, axis=1).mean()), float((1 + larger) / (draws + 1))


def _largest_difference(tables: Array, values: Array) -> tuple[Array, Array]:
    """Largest studentized difference of mean changes (B,), and their standard errors (B, G), from counts (B, V, G)."""
    rows = tables.sum(axis=1)
    means = np.einsum("v,bvg->bg", values, tables) / rows
    squares = np.einsum("v,bvg->bg", values**2, tables) / rows
    # a group without any change is no proof that none occurs (see comparison.change)
    variances = np.maximum(squares - means**2, 0) / np.maximum(rows - 1, 1) + 1 / (rows + 2) ** 2
    errors = np.sqrt(variances)
    return _studentized(means, errors), errors


def _studentized(means: Array, errors: Array) -> Array:
    """Largest difference between two means over its standard error (B,), from means and their errors (B, G)."""
    differences = np.abs(means[:, :, None] - means[:, None, :])
    together: Array = differences / np.hypot(errors[:, :, None], errors[:, None, :])
    return together.max(axis=(1, 2))


def wilcoxon(differences: Array) -> float:
    """p-value of Wilcoxon's signed-rank test, two-sided, exact; 1 where all differences are 0."""
    moved = np.asarray(differences, float)
    moved = moved[moved != 0]
    if not len(moved):
        return 1.0
    sizes = np.abs(moved)
    # scipy's exact table does not support ties; flipping the signs of the ranks is exact with ties as well
    return sign_flip(np.sign(moved) * stats.rankdata(np.round(sizes / (TIE * sizes.max()))))


def welch(first: Array, second: Array) -> float | None:
    """p-value of Welch's t-test that two populations of models have equal means; None with fewer than two in either."""
    if min(len(first), len(second)) < 2:
        return None
    if max(np.ptp(first), np.ptp(second)) < TIE:  # equal but for rounding
        return 1.0 if abs(first[0] - second[0]) < TIE else 0.0
    return float(stats.ttest_ind(first, second, equal_var=False).pvalue)


def effect_size(differences: Array) -> float | None:
    """Cohen's d of paired differences: mean over standard deviation; None where it is undefined (constant, or one)."""
    if len(differences) < 2 or np.ptp(differences) == 0:
        return None
    return float(np.mean(differences) / np.std(differences, ddof=1))


def holm(p_values: Array) -> Array:
    """Adjust p-values so that the probability of any false positive among them is bounded (Holm 1979)."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def benjamini_hochberg(p_values: Array) -> Array:
    """Adjust p-values so that the false discovery rate is bounded (Benjamini & Hochberg 1995)."""
    p = np.asarray(p_values, float)
    return stats.false_discovery_control(p, method="bh") if len(p) else p


def smallest_p(seeds: int, sides: int = 2) -> float:
    """Smallest p-value that a sign-flip test with this number of seeds can have."""
    return float(min(1.0, sides * 2.0**-seeds))


def seeds_needed(error_rate: float, tests: int = 1, sides: int = 2) -> int:
    """Fewest seeds with which the best of `tests` tests can be significant under Holm's correction."""
    return int(np.ceil(np.log2(sides * tests / error_rate)))
