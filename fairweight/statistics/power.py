"""Statistical power: the smallest loss that a study can detect, and the smallest margin that it can prove."""

import numpy as np
from scipy import stats

from fairweight.statistics.crossed_uncertainty import Estimate


def detectable(
    *, rows: int, seeds: int, churn: float, seed_sd: float, error_rate: float, tests: int, power: float
) -> float | None:
    """Smallest loss of a rate that a one-sided test finds with a given probability; None with one seed.

    The variance of a change of one row is at most the share of rows whose prediction differs (McNemar 1947). It is
    divided by the number of rows, and the variance over seeds by the number of seeds.

    Args:
        rows: test rows that the rate is a share of.
        seeds: K.
        churn: assumed share of rows whose prediction differs.
        seed_sd: assumed standard deviation of the change over seeds.
        error_rate: of the family of tests.
        tests: in the family; the first step of Holm's correction divides the error rate by their number.
        power: probability of finding the loss.
    """
    if seeds < 2 or rows < 1:
        return None
    change = Estimate(0.0, seed_sd**2 / seeds, churn / rows, seeds, max(rows, 2))
    quantiles = stats.t.ppf(1 - error_rate / tests, change.freedom) + stats.t.ppf(power, change.freedom)
    return float(np.minimum(quantiles * change.error, 1.0))


def provable(*, rows: int, groups: int, error_rate: float, tests: int) -> float:
    """Smallest margin of a worst group or a gap that can be proven, even if not one prediction changes.

    A variance of 1 / (rows + 2)^2 per group allows for changes that the sample happens not to show (see
    `comparison.change`). On few rows that alone can be as large as a margin.

    Args:
        rows: of the smallest ranked group, of the kind that the rate is a share of; at least 2.
        groups: number of groups that may move it: 1 for a worst group, 2 for a gap.
        error_rate: of the family of tests.
        tests: in the family; the first step of Holm's correction divides the error rate by their number.
    """
    change = Estimate(0.0, 0.0, groups / (rows + 2) ** 2, 1, rows)
    return float(stats.t.ppf(1 - error_rate / tests, change.freedom) * change.error)
