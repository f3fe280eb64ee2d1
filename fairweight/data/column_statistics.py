"""Statistics of the columns of training rows, computed block by block.  NumPy only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Table


@dataclass(frozen=True)
class Columns:
    """What k numeric and c categorical columns hold; blocks are added with `+`, missing numbers left out."""

    count: NDArray[np.int64]  # (k,) numbers that are there
    mean: NDArray[np.float64]  # (k,)
    squares: NDArray[np.float64]  # (k,) sum of squared deviations from the mean
    lowest: NDArray[np.float64]  # (k,) infinity where there is no number
    highest: NDArray[np.float64]  # (k,)
    whole: NDArray[np.bool_]  # (k,) whether all numbers are whole
    levels: tuple[NDArray[np.int64], ...]  # rows of each level, one array for each categorical column

    @classmethod
    def of(cls, rows: Table) -> "Columns":
        """Statistics of one block."""
        numeric = rows.numeric.astype(np.float64)
        there = ~np.isnan(numeric)
        count = there.sum(axis=0)
        mean = np.where(there, numeric, 0).sum(axis=0) / np.maximum(count, 1)
        return cls(
            count=count,
            mean=mean,
            squares=np.where(there, (numeric - mean) ** 2, 0).sum(axis=0),
            lowest=np.min(numeric, axis=0, where=there, initial=np.inf),
            highest=np.max(numeric, axis=0, where=there, initial=-np.inf),
            whole=np.all(~there | (numeric == np.round(numeric)), axis=0),
            levels=tuple(
                np.bincount(codes, minlength=len(levels))
                for codes, levels in zip(rows.categorical.T, rows.levels.values(), strict=True)
            ),
        )

    def __add__(self, other: "Columns") -> "Columns":
        # Chan, Golub, LeVeque (1983), Algorithms for computing the sample variance, equation 2.1
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        step = other.mean - self.mean
        return Columns(
            count=count,
            mean=self.mean + step * share,
            squares=self.squares + other.squares + step**2 * self.count * share,
            lowest=np.minimum(self.lowest, other.lowest),
            highest=np.maximum(self.highest, other.highest),
            whole=self.whole & other.whole,
            levels=tuple(a + b for a, b in zip(self.levels, other.levels, strict=True)),
        )

    @property
    def spread(self) -> NDArray[np.float64]:
        """Standard deviation (k,), with n in the denominator; 0 where there is no number."""
        deviation: NDArray[np.float64] = np.sqrt(self.squares / np.maximum(self.count, 1))
        return deviation
