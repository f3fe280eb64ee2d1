"""Split the rows of a dataset into training, validation and test rows."""

import numpy as np
from sklearn.model_selection import train_test_split

from fairweight.core.artifacts import PARTS, read_table, write_split
from fairweight.core.errors import InputError
from fairweight.core.random_streams import integer
from fairweight.core.recipes import Split
from fairweight.core.table import Table

TRAIN, VALIDATION, TEST = range(len(PARTS))


def split(table: str, destination: str, *, name: str, recipe: Split, seed: int) -> None:
    """Write the part of every row of a table.

    Args:
        table: Parquet file of the dataset.
        destination: Parquet file to write.
        name: the dataset's name; it seeds the drawing of the test rows, which the study's seed does not change.
        recipe: `test` (a share, 'official' or 'all') and `validation` (a share of the other rows).
        seed: the study's seed; it changes training and validation rows only.

    Raises:
        InputError: a part lacks a class, or there are no official test rows.
    """
    rows = read_table(table, inputs=False)
    try:
        write_split(destination, rows.row, parts(rows, name=name, recipe=recipe, seed=seed))
    except InputError as error:
        raise InputError(f"datasets: {name}: split: {error}.") from None


def parts(table: Table, *, name: str, recipe: Split, seed: int) -> np.ndarray:
    """Part of each row (n,): 0 train, 1 validation, 2 test; drawn stratified by label. See `split`."""
    part = np.full(len(table), TRAIN)
    part[test_rows(table, name=name, recipe=recipe)] = TEST
    if recipe["test"] == "all":
        return part
    rest = np.flatnonzero(part != TEST)
    part[_drawn(table, rest, recipe["validation"], integer("validation", name, seed))] = VALIDATION
    for code, part_name in enumerate(PARTS):
        _check_classes(table, part == code, part_name)
    return part


def test_rows(table: Table, *, name: str, recipe: Split) -> np.ndarray:
    """Positions of the test rows, which are the same for all seeds. See `split`."""
    everything = np.arange(len(table))
    if recipe["test"] == "all":
        return everything
    if recipe["test"] == "official":
        test: np.ndarray = everything[table.file == "test"]
        if not len(test):
            raise InputError("test is 'official' and no row comes from a file named 'test'")
        return test
    return _drawn(table, everything, float(recipe["test"]), integer("test", name))


def _drawn(table: Table, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    try:
        _, drawn = train_test_split(rows, test_size=share, stratify=table.label[rows], random_state=seed % 2**32)
    except ValueError as error:
        counts = {c: int((table.label[rows] == code).sum()) for code, c in enumerate(table.classes)}
        raise InputError(f"a stratified share of {share:g} cannot be drawn from {counts} ({error})") from None
    return np.sort(drawn)


def _check_classes(table: Table, member: np.ndarray, part: str) -> None:
    for code, name in enumerate(table.classes):
        if not (table.label[member] == code).any():
            raise InputError(f"class {name!r} has no {part} row; add such rows, or leave the class out")
