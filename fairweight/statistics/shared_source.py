"""Whether an input and a group come from one variable, such as an age in years and a range of ages."""

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

AGREEMENT = 0.99  # smallest absolute gamma (Goodman and Kruskal 1954); an exact version has 1
FEWEST_ROWS = 5  # of the smaller side of a comparison
ROWS_A_LEVEL = 10  # mean number of rows of a level; identifiers, which tell everything, have fewer


def share_a_source(values: Array, codes: Array, rng: np.random.Generator, *, numeric: bool) -> bool:
    """Whether an input is the source of a group, a binned version of it, or another version of the same source.

    Two versions of one variable have a common order: a row with a higher value of one never has a lower value of the
    other. The group is therefore cut into two sides in every way that its levels allow, each level against the rest and
    each level with those above it, and the order of the input must separate the sides. Numbers have an order of their
    own. The levels of a category, or of a number with few values, are ordered by their share of one side in half of the
    rows, and are tested on the other half, so that a name for each row proves nothing.

    Args:
        values: the input (n,): numbers, or codes of categories.
        codes: the group of each row (n,); negative is no group.
        rng: divides the rows into halves.
        numeric: whether the input is a number.
    """
    known = (codes >= 0) & np.isfinite(values)
    values, codes = values[known], codes[known]
    first = rng.permutation(len(codes)) < len(codes) // 2
    levels, places = np.unique(values, return_inverse=True)
    orders = (["own"] if numeric else []) + (["learned"] if len(levels) * ROWS_A_LEVEL <= len(values) else [])
    for order in orders:
        for sides in _cuts(codes):
            agreements = [
                gamma(values, side) if order == "own" else _learned(places, len(levels), side, first) for side in sides
            ]
            known_agreements = [agreement for agreement in agreements if not np.isnan(agreement)]
            if known_agreements and min(map(abs, known_agreements)) >= AGREEMENT:
                return True
    return False


def _cuts(codes: Array) -> Iterator[list[Array]]:
    """Sides of the groups (n,) bool: each level against the rest, and each level with those above it."""
    present = np.unique(codes)
    if len(present) > 1:
        yield [codes == level for level in present]
        yield [codes >= level for level in present[1:]]


def _learned(places: Array, number: int, side: Array, first: Array) -> float:
    """Gamma on the second half of the rows, with the levels ordered by their share of the side in the first half."""
    rows = np.bincount(places[first], minlength=number)
    marked = np.bincount(places[first], weights=side[first], minlength=number)
    shares = np.divide(marked, rows, out=np.full(number, np.nan), where=rows > 0)[places[~first]]
    seen = ~np.isnan(shares)
    return gamma(shares[seen], side[~first][seen])


def gamma(values: Array, side: Array) -> float:
    """Goodman and Kruskal's gamma of numbers (n,) and a side (n,) bool; NaN with few rows of a side or no pair.

    It is the difference of the shares of concordant and discordant pairs among the pairs that are not tied.
    """
    if min(int(side.sum()), int((~side).sum())) < FEWEST_ROWS:
        return float("nan")
    _, places = np.unique(values, return_inverse=True)
    marked, rest = (np.bincount(places[part], minlength=places.max() + 1).astype(float) for part in (side, ~side))
    concordant = float((marked * (np.cumsum(rest) - rest)).sum())
    discordant = float((rest * (np.cumsum(marked) - marked)).sum())
    pairs = concordant + discordant
    return (concordant - discordant) / pairs if pairs else float("nan")
