"""Whether a variant is proven to be as good as its baseline, within margins; and which variants nothing beats."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from fairweight.statistics.crossed import Estimate
from fairweight.statistics.significance import holm, sign_flip

Array = np.ndarray[Any, Any]
PROVEN, REFUTED, UNDECIDED = "proven", "refuted", "undecided"


@dataclass(frozen=True)
class Evidence:
    """p-values of one criterion: against "it is violated", and against "it is met"."""

    proven: float
    refuted: float


def noninferiority(per_seed: Array, errors: tuple[float, float], rows: int, margin: float) -> Evidence:
    """Evidence that a change is above minus a margin (a change for the worse is negative).

    Two tests must both say so: sign flips over the seeds, which assume little, and the crossed t-test, which also
    knows that the rows are a sample.

    Args:
        per_seed: changes, one a seed (K,).
        errors: standard errors of the mean from seeds and from rows.
        rows: rows that the change rests on.
        margin: the loss that is accepted.
    """
    seed_error, row_error = errors
    found = Estimate(float(np.mean(per_seed)), seed_error**2, row_error**2, len(per_seed), rows)
    shifted = np.asarray(per_seed, float) + margin
    if len(shifted) < 2:
        return Evidence(1.0, 1.0)  # one seed says nothing of another
    return Evidence(
        max(sign_flip(shifted, "greater"), found.p_above(-margin)),
        max(sign_flip(shifted, "less"), found.p_below(-margin)),
    )


def ceiling(per_seed: Array, limit: float, exact: bool) -> Evidence:
    """Evidence that a measure is at most a limit.

    Args:
        per_seed: values, one a seed (K,).
        limit: the ceiling.
        exact: whether a value has no error of measurement (bytes): then every seed must keep the limit.  Else the mean
            over the seeds is tested by Student's t.
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


def verdicts(family: list[list[Evidence]], error_rate: float) -> list[tuple[str, float]]:
    """Verdict on each variant of a family, and its adjusted p-value of being proven.

    A variant is proven if all of its criteria are: its p-value is the largest of theirs (intersection-union test, Berger
    1982; no correction is due).  It is refuted if any is: the smallest, times their number.  Both are adjusted by Holm
    over the variants, so that the chance of any false "proven" in the family is at most the error rate, and of any
    false "refuted", too.
    """
    proven = holm(np.array([max(e.proven for e in criteria) for criteria in family]))
    refuted = holm(np.array([min(1.0, min(e.refuted for e in criteria) * len(criteria)) for criteria in family]))
    found = []
    for one, other in zip(proven, refuted, strict=True):
        verdict = PROVEN if one <= error_rate else REFUTED if other <= error_rate else UNDECIDED
        found.append((verdict, float(one)))
    return found


def front_probability(benefits: Array, costs: Array) -> Array:
    """Share of replicates in which no other variant is at least as good in everything and better in something.

    Args:
        benefits: (V, O, B), O objectives that are better when larger.
        costs: (V,), better when smaller.
    """
    as_good = (benefits[:, None] >= benefits[None]).all(axis=2) & (costs[:, None] <= costs[None])[..., None]
    better = (benefits[:, None] > benefits[None]).any(axis=2) | (costs[:, None] < costs[None])[..., None]
    beats = as_good & better  # [i, j]: i beats j
    return 1 - np.asarray(beats.any(axis=0)).mean(axis=-1)
