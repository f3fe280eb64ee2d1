"""Statistics of the columns of training rows, computed block by block (NumPy only)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Table


@dataclass(frozen=True)
class Columns:
    """Statistics of k numeric and c categorical columns without missing numbers; add blocks with `+`."""

    count: NDArray[np.int64]  # (k,) numbers that are not missing
    mean: NDArray[np.float64]  # (k,)
    squares: NDArray[np.float64]  # (k,) sum of squared deviations from the mean
    lowest: NDArray[np.float64]  # (k,) infinity where all numbers are missing
    highest: NDArray[np.float64]  # (k,)
    whole: NDArray[np.bool_]  # (k,) whether all numbers are whole
    levels: tuple[NDArray[np.int64], ...]  # rows of each level, one array per categorical column

    @classmethod
    def from_rows(cls, rows: Table) -> "Columns":
        """Statistics of one block."""
        numeric = rows.numeric.astype(np.float64)
        present = ~np.isnan(numeric)
        count = present.sum(axis=0)
        mean = np.where(present, numeric, 0).sum(axis=0) / np.maximum(count, 1)
        return cls(
            count=count,
            mean=mean,
            squares=np.where(present, (numeric - mean) ** 2, 0).sum(axis=0),
            lowest=np.min(numeric, axis=0, where=present, initial=np.inf),
            highest=np.max(numeric, axis=0, where=present, initial=-np.inf),
            whole=np.all(~present | (numeric == np.round(numeric)), axis=0),
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
        """Standard deviation (k,), with n in the denominator; 0 where all numbers are missing."""
        deviation: NDArray[np.float64] = np.sqrt(self.squares / np.maximum(self.count, 1))
        return deviation
