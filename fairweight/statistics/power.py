"""What a study can detect, said before it is run."""

import numpy as np
from scipy import stats

from fairweight.statistics.crossed import Estimate


def detectable(
    *, rows: int, seeds: int, churn: float, seed_sd: float, error_rate: float, tests: int, power: float
) -> float | None:
    """Smallest loss of a rate that a one-sided test finds with a given probability; None with one seed.

    The variance of a change of one row is at most the share of rows that are predicted otherwise (McNemar 1947); it is
    divided by the rows, and that of the seeds by the seeds.

    Args:
        rows: test rows that the rate is a share of.
        seeds: K.
        churn: assumed share of rows whose prediction differs.
        seed_sd: assumed standard deviation of the change over seeds.
        error_rate: of the family of tests.
        tests: in the family; the first step of Holm's correction divides the error rate by them.
        power: probability to find the loss.
    """
    if seeds < 2 or rows < 1:
        return None
    found = Estimate(0.0, seed_sd**2 / seeds, churn / rows, seeds, max(rows, 2))
    quantiles = stats.t.ppf(1 - error_rate / tests, found.freedom) + stats.t.ppf(power, found.freedom)
    return float(np.minimum(quantiles * found.error, 1.0))


def provable(*, rows: int, groups: int, error_rate: float, tests: int) -> float:
    """Smallest margin of a worst group or a gap that can be proven, even if not one prediction changes.

    Changes that the sample happens not to show are allowed for by a variance of 1 / (rows + 2)^2 a group (see
    `comparison.change`); on few rows that alone is as much as a margin.

    Args:
        rows: of the smallest ranked group, of the kind that the rate is a share of; at least 2.
        groups: that may move it: 1 for a worst group, 2 for a gap.
        error_rate: of the family of tests.
        tests: in the family; the first step of Holm's correction divides the error rate by them.
    """
    found = Estimate(0.0, 0.0, groups / (rows + 2) ** 2, 1, rows)
    return float(stats.t.ppf(1 - error_rate / tests, found.freedom) * found.error)
