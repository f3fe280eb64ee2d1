"""Count the test rows with a category that no other row of the dataset has."""

from collections import Counter
from typing import TypedDict

import numpy as np

from fairweight.core.artifacts import number_of_blocks, read_labels, read_table
from fairweight.core.recipes import Split
from fairweight.data.split import test_rows


class Unseen(TypedDict):
    """Test rows whose category of one column no other row has; a model reads such a category as none."""

    rows: int
    test_rows: int
    categories: list[str]


def unseen_categories(table: str, *, name: str, recipe: Split) -> dict[str, Unseen]:
    """Count them, one row block after the other.

    Args:
        table: Parquet file of the dataset.
        name: the dataset's name, which seeds the drawing of its test rows.
        recipe: how its rows are divided.

    Returns:
        Categorical column -> its test rows with such categories; columns without any are left out, and so are all
        columns if every row is a test row.

    Raises:
        InputError: the test rows cannot be drawn.
    """
    rows = read_labels(table)
    test = np.zeros(len(rows), bool)
    test[test_rows(rows, name=name, recipe=recipe)] = True
    counts, levels, start = Counter[tuple[str, int, bool]](), dict[str, tuple[str, ...]](), 0
    for block in range(number_of_blocks(table)):
        part = read_table(table, block=block)
        levels, of_part = part.levels, test[start : start + len(part)]
        start += len(part)
        for column, codes in zip(levels, part.categorical.T, strict=True):
            for side in (False, True):
                values, numbers = np.unique(codes[of_part == side], return_counts=True)
                counts.update({(column, int(v), side): int(n) for v, n in zip(values, numbers, strict=True)})
    entries: dict[str, Unseen] = {}
    for column, names in levels.items():
        new = [code for code in range(len(names)) if counts[column, code, True] and not counts[column, code, False]]
        if new and not test.all():
            size = sum(counts[column, code, True] for code in new)
            entries[column] = {"rows": size, "test_rows": int(test.sum()), "categories": [names[code] for code in new]}
    return entries
