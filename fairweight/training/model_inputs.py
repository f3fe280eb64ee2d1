"""Input tensors of an exported model for rows of a table, whole or in batches.  NumPy only.

Texts are tokenized here. Modules that only read a signature import `signature` and do not depend on the tokenizer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.table import Table
from fairweight.training.signature import PADDING, TOKENS, Feeds, Signature
from fairweight.training.tokenizer import tokens


def input_tensors(signature: Signature, table: Table) -> Feeds:
    """Compute the input tensors of a model with this signature for all rows of a table.

    Returns:
        `tokens` int64 (n, length, ...), padded at the end; `image` uint8 (n, channels, height, width); or `numeric`
        float32 (n, k; float64 if the signature has origins) and `categorical` int64 (n, c), whichever the model has. A
        category that no training row had is -1.

    Raises:
        ValueError: the table has no texts or no images, and the model takes them.
    """
    if signature.text is not None:
        if table.texts is None:
            raise ValueError("the model takes texts, and the table has none")
        return {TOKENS: tokens(signature.text, table.texts)}
    if signature.image is not None:
        if table.images is None:
            raise ValueError("the model takes images, and the table has none")
        return {"image": table.images}
    feeds: Feeds = {}
    if signature.numeric:
        feeds["numeric"] = _numbers(signature, table)
    if signature.categorical:
        columns = [_codes(signature, table, position, name) for position, name in enumerate(signature.categorical)]
        feeds["categorical"] = np.stack(columns, axis=1)
    return feeds


def _numbers(signature: Signature, table: Table) -> NDArray[np.float32] | NDArray[np.float64]:
    """The numbers of the raw rows (n, k): the table holds them minus their origins."""
    if not signature.origins:
        return table.numeric
    return table.numeric + np.array([signature.origins.get(name, 0.0) for name in signature.numeric], np.float64)


def _codes(signature: Signature, table: Table, position: int, name: str) -> NDArray[np.int64]:
    """Translate the codes of a column from the table's levels to those of the signature."""
    known = {level: code for code, level in enumerate(signature.categorical[name])}
    translation = np.array([known.get(level, -1) for level in table.levels[name]], dtype=np.int64)
    translated: NDArray[np.int64] = translation[table.categorical[:, position]]
    return translated


@dataclass(frozen=True)
class ModelInputs:
    """Input tensors of n rows, by name."""

    feeds: Feeds

    @classmethod
    def from_rows(cls, signature: Signature, rows: Table) -> "ModelInputs":
        """Compute the input tensors of a model with this signature."""
        return cls(input_tensors(signature, rows))

    def __len__(self) -> int:
        return len(next(iter(self.feeds.values())))

    def lengths(self) -> NDArray[np.int64] | None:
        """Return the number of tokens of each row (n,); None where all rows have one size."""
        return lengths(self.feeds[TOKENS]) if TOKENS in self.feeds else None

    def at(self, positions: NDArray[Any] | slice) -> Feeds:
        """Return the input tensors of the rows at these positions, with tokens cut to the longest of these rows."""
        feeds = {name: array[positions] for name, array in self.feeds.items()}
        if TOKENS in feeds:
            feeds[TOKENS] = feeds[TOKENS][:, : max(1, lengths(feeds[TOKENS]).max(initial=1))]
        return feeds

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.int64], Feeds]]:
        """Yield positions and input tensors of `size` rows at a time.

        Rows come in their order, or sorted by length where their lengths differ.
        """
        row_lengths = self.lengths()
        order = np.arange(len(self)) if row_lengths is None else np.argsort(row_lengths, kind="stable")
        for start in range(0, len(self), size):
            positions = order[start : start + size]
            yield positions, self.at(positions)

    def outputs(self, run: Callable[[Feeds], NDArray[Any]], size: int) -> NDArray[Any]:
        """Run a loaded file on all rows, `size` rows a call.

        Returns:
            Its outputs (n, ...), in the order of the rows.
        """
        positions, parts = zip(*((batch, run(feeds)) for batch, feeds in self.batches(size)), strict=True)
        outputs = np.concatenate(parts)
        back = np.empty(len(outputs), np.int64)
        back[np.concatenate(positions)] = np.arange(len(outputs))
        return outputs[back]


def lengths(padded: NDArray[Any]) -> NDArray[np.int64]:
    """Count the tokens of each row before its padding: (n, length, ...) -> (n,)."""
    flat = padded.reshape(*padded.shape[:2], -1)
    counts: NDArray[np.int64] = (flat[:, :, 0] != PADDING).sum(axis=1)
    return counts
