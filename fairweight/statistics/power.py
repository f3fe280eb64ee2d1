"""Statistical power: the smallest loss that a study can detect, and the smallest margin that it can prove."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from fairweight.statistics.crossed_uncertainty import Estimate


def detectable(
    *, rows: int, seeds: int, churn: float, seed_sd: float, error_rate: float, tests: int, power: float
) -> float | None:
    """Smallest loss of a rate that a one-sided test finds with a given probability; None without a row.

    The variance of a change of one row is at most the share of rows whose prediction differs (McNemar 1947). It is
    divided by the number of rows, and the variance over seeds by the number of seeds. One model is compared on its rows
    alone.

    Args:
        rows: test rows that the rate is a share of.
        seeds: K.
        churn: assumed share of rows whose prediction differs.
        seed_sd: assumed standard deviation of the change over seeds.
        error_rate: of the family of tests.
        tests: in the family; the first step of Holm's correction divides the error rate by their number.
        power: probability of finding the loss.
    """
    if rows < 1:
        return None
    change = Estimate(0.0, seed_sd**2 / seeds if seeds > 1 else 0.0, churn / rows, seeds, max(rows, 2))
    quantiles = stats.t.ppf(1 - error_rate / tests, change.freedom) + stats.t.ppf(power, change.freedom)
    return float(np.minimum(quantiles * change.error, 1.0))


def provable(*, rows: Sequence[int], seeds: int, error_rate: float, tests: int) -> float:
    """Smallest margin of a group's rate, or of a difference between two, that can be proven if no prediction changes.

    Over seeds, a variance of 1 / (rows + 2)^2 per group allows for changes that the sample happens not to show (see
    `comparison.change`). The limit of the score test without discordant rows is z^2 / (rows x seeds + z^2) per group
    (Tango 1998), two of which are combined by their squares. On few rows that alone can exceed a margin.

    Args:
        rows: of each group whose rate is in the criterion, of the kind that the rate is a share of; at least 2 each.
        seeds: K.
        error_rate: of the family of tests.
        tests: in the family; the first step of Holm's correction divides the error rate by their number.
    """
    level = error_rate / tests
    z = float(stats.norm.isf(level))
    # where nothing changes, the seeds are worth as many independent models
    score = float(np.linalg.norm([z**2 / (n * seeds + z**2) for n in rows]))
    if seeds < 2:
        return score
    change = Estimate(0.0, 0.0, sum(1 / (n + 2) ** 2 for n in rows), 1, min(rows))
    return max(score, float(stats.t.isf(level, change.freedom) * change.error))
