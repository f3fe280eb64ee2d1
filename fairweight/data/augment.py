"""Augment the training rows of one split."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import partial, reduce
from operator import add

import numpy as np

from fairweight.core import components
from fairweight.core.artifacts import (
    describe_table,
    number_of_blocks,
    read_rows,
    read_split,
    read_table,
    write_augmented,
)
from fairweight.core.errors import InputError
from fairweight.core.memory import check_memory
from fairweight.core.random_streams import generator
from fairweight.core.recipes import MethodRecipe
from fairweight.core.table import Augmented, Table
from fairweight.data.column_statistics import Columns
from fairweight.data.partitions import DEFAULT, Partitions, Workers, workers

Made = tuple[Augmented, np.ndarray]  # what was made of some training rows, and the ids of those rows


def augment(
    table: str,
    split: str,
    destination: str,
    *,
    name: str,
    recipe: MethodRecipe,
    seed: int,
    threads: int = 1,
    partitions: Partitions = DEFAULT,
) -> None:
    """Write what an augmentation makes of the training rows.

    A method whose first parameter is called `block` is called once for each row block of the table, with an independent
    random stream. If it also has a parameter `columns`, it receives the statistics of all training rows. Any other
    method receives all training rows at once, which must fit into memory.

    Args:
        table, split: Parquet files of the dataset and of this seed's parts.
        destination: Parquet file to write.
        name: the augmentation's name, for messages and random numbers.
        recipe: `method` and its options.
        seed: the study's seed.
        threads, partitions: what works on the blocks; see `partitions.workers`.

    Raises:
        InputError: the method does not fit the data.
    """
    options = components.chosen(recipe)
    method = components.load("augmentations", recipe["method"])
    parameters = [p.name for p in inspect.signature(method).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    method, key, counts = partial(method, **options), ("augment", name, seed), np.zeros(3, int)
    with workers(threads, partitions) as spread:
        try:
            if parameters[0] == "block":
                made = _block_by_block(table, split, partial(_made, method, key), "columns" in parameters, spread)
            else:
                made = _at_once(table, split, method, key)
            write_augmented(destination, _counted(made, counts), like=read_table(table, block=0))
        except InputError as error:
            raise InputError(f"augmentations: {name}: {str(error).rstrip('.')}.") from None
    print(f"{counts[0]:,} rows made from {counts[1]:,} training rows; {counts[2]:,} training rows reweighted")


def training_blocks(table: str, split: str) -> Iterator[tuple[int, Table]]:
    """The training rows of each row block of a table, with the number of the block."""
    positions, start = read_split(split)["train"], 0
    for block in range(number_of_blocks(table)):
        rows = read_table(table, block=block)
        first, last = np.searchsorted(positions, [start, start + len(rows)])
        yield block, rows.take(positions[first:last] - start)
        start += len(rows)


def _block_by_block(
    table: str, split: str, make: Callable[..., Made], statistics: bool, spread: Workers
) -> Iterator[Made]:
    if statistics:
        # added in the order of the blocks, because a sum of floating-point numbers depends on the order
        make = partial(make, columns=reduce(add, spread.in_order(_columns, training_blocks(table, split))))
    return spread.in_order(make, training_blocks(table, split))


def _columns(numbered: tuple[int, Table]) -> Columns:
    return Columns.from_rows(numbered[1])


def _made(
    method: Callable[..., Augmented], key: tuple[str, str, int], numbered: tuple[int, Table], **statistics: Columns
) -> Made:
    number, rows = numbered
    return method(rows, generator(*key, number), **statistics), rows.row


def _at_once(table: str, split: str, method: Callable[..., Augmented], key: tuple[str, str, int]) -> Iterator[Made]:
    positions = read_split(split)["train"]
    # the rows, and as many made ones or their parts
    remedy = "use a method that takes row blocks, such as jitter, or fewer rows"
    needed = 2 * len(positions) * describe_table(table).bytes_of_a_row
    check_memory("augment", needed, f"{len(positions):,} training rows at once", remedy)
    training = read_rows(table, positions)
    yield method(training, generator(*key)), training.row


def _counted(made: Iterable[Made], counts: np.ndarray) -> Iterator[Made]:
    """Pass the parts on and count rows made, training rows, and training rows with a weight other than 1."""
    for augmented, ids in made:
        counts += len(augmented.source), len(ids), int((augmented.row_weights != 1).sum())
        yield augmented, ids
