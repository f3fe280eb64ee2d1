"""Rows that are predicted: validation and test rows, some at a time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fairweight.core.artifacts import PARTS, read_rows, read_split
from fairweight.core.memory import check_memory
from fairweight.core.table import Table

FEWEST_ROWS = 1024  # of a block, unless there are fewer: checks of a file need some rows


class PredictedRows:
    """Validation and test rows of a dataset, in the order of the table.

    Args:
        table, split: Parquet files of the data.
    """

    def __init__(self, table: str, split: str) -> None:
        positions = read_split(split)
        both = np.concatenate([positions["validation"], positions["test"]])
        parts = np.repeat(
            np.array([PARTS.index("validation"), PARTS.index("test")], np.int8),
            [len(positions["validation"]), len(positions["test"])],
        )
        order = np.argsort(both, kind="stable")
        self._table, self._positions, self._parts = table, both[order], parts[order]

    def __len__(self) -> int:
        return len(self._positions)

    def blocks(self, batch_size: int = 1, inputs: bool = True) -> Iterator[tuple[Table, NDArray[np.int8]]]:
        """Yield the rows of some row blocks, and the part of each (n,): its position in `artifacts.PARTS`.

        Args:
            batch_size: rows of one call; all blocks but the last one have a multiple of it, so that calls are the same
                    for any size of blocks. Texts, whose calls depend on all lengths, are one block.
            inputs: see `artifacts.read_table`.
        """
        example = read_rows(self._table, self._positions[:1])
        self._check_fits(example, batch_size)
        size = len(self) if example.texts is not None else max(example.block_rows, FEWEST_ROWS)
        size = -(-max(size, 1) // batch_size) * batch_size
        for start in range(0, max(len(self), 1), size):
            rows = slice(start, start + size)
            yield read_rows(self._table, self._positions[rows], inputs), self._parts[rows]

    def _check_fits(self, example: Table, batch_size: int) -> None:
        """See `memory.check_memory`: one block of rows and its input tensors are held, and all texts."""
        rows = len(self) if example.texts is not None else min(len(self), max(batch_size, example.block_rows))
        remedy = "use a smaller 'batch_size', or a machine with more memory"
        check_memory("predict", 2 * rows * example.bytes_of_a_row, f"{rows:,} rows at a time", remedy)
