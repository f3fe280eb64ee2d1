"""Decide whether a variant is proven to be as good as its baseline within margins, and which variants nothing beats."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from fairweight.statistics import paired_shares
from fairweight.statistics.crossed_uncertainty import Estimate, seed_variance
from fairweight.statistics.paired_shares import Pairs
from fairweight.statistics.significance import TIE, holm, sign_flip, signs

Array = np.ndarray[Any, Any]
Verdict = Literal["proven", "refuted", "undecided"]
PROVEN: Verdict = "proven"
REFUTED: Verdict = "refuted"
UNDECIDED: Verdict = "undecided"
FLIPS = 2_048  # combinations of signs that are tried at once
CLEARLY = 4.0  # standard errors by which a group must be behind in the baseline to be allowed to catch up (p = 3e-5)


@dataclass(frozen=True)
class Evidence:
    """p-values of one criterion, or of one part of it.

    Attributes:
        proven: against the null hypothesis that the criterion is violated.
        refuted: against the null hypothesis that it is met.
        crossed: the same by the test over seeds and rows alone; where there is no other test, the same number.
    """

    proven: float
    refuted: float
    crossed: float


NOTHING = Evidence(1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Change:
    """Change of a rate of one group: over seeds and rows, or, for one model, over rows alone.

    Attributes:
        per_seed: variant minus baseline (K,).
        row_error: standard error of the mean change from rows.
        pairs: paired counts, means over seeds.
        before: rates of the baseline (K,).
        seeds_worth: number of independent models that the seeds are worth (see `crossed_uncertainty.effective_seeds`).
    """

    per_seed: Array
    row_error: float
    pairs: Pairs
    before: Array
    seeds_worth: float = 1.0

    @property
    def rows(self) -> int:
        """Rows that the rate is a share of."""
        return int(self.pairs.rows)

    @property
    def after(self) -> Array:
        """Rates of the variant (K,)."""
        return self.before + self.per_seed

    @property
    def effective(self) -> Pairs:
        """Paired counts of as many rows as all seeds together are worth."""
        return Pairs(*(count * self.seeds_worth for count in self.pairs))

    def interval(self) -> tuple[float, float]:
        """Interval at 95 %; of the score test for one model."""
        if len(self.per_seed) < 2:
            return paired_shares.tango_interval(self.pairs)
        return _estimate(self.per_seed, self.row_error**2, self.rows).interval()

    def shifted(self, margin: float) -> Array:
        """Changes plus a margin (K,); negative where more than the margin is lost."""
        return np.asarray(self.per_seed, float) + margin

    def above(self, margin: float) -> Evidence:
        """Evidence on the change being above minus a margin."""
        above, below = (
            paired_shares.tango_above(self.effective, -margin),
            paired_shares.tango_below(self.effective, -margin),
        )
        if len(self.per_seed) < 2:
            return Evidence(above, below, below)
        seed_error = float(np.sqrt(seed_variance(self.per_seed)))
        return _with_score(noninferiority(self.per_seed, (seed_error, self.row_error), self.rows, margin), above, below)

    def opposite(self) -> "Change":
        """The change of the complement of the rate: what was gained is lost."""
        flipped = Pairs(self.pairs.rows, self.pairs.lost, self.pairs.gained)
        return Change(-self.per_seed, self.row_error, flipped, 1 - self.before, self.seeds_worth)


@dataclass(frozen=True)
class Growth:
    """Growth of the signed difference between the rates of two groups, which share no row.

    Attributes:
        ahead: the group whose rate is the minuend.
        behind: the group whose rate is the subtrahend.
    """

    ahead: Change
    behind: Change

    @property
    def per_seed(self) -> Array:
        """Growth of the difference (K,)."""
        return self.ahead.per_seed - self.behind.per_seed

    @property
    def rows(self) -> int:
        """Rows of the smaller group."""
        return min(self.ahead.rows, self.behind.rows)

    def interval(self) -> tuple[float, float]:
        """Interval at 95 %; of the score test for one model."""
        if len(self.per_seed) < 2:
            return paired_shares.difference_interval(self.ahead.pairs, self.behind.pairs)
        return _estimate(self.per_seed, self._row_variance, self.rows).interval()

    @property
    def _row_variance(self) -> float:
        return self.ahead.row_error**2 + self.behind.row_error**2

    def shifted(self, margin: float) -> Array:
        """Margin minus the growth (K,); negative where the difference grows by more than the margin."""
        return margin - self.per_seed

    def below(self, margin: float) -> Evidence:
        """Evidence on the growth being below a margin."""
        first, second = self.ahead.effective, self.behind.effective
        below = paired_shares.difference_below(first, second, margin)
        above = paired_shares.difference_above(first, second, margin)
        if len(self.per_seed) < 2:
            return Evidence(below, above, above)
        errors = float(np.sqrt(seed_variance(self.per_seed))), float(np.sqrt(self._row_variance))
        return _with_score(noninferiority(-self.per_seed, errors, self.rows, margin), below, above)

    @property
    def catching_up(self) -> bool:
        """Whether the first group was clearly behind the second in the baseline, so that a growth closes a gap."""
        difference = self.ahead.before - self.behind.before
        return float(np.mean(difference)) < -CLEARLY * self._error(self.ahead.before, self.behind.before)

    def still_below(self, margin: float) -> float:
        """p-value against the null hypothesis that the variant's own difference is at least the margin."""
        difference = self.ahead.after - self.behind.after
        row_error = self._error(self.ahead.after, self.behind.after)
        if len(difference) < 2:
            return float(stats.norm.cdf((difference[0] - margin) / row_error))
        seed_error = float(np.sqrt(seed_variance(difference)))
        return noninferiority(-difference, (seed_error, row_error), self.rows, margin).proven

    def _error(self, first: Array, second: Array) -> float:
        """Standard error from rows of a difference of two shares, means over seeds.

        A hit and a miss are added to each (Agresti & Caffo 2000).
        """
        counts = ((float(np.mean(first)), self.ahead.rows), (float(np.mean(second)), self.behind.rows))
        shares = [((share * rows + 1) / (rows + 2), rows + 2) for share, rows in counts]
        return float(np.sqrt(sum(share * (1 - share) / rows for share, rows in shares)))


