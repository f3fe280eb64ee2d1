"""Shapley values of the inputs of single rows, sampled by permutations of the inputs (NumPy only).

Any model that predicts rows can be explained: an int8 file has no gradients, and its inputs can still be exchanged.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# value of n rows (n,), each with the inputs of its mask (n, d) from the row itself and the others from a background row
# at this position (n,)
Value = Callable[[Array, Array], Array]


def permutations(inputs: int, pairs: int, rng: np.random.Generator) -> Iterator[tuple[int, Array]]:
    """Permutations of the inputs, each followed by its reverse, which halves the variance (Mitchell et al. 2022).

    Args:
        inputs: number of inputs d.
        pairs: number of pairs.
        rng: random stream.

    Yields:
        (pair, permutation (d,)).
    """
    for pair in range(pairs):
        order = rng.permutation(inputs)
        yield pair, order
        yield pair, order[::-1]


def sampled(value: Value, rows: int, inputs: int, *, background: int, pairs: int, rng: np.random.Generator) -> Array:
    """Shapley values by permutation sampling (Castro 2009; Strumbelj & Kononenko 2014), against background rows.

    An input that is absent has the value of a background row: one for each row and pair, the same for all models that
    are explained with the same random stream.

    Args:
        value: see `Value`.
        rows: number of rows n.
        inputs: number of inputs d.
        background: number of background rows to draw from.
        pairs: pairs of permutations P.
        rng: random stream.

    Returns:
        float64 (P, n, d): the mean over pairs is the estimate; the values of a row and pair sum to the difference of
        its value and that of its background row.
    """
    result = np.zeros((pairs, rows, inputs))
    drawn = rng.integers(background, size=(pairs, rows))
    for pair, order in permutations(inputs, pairs, rng):
        present = np.zeros((rows, inputs), dtype=bool)
        before = value(present, drawn[pair])
        for position in order:
            present[:, position] = True
            after = value(present, drawn[pair])
            result[pair, :, position] += (after - before) / 2
            before = after
    return result


def deletion(value: Value, order: Array, background: Array) -> Array:
    """Mean value of each row while its inputs are exchanged for those of a background row one by one (Petsiuk 2018).

    Args:
        value: see `Value`.
        order: inputs of each row in the order in which they go (n, d).
        background: position of the background row of each row (n,).

    Returns:
        (n,): the lower, the more the first inputs mattered.
    """
    rows, inputs = order.shape
    present = np.ones((rows, inputs), dtype=bool)
    total = value(present, background) / 2
    for step in range(inputs):
        present[np.arange(rows), order[:, step]] = False
        last = step == inputs - 1
        total = total + value(present, background) * (0.5 if last else 1.0)
    area: Array = total / inputs
    return area
