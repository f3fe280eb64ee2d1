"""Rows as an engine is fed with them: in batches, where padded tokens are cut to the longest of the batch.  NumPy only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Table
from fairweight.training.signature import Signature

Feeds = dict[str, NDArray[Any]]
TOKENS = "tokens"  # the input that is padded at its end
PADDING = -1


@dataclass(frozen=True)
class Fed:
    """Input tensors of n rows, by name."""

    feeds: Feeds

    @classmethod
    def of(cls, signature: Signature, rows: Table) -> "Fed":
        """Those that a shipped file with this signature takes."""
        return cls(signature.feeds(rows))

    def __len__(self) -> int:
        return len(next(iter(self.feeds.values())))

    def lengths(self) -> NDArray[np.int64] | None:
        """Tokens of each row (n,); None where all rows are of one size."""
        return lengths(self.feeds[TOKENS]) if TOKENS in self.feeds else None

    def at(self, positions: NDArray[Any] | slice) -> Feeds:
        """Input tensors of the rows at these positions."""
        found = {name: array[positions] for name, array in self.feeds.items()}
        if TOKENS in found:
            found[TOKENS] = found[TOKENS][:, : max(1, lengths(found[TOKENS]).max(initial=1))]
        return found

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.int64], Feeds]]:
        """Positions and input tensors of so many rows at a time: in their order, or if they differ in length by that."""
        found = self.lengths()
        order = np.arange(len(self)) if found is None else np.argsort(found, kind="stable")
        for start in range(0, len(self), size):
            positions = order[start : start + size]
            yield positions, self.at(positions)

    def outputs(self, run: Callable[[Feeds], NDArray[Any]], size: int) -> NDArray[Any]:
        """What a loaded file returns for all rows (n, ...), called with so many at a time; in the order of the rows."""
        positions, found = zip(*((where, run(feeds)) for where, feeds in self.batches(size)), strict=True)
        outputs = np.concatenate(found)
        back = np.empty(len(outputs), np.int64)
        back[np.concatenate(positions)] = np.arange(len(outputs))
        return outputs[back]


def lengths(tokens: NDArray[Any]) -> NDArray[np.int64]:
    """Number of tokens before the padding of each row (n,)."""
    flat = tokens.reshape(*tokens.shape[:2], -1)
    found: NDArray[np.int64] = (flat[:, :, 0] != PADDING).sum(axis=1)
    return found
