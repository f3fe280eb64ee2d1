"""Uncertainty of a mean over seeds and test rows, which are crossed: every seed predicts the same rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]
ROWS_AT_A_TIME = 65_536
DRAWS_AT_A_TIME = 2**22  # rows drawn one by one that are held at once, of all replicates together


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and rows, with one variance from the seeds and one from the rows."""

    value: float
    seed_variance: float  # NaN with one seed
    row_variance: float
    seeds: int
    rows: int

    @property
    def error(self) -> float:
        """Standard error; with one seed it has no part from the seeds.

        Both parts contain the interaction of seeds and rows, so that their sum is conservative (Owen 2007).
        """
        return float(np.sqrt(np.nan_to_num(self.seed_variance) + self.row_variance))

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the sum of the two variances (Satterthwaite 1946)."""
        seed = np.nan_to_num(self.seed_variance)
        parts = [(seed, self.seeds - 1), (self.row_variance, self.rows - 1)]
        below = sum(variance**2 / freedom for variance, freedom in parts if freedom > 0)
        return float((seed + self.row_variance) ** 2 / below) if below > 0 else float("inf")

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided interval from Student's t distribution."""
        half = float(stats.t.ppf(0.5 + level / 2, self.freedom)) * self.error
        return self.value - half, self.value + half

    def p_above(self, bound: float) -> float:
        """p-value against the null hypothesis that the true value is at most `bound`."""
        if self.error == 0:
            return 0.0 if self.value > bound else 1.0
        return float(stats.t.sf((self.value - bound) / self.error, self.freedom))

    def p_below(self, bound: float) -> float:
        """p-value against the null hypothesis that the true value is at least `bound`."""
        if self.error == 0:
            return 0.0 if self.value < bound else 1.0
        return float(stats.t.cdf((self.value - bound) / self.error, self.freedom))


def seed_variance(per_seed: Array) -> float:
    """Variance of the mean of values, one per seed (K,); NaN with one seed."""
    return float(np.var(per_seed, ddof=1) / len(per_seed)) if len(per_seed) > 1 else float("nan")


def estimate(per_seed: Array, row_variance: float, rows: int) -> Estimate:
    """Estimate a mean from one value per seed (K,) and a variance over rows that comes from elsewhere (bootstrap)."""
    return Estimate(float(np.mean(per_seed)), seed_variance(per_seed), row_variance, len(per_seed), rows)


def of_rows(values: Array) -> Estimate:
    """Estimate the mean of values of each row and seed (n, K)."""
    rows = len(values)
    row_variance = float(np.var(values.mean(axis=1), ddof=1) / rows) if rows > 1 else float("nan")
    return estimate(values.mean(axis=0), row_variance, rows)


def effective_seeds(values: Array) -> float:
    """Number of independent models that K seeds are worth, from values of each row and seed (n, K).

    Where all seeds change the same rows, they are worth one. It is K / (1 + (K - 1) x rho), where rho is the
    correlation of two seeds on one row (intraclass correlation; Rao & Scott 1992). K where nothing changes.
    """
    seeds = values.shape[1]
    if seeds < 2 or not values.any():
        return float(seeds)
    between = seeds * float(np.var(row_means(values), ddof=1)) if len(values) > 1 else 0.0
    spreads = np.concatenate([np.var(values[rows].astype(float), axis=1, ddof=1) for rows in blocks(len(values))])
    within = float(np.mean(spreads))
    rho = max(0.0, (between - within) / (between + (seeds - 1) * within)) if between + within > 0 else 1.0
    return float(seeds / (1 + (seeds - 1) * min(rho, 1.0)))


def blocks(rows: int) -> Iterator[slice]:
    """Rows some at a time, so that what is computed of each row and seed does not fill the memory."""
    return (slice(start, start + ROWS_AT_A_TIME) for start in range(0, rows, ROWS_AT_A_TIME))


