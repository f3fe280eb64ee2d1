"""Numbers as models read them: float32, after a subtraction in float64 where float32 alone would merge values."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MOST_DISTINCT = 10_000  # distinct numbers of a column that are remembered, the same ones in blocks of any size
KEPT = 0.9  # smallest share of the distinct numbers that must stay distinct in float32
CLOSER = 8  # an origin is used if it makes the largest number of whole numbers or days this number of times smaller,
MUCH_CLOSER = 1024  # and of other numbers this number of times


@dataclass(frozen=True)
class Range:
    """Range of a numeric column, and what float32 would make of it; add blocks with `+`."""

    lowest: float = np.inf  # of the finite numbers
    highest: float = -np.inf
    whole: bool = True  # whether all numbers are whole
    exact: bool = True  # whether float32 holds all of them
    days: bool = False  # whether they are days
    distinct: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # sorted; a sample if there are many

    @classmethod
    def from_numbers(cls, numbers: NDArray[np.float64], days: bool) -> "Range":
        """The range of one block; missing and infinite numbers are left out."""
        finite = numbers[np.isfinite(numbers)]
        if not len(finite):
            return cls(days=days)
        distinct = np.unique(finite)
        return cls(
            lowest=float(distinct[0]),
            highest=float(distinct[-1]),
            whole=bool((distinct == np.round(distinct)).all()),
            exact=bool((narrowed(distinct, 0.0) == distinct).all()),
            days=days,
            distinct=_sample(distinct),
        )

    def __add__(self, later: "Range") -> "Range":
        return Range(
            lowest=min(self.lowest, later.lowest),
            highest=max(self.highest, later.highest),
            whole=self.whole and later.whole,
            exact=self.exact and later.exact,
            days=self.days or later.days,
            distinct=_union(self.distinct, later.distinct),
        )

    @property
    def origin(self) -> float:
        """What to subtract in float64 before the numbers become float32: 0, or a number in the middle of the range."""
        if self.exact or self.lowest > self.highest:
            return 0.0
        middle = self.lowest + (self.highest - self.lowest) / 2
        step = 1.0 if self.whole or self.days else 10 ** np.floor(np.log10((self.highest - self.lowest) or 1.0))
        origin = float(np.round(middle / step) * step)
        enough = CLOSER if self.whole or self.days else MUCH_CLOSER
        closest, now = self._largest(origin), self._largest(0.0)
        return origin if now >= enough * closest else 0.0

    def _largest(self, origin: float) -> float:
        return max(abs(self.lowest - origin), abs(self.highest - origin))

    def merged(self) -> tuple[float, float, int] | None:
        """Two numbers that become one in float32, and how many distinct ones remain, if that loses the values."""
        short = narrowed(self.distinct, self.origin)
        remaining = len(np.unique(short))
        if remaining >= KEPT * len(short):
            return None
        first = int(np.flatnonzero(np.diff(short) == 0)[0])
        return float(self.distinct[first]), float(self.distinct[first + 1]), remaining


def _sample(distinct: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers with the smallest hashes, if there are more than `MOST_DISTINCT`, whatever the order of blocks."""
    if len(distinct) <= MOST_DISTINCT:
        return distinct
    hashes = _hashes(distinct)
    return distinct[hashes <= np.partition(hashes, MOST_DISTINCT - 1)[MOST_DISTINCT - 1]]


def _union(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sample of two samples' numbers; what a full one has rejected need not be looked at."""
    if len(first) == MOST_DISTINCT:
        second = second[_hashes(second) < _hashes(first).max()]
    if not len(second):
        return first
    merged = np.concatenate([first, second])
    merged.sort()
    return _sample(merged[np.append(True, merged[1:] != merged[:-1])])


def _hashes(numbers: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Different hashes of different numbers."""
    hashes: NDArray[np.uint64] = (numbers + 0.0).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # wraps around
    return hashes


def narrowed(numbers: NDArray[np.float64], origin: float | NDArray[np.float64]) -> NDArray[np.float32]:
    """Numbers as float32, after the subtraction of an origin in float64."""
    with np.errstate(over="ignore"):
        short: NDArray[np.float32] = (numbers - origin).astype(np.float32)
    return short