def _with_score(evidence: Evidence, proven: float, refuted: float) -> Evidence:
    """Evidence over seeds and rows to which the score test of the effective rows must agree.

    The crossed test estimates its variance from the changes that occur, which is too little where few do.
    """
    return Evidence(max(evidence.proven, proven), max(evidence.refuted, refuted), max(evidence.crossed, refuted))


def _estimate(per_seed: Array, row_variance: float, rows: int) -> Estimate:
    return Estimate(float(np.mean(per_seed)), seed_variance(per_seed), row_variance, len(per_seed), rows)


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
        return NOTHING  # one seed says nothing about another
    crossed = estimate.p_below(-margin)
    return Evidence(
        max(sign_flip(shifted, "greater"), estimate.p_above(-margin)),
        max(sign_flip(shifted, "less"), crossed),
        crossed,
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
    if not len(over) or not np.isfinite(over).all():
        return NOTHING
    if exact:
        refuted = 0.0 if (over > 0).any() else 1.0
        return Evidence(1.0 - refuted, refuted, refuted)
    if len(over) < 2:
        return NOTHING
    if np.ptp(over) == 0:
        refuted = 0.0 if over[0] > 0 else 1.0
        return Evidence(1.0 - refuted, refuted, refuted)
    result = float(stats.ttest_1samp(over, 0, alternative="less").pvalue)
    return Evidence(result, 1 - result, 1 - result)


def every_part(parts: list[Evidence], shifted: list[Array]) -> Evidence:
    """Evidence on a criterion that is met if all of its parts are.

    It is proven if every part is: its p-value is the largest of theirs (intersection-union test, Berger 1982; no
    correction is due). It is refuted if any part is. For several seeds, sign flips of the largest violation hold the
    error rate for all parts together (Westfall & Young 1993), whose p-value does not grow with their number; the
    crossed tests, and those of one model, are corrected by Bonferroni.

    Args:
        parts: evidence on each part; at least one.
        shifted: of each part that seeds can refute, changes plus the margin (K,).
    """
    crossed = min(1.0, len(parts) * min(part.crossed for part in parts))
    refuted = min(1.0, len(parts) * min(part.refuted for part in parts))
    if shifted and len(shifted[0]) > 1:
        refuted = max(_largest_violation(np.stack(shifted)), crossed)
    return Evidence(max(part.proven for part in parts), refuted, crossed)


def _largest_violation(shifted: Array) -> float:
    """p-value of the largest standardized violation of P parts, by flipping the signs of seeds together; (P, K)."""
    scale = np.sqrt((shifted**2).sum(axis=1, keepdims=True))
    scaled = shifted / np.where(scale > 0, scale, 1)
    flips, _ = signs(shifted.shape[1])
    observed = -float(scaled.sum(axis=1).min())  # all signs as they are
    larger = 0
    for start in range(0, len(flips), FLIPS):  # in blocks: many seeds and parts do not fit into memory at once
        larger += int((-(flips[start : start + FLIPS] @ scaled.T).min(axis=1) >= observed - TIE).sum())
    return larger / len(flips)


def verdicts(family: list[Evidence], error_rate: float) -> list[tuple[Verdict, float]]:
    """Verdict on each variant of a family, and its adjusted p-value of being proven.

    The p-values are adjusted by Holm over the variants, so that the probability of any false "proven" in the family is
    at most the error rate, and so is that of any false "refuted".

    Args:
        family: evidence on all criteria of each variant together.
        error_rate: of the family.
    """
    proven = holm(np.array([variant.proven for variant in family]))
    refuted = holm(np.array([variant.refuted for variant in family]))
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