def row_means(values: Array) -> Array:
    """Mean over seeds of each row (n,), from values (n, K) of any type, in double precision."""
    parts = [values[rows].astype(float).mean(axis=1) for rows in blocks(len(values))]
    return np.concatenate(parts) if parts else np.empty(0)


@dataclass(frozen=True)
class Tallies:
    """Counts of B replicates: rows of each of F strata, and of its marked rows for each of M columns of marks."""

    rows: Array  # (F, B)
    marked: Array  # (F, B, M); both in single precision for many replicates


def counted(strata: Array, marks: Array, number: int) -> Tallies:
    """Count the rows as they are: one replicate.

    Args:
        strata: stratum of each row, int (n,), below `number`.
        marks: bool (n, M).
        number: F, the number of strata.
    """
    rows = np.bincount(strata, minlength=number)[:, None]
    marked = np.stack([np.bincount(strata[column], minlength=number) for column in marks.T], axis=-1)
    # in double precision: seeds whose changes are equal must tie in the tests over seeds
    return Tallies(rows.astype(float), marked.astype(float)[:, None, :])


def resampled(
    strata: Array, marks: Array, number: int, *, replicates: int, rng: np.random.Generator, block: int = 1_000
) -> Iterator[Tallies]:
    """Bootstrap the rows, the same rows for every column of marks, in blocks of replicates.

    Most rows are marked alike in all columns. How often those are drawn is one multinomial draw over the strata; only
    the other rows are drawn one by one. The distribution is exactly that of drawing n rows with replacement.

    Args:
        strata: stratum of each row, int (n,), below `number`.
        marks: bool (n, M), of M models that predict the same rows.
        number: F, the number of strata.
        replicates: B in all.
        rng: random numbers.
        block: replicates of one block. It holds less than these at once, as many as `DRAWS_AT_A_TIME` allows.
    """
    marks = np.asarray(marks, bool)
    unanimous = np.concatenate([(marks[rows] == marks[rows, :1]).all(axis=1) for rows in blocks(len(marks))])
    sure = np.bincount(strata[unanimous].astype(np.int64) * 2 + marks[unanimous, 0], minlength=2 * number)
    # a row that is not unanimous is a kind of its own; sorted, so that the rows of a stratum are neighbours
    others = np.flatnonzero(~unanimous)
    others = others[np.argsort(strata[others], kind="stable")]
    places = np.searchsorted(strata[others], np.arange(number + 1))
    ones = marks[others]
    shares = np.concatenate([sure, [len(others)]]) / len(strata)
    portion = max(1, DRAWS_AT_A_TIME // max(1, len(others)))
    for start in range(0, replicates, block):
        size = min(block, replicates - start)
        drawn = rng.multinomial(len(strata), shares, size=size)
        alike = drawn[:, :-1].reshape(size, number, 2).astype(np.float32)
        rows, marked = np.empty((number, size), np.float32), np.empty((number, size, marks.shape[1]), np.float32)
        for first in range(0, size, portion):
            some = slice(first, min(first + portion, size))
            counts = _uniform(drawn[some, -1], len(others), rng)
            for stratum in range(number):
                inside = slice(places[stratum], places[stratum + 1])
                part = counts[:, inside]
                rows[stratum, some] = alike[some, stratum].sum(axis=1) + part.sum(axis=1)
                marked[stratum, some] = alike[some, stratum, 1, None] + part @ ones[inside].astype(np.float32)
        yield Tallies(rows, marked)


def _uniform(draws: Array, kinds: int, rng: np.random.Generator) -> Array:
    """How often each of `kinds` equally likely kinds is drawn, for each number of draws (B,): float32 (B, kinds)."""
    if not kinds:
        return np.zeros((len(draws), 0), np.float32)
    places = rng.integers(kinds, size=int(draws.sum()), dtype=np.uint32).astype(np.int64)
    places += np.repeat(np.arange(len(draws)) * kinds, draws)
    return np.bincount(places, minlength=len(draws) * kinds).reshape(len(draws), kinds).astype(np.float32)
