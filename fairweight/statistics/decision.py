"""Decide whether a variant is proven to be as good as its baseline within margins, and which variants nothing beats."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from fairweight.statistics.crossed_uncertainty import Estimate
from fairweight.statistics.significance import holm, sign_flip

Array = np.ndarray[Any, Any]
Verdict = Literal["proven", "refuted", "undecided"]
PROVEN: Verdict = "proven"
REFUTED: Verdict = "refuted"
UNDECIDED: Verdict = "undecided"


@dataclass(frozen=True)
class Evidence:
    """p-values of one criterion.

    Attributes:
        proven: against the null hypothesis that the criterion is violated.
        refuted: against the null hypothesis that it is met.
    """

    proven: float
    refuted: float


def noninferiority(per_seed: Array, errors: tuple[float, float], rows: int, margin: float) -> Evidence:
    """Test whether a change is above minus a margin (a change for the worse is negative).

    Two tests must both reject: sign flips over the seeds, which assume little, and the crossed t-test, which also takes
    into account that the rows are a sample.

    Args:
        per_seed: changes, one per seed (K,).
        errors: standard errors of the mean, from seeds and from rows.
        rows: rows that the change rests on.
        margin: the loss that is accepted.
    """
    seed_error, row_error = errors
    estimate = Estimate(float(np.mean(per_seed)), seed_error**2, row_error**2, len(per_seed), rows)
    shifted = np.asarray(per_seed, float) + margin
    if len(shifted) < 2:
        return Evidence(1.0, 1.0)  # one seed says nothing about another
    return Evidence(
        max(sign_flip(shifted, "greater"), estimate.p_above(-margin)),
        max(sign_flip(shifted, "less"), estimate.p_below(-margin)),
    )


def ceiling(per_seed: Array, limit: float, exact: bool) -> Evidence:
    """Test whether a measure is at most a limit.

    Args:
        per_seed: values, one per seed (K,).
        limit: the ceiling.
        exact: whether values have no measurement error (bytes): then every seed must keep the limit. Otherwise the mean
            over the seeds is tested by Student's t-test.
    """
    over = np.asarray(per_seed, float) - limit
    if exact:
        return Evidence(0.0 if (over <= 0).all() else 1.0, 0.0 if (over > 0).any() else 1.0)
    if len(over) < 2:
        return Evidence(1.0, 1.0)
    if np.ptp(over) == 0:
        return Evidence(0.0 if over[0] <= 0 else 1.0, 0.0 if over[0] > 0 else 1.0)
    result = stats.ttest_1samp(over, 0, alternative="less").pvalue
    return Evidence(float(result), float(1 - result))


def verdicts(family: list[list[Evidence]], error_rate: float) -> list[tuple[Verdict, float]]:
    """Verdict on each variant of a family, and its adjusted p-value of being proven.

    A variant is proven if all of its criteria are: its p-value is the largest of theirs (intersection-union test,
    Berger 1982; no correction is due). It is refuted if any criterion is: the smallest p-value times their number. Both
    are adjusted by Holm over the variants, so that the probability of any false "proven" in the family is at most the
    error rate, and so is that of any false "refuted".

    Args:
        family: evidence on each criterion of each variant.
        error_rate: of the family.
    """
    proven = holm(np.array([max(e.proven for e in criteria) for criteria in family]))
    refuted = holm(np.array([min(1.0, min(e.refuted for e in criteria) * len(criteria)) for criteria in family]))
    decided: list[tuple[Verdict, float]] = []
    for p_proven, p_refuted in zip(proven, refuted, strict=True):
        verdict = PROVEN if p_proven <= error_rate else REFUTED if p_refuted <= error_rate else UNDECIDED
        decided.append((verdict, float(p_proven)))
    return decided


def front_probability(benefits: Array, costs: Array) -> Array:
    """Share of replicates in which a variant is on the Pareto front.

    A variant is on the front if no other one is at least as good in everything and better in something.

    Args:
        benefits: (V, O, B), O objectives that are better when larger.
        costs: (V,), better when smaller.

    Returns:
        Shares (V,).
    """
    as_good = (benefits[:, None] >= benefits[None]).all(axis=2) & (costs[:, None] <= costs[None])[..., None]
    better = (benefits[:, None] > benefits[None]).any(axis=2) | (costs[:, None] < costs[None])[..., None]
    beats = as_good & better  # [i, j]: i beats j
    return 1 - np.asarray(beats.any(axis=0)).mean(axis=-1)
