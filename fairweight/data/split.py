"""Split the rows of a dataset into training, validation and test rows."""

import math

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.extmath import _approximate_mode

from fairweight.core.artifacts import PARTS, number_of_rows, read_labels, write_split
from fairweight.core.errors import InputError, listed
from fairweight.core.memory import check_memory
from fairweight.core.random_streams import integer
from fairweight.core.recipes import Split
from fairweight.core.table import Labels, Table

TRAIN, VALIDATION, TEST = range(len(PARTS))
BYTES_OF_A_ROW = 32  # measured: labels, groups, parts and drawn positions
TENTHS = 10  # strata of labels that are numbers


def split(table: str, destination: str, *, name: str, recipe: Split, seed: int) -> None:
    """Write the part of every row of a table.

    Args:
        table: Parquet file of the dataset.
        destination: Parquet file to write.
        name: the dataset's name; it seeds the drawing of the test rows, which the study's seed does not change.
        recipe: `test` (a share, names of files, 'official' or 'all') and `validation` (a share of the other rows).
        seed: the study's seed; it changes training and validation rows only.

    Raises:
        InputError: a part lacks a class, or there are no official test rows.
    """
    number = number_of_rows(table)
    check_memory("split", BYTES_OF_A_ROW * number, f"{number:,} rows", "use fewer rows, or a machine with more memory")
    rows = read_labels(table)
    try:
        write_split(destination, np.arange(len(rows)), parts(rows, name=name, recipe=recipe, seed=seed))
    except InputError as error:
        raise InputError(f"datasets: {name}: split: {error}.") from None


def parts(table: Table | Labels, *, name: str, recipe: Split, seed: int) -> np.ndarray:
    """Part of each row (n,): 0 train, 1 validation, 2 test. See `split`.

    They are drawn stratified by label: by its class, or by the tenth of the numbers to which it belongs.
    """
    part = np.full(len(table), TRAIN, np.int8)
    part[test_rows(table, name=name, recipe=recipe)] = TEST
    if recipe["test"] == "all":
        return part
    rest = np.flatnonzero(part != TEST)
    part[_drawn(table, rest, recipe["validation"], integer("validation", name, seed))] = VALIDATION
    for code, part_name in enumerate(PARTS):
        _check_classes(table, part == code, part_name)
    return part


def test_rows(table: Table | Labels, *, name: str, recipe: Split) -> np.ndarray:
    """Positions of the test rows, which are the same for all seeds. See `split`."""
    everything = np.arange(len(table))
    if recipe["test"] == "all":
        return everything
    if recipe["test"] == "official":
        test: np.ndarray = everything[table.in_files(["test"])]
        if not len(test):
            raise InputError("test is 'official' and no row comes from a file named 'test'")
        return test
    if isinstance(recipe["test"], list):
        named: np.ndarray = everything[table.in_files(recipe["test"])]
        if not len(named):
            raise InputError(f"no row comes from the files of 'test': {listed(recipe['test'])}")
        if len(named) == len(everything):
            raise InputError("all files are in 'test', so that no training rows are left; write 'all'")
        return named
    return _drawn(table, everything, float(recipe["test"]), integer("test", name))


def _drawn(table: Table | Labels, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    if table.measured:
        return _drawn_by_number(table.label[rows], rows, share, seed)
    try:
        return _stratified(table.label[rows], rows, share, seed % 2**32)
    except ValueError as error:
        counts = {c: int((table.label[rows] == code).sum()) for code, c in enumerate(table.classes)}
        raise InputError(f"a stratified share of {share:g} cannot be drawn from {counts} ({error})") from None


def _stratified(strata: np.ndarray, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw a share of rows, stratified, and sort it.

    It draws what scikit-learn's `train_test_split` draws, which makes a Python object of every row.

    Args:
        strata: int (n,).
        rows: int (n,).
        share: share of the rows that is drawn.
        seed: below 2^32.

    Raises:
        ValueError: a stratum has a single row, or there are fewer rows than strata.
    """
    codes, counts = np.unique(strata, return_counts=True)
    drawn_rows = math.ceil(share * len(rows))
    if counts.min(initial=2) < 2 or min(drawn_rows, len(rows) - drawn_rows) < max(1, len(codes)):
        train_test_split(rows, test_size=share, stratify=strata, random_state=seed)  # says what is wrong
    rng = np.random.RandomState(seed)
    left = _approximate_mode(counts, len(rows) - drawn_rows, rng)
    taken = _approximate_mode(counts - left, drawn_rows, rng)
    drawn = np.empty(drawn_rows, rows.dtype)
    filled = 0
    for code, count, before, number in zip(codes, counts, left, taken, strict=True):
        chosen = rng.permutation(count)[before : before + number]
        drawn[filled : filled + number] = rows[np.flatnonzero(strata == code)[chosen]]
        filled += number
    drawn.sort()
    return drawn


def _drawn_by_number(labels: np.ndarray, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw a share of rows, stratified by tenths of their labels; not stratified where tenths have too few rows."""
    cuts = np.unique(np.quantile(labels, np.arange(1, TENTHS) / TENTHS))
    strata = np.searchsorted(cuts, labels, side="right")
    counts = np.bincount(strata)
    drawn_rows = round(share * len(rows))
    enough = counts[counts > 0].min() >= 2 and min(drawn_rows, len(rows) - drawn_rows) >= TENTHS
    if enough:
        return _stratified(strata, rows, share, seed % 2**32)
    try:
        _, drawn = train_test_split(rows, test_size=share, random_state=seed % 2**32)
    except ValueError as error:
        raise InputError(f"a share of {share:g} cannot be drawn from {len(rows):,} rows ({error})") from None
    return np.sort(drawn)


def _check_classes(table: Table | Labels, member: np.ndarray, part: str) -> None:
    if table.measured and member.sum() < 2:
        raise InputError(f"there are {int(member.sum())} {part} rows; at least 2 are needed")
    for code, name in enumerate(table.classes):
        if not (table.label[member] == code).any():
            raise InputError(f"class {name!r} has no {part} row; add such rows, or leave the class out")
