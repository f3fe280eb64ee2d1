"""Change of a mean loss between two models on the same rows: non-inferiority for losses that are numbers, not shares.

Rows are paired, and seeds and rows are crossed (`crossed_uncertainty`). A margin may be relative, which is tested
without a ratio: a variant keeps it if after - (1 + margin) x before is below 0 on average.

Losses of single rows are skewed: errors are rarely large. A mean of n rows is then nearly normal only for large n, and
rare large losses that a sample happens not to show make a t-test too certain. Two further tests must therefore agree
where a margin is to be proven: the t statistic corrected for the skewness by Hall's monotone transformation (1992),
and a test of what the sample does not show. It asks whether the margin would be kept if a share of the rows that a
sample of this size may miss, z^2 / (n + z^2) as in the score test of a share of 0, lost LARGE times the root mean
square loss.

This assumes that the loss of a row has three moments, and that harm is not concentrated in rarer or much larger losses
than that: where single rows can dominate the mean, no test of a mean is valid.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from fairweight.statistics.crossed_uncertainty import Estimate, seed_variance
from fairweight.statistics.decision import Evidence, noninferiority

Array = np.ndarray[Any, Any]
LARGE = 2.0  # loss of a row that the sample may miss, in root mean square losses of the baseline


def provable(rows: int, level: float) -> float:
    """Smallest relative margin that can be proven if nothing changes, at best: losses that are all equal.

    Args:
        rows: of the group; the share of them that a sample may miss is z^2 / (rows + z^2).
        level: error rate of the test.
    """
    z = float(stats.norm.isf(level))
    return LARGE * z**2 / (rows + z**2)


@dataclass(frozen=True)
class Moments:
    """Central moments of the losses of n rows with the baseline and with the variant, and the mean square before."""

    rows: int
    covariance: Array  # (2, 2): before, after
    third: Array  # (4,): before^3, before^2 after, before after^2, after^3
    square: float  # mean of before^2

    @classmethod
    def of_rows(cls, before: Array, after: Array) -> "Moments":
        """Moments of losses (n,) each."""
        rows = len(before)
        x, y = before - before.mean(), after - after.mean()
        third = np.array([np.mean(x**3), np.mean(x**2 * y), np.mean(x * y**2), np.mean(y**3)])
        covariance = np.cov(np.stack([x, y])) if rows > 1 else np.full((2, 2), np.nan)
        return cls(rows, covariance, third, float(np.mean(before**2)))

    def variance(self, first: float, second: float) -> float:
        """Variance of the mean of first x before + second x after."""
        weights = np.array([first, second])
        return max(0.0, float(weights @ self.covariance @ weights)) / self.rows

    def skewness(self, first: float, second: float) -> float:
        """Skewness of first x before + second x after."""
        powers = np.array([first**3, 3 * first**2 * second, 3 * first * second**2, second**3])
        sd = np.sqrt(self.variance(first, second) * self.rows)
        return float(powers @ self.third / sd**3) if sd > 0 else 0.0


@dataclass(frozen=True)
class LossChange:
    """Change of the mean loss of some rows.

    Attributes:
        before, after: mean loss with the baseline and with the variant, one per seed (K,).
        moments: of the rows, each with its mean over seeds.
    """

    before: Array
    after: Array
    moments: Moments

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.moments.rows

    @property
    def per_seed(self) -> Array:
        """Variant minus baseline (K,)."""
        return self.after - self.before

    @property
    def error_before(self) -> float:
        """Standard error of the baseline's mean over seeds and rows."""
        seeds = float(np.nan_to_num(seed_variance(self.before)))
        return float(np.sqrt(self.moments.variance(1.0, 0.0) + seeds)) or np.inf

    def contrast(self, first: float, second: float) -> Array:
        """Value of first x before + second x after (K,)."""
        return first * self.before + second * self.after

    def interval(self) -> tuple[float, float]:
        """Interval at 95 % of the change."""
        return self._estimate(-1.0, 1.0).interval()

    def _estimate(self, first: float, second: float) -> Estimate:
        # one more row could have changed by a typical loss, where no row of the sample has (after Agresti & Min 2005)
        unseen = self.moments.square / (self.rows + 2) ** 2
        values = self.contrast(first, second)
        variance = self.moments.variance(first, second) + unseen
        return Estimate(float(np.mean(values)), seed_variance(values), variance, len(values), self.rows)

    def below(self, limit: float, first: float = -1.0, second: float = 1.0) -> Evidence:
        """Evidence on the mean of first x before + second x after being below a limit.

        Args:
            limit: the limit; a margin in the unit of the loss, or 0 for a relative one.
            first, second: -1 and 1 for the change; -(1 + m) and 1 for a change of less than the share m.
        """
        estimate, values = self._estimate(first, second), self.contrast(first, second)
        if not np.isfinite(estimate.error) or self.rows < 2:
            return Evidence(1.0, 1.0, 1.0)
        proven, refuted = self._skewed(estimate, limit, first, second)
        proven = max(proven, self._unseen(limit - max(estimate.value, 0.0) if limit else -estimate.value))
        if len(values) < 2:
            refuted = max(refuted, estimate.p_above(limit))
            return Evidence(max(proven, estimate.p_below(limit)), refuted, refuted)
        errors = float(np.sqrt(estimate.seed_variance)), float(np.sqrt(estimate.row_variance))
        tested = noninferiority(-values, errors, self.rows, limit)
        return Evidence(max(tested.proven, proven), max(tested.refuted, refuted), max(tested.crossed, refuted))

    def _skewed(self, estimate: Estimate, limit: float, first: float, second: float) -> tuple[float, float]:
        """p-values of the mean being below and above a limit, after Hall's transformation of the t statistic."""
        statistic = (estimate.value - limit) / estimate.error
        share = np.sqrt(estimate.row_variance) / estimate.error
        k = self.moments.skewness(first, second) * share**3 / np.sqrt(self.rows)
        changed = statistic + k * statistic**2 / 3 + k**2 * statistic**3 / 27 + k / 6
        below, above = (float(tail(changed, estimate.freedom)) for tail in (stats.t.cdf, stats.t.sf))
        return below, above

    def _unseen(self, room: float) -> float:
        """p-value of rows that the sample does not show filling the room that is left below a limit."""
        share = room / (LARGE * float(np.sqrt(self.moments.square)) or 1.0)
        if share >= 1:
            return 0.0
        return float(stats.norm.sf(np.sqrt(self.rows * share / (1 - share)))) if share > 0 else 1.0

    def shifted(self, limit: float, first: float = -1.0, second: float = 1.0) -> Array:
        """Limit minus the contrast (K,); negative where a seed exceeds it."""
        return limit - self.contrast(first, second)

    def of_seed(self, position: int, moments: Moments) -> "LossChange":
        """The change of one model, with the moments of its own losses."""
        part = slice(position, position + 1)
        return replace(self, before=self.before[part], after=self.after[part], moments=moments)
