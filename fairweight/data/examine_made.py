"""Examine the rows that augmentations generate, of the first seed of a study."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from fairweight.core.artifacts import read_augmented, read_rows, read_split, write_rows
from fairweight.core.random_streams import generator
from fairweight.core.table import Augmented, Table
from fairweight.data.made_quality import quality

SCHEMA = {
    **dict.fromkeys(("dataset", "augmentation", "measure", "about"), "string"),
    **dict.fromkeys(("value", "reference"), "double"),
    "rows": "int64",
}


class MadeBy(TypedDict):
    """Which augmentation of which dataset a file is of."""

    dataset: str
    augmentation: str


def examine_made(
    *, augmented: Sequence[str], about: Sequence[MadeBy], tables: Mapping[str, str], splits: Mapping[str, str], out: str
) -> None:
    """Write how faithful, useful and private generated rows are; see `made_quality.quality`.

    Args:
        augmented: Parquet files of augmentations that generate rows, of one seed.
        about: what each of them is of.
        tables, splits: dataset -> Parquet file.
        out: Parquet file to write, one row per augmentation, measure and column or group.
    """
    rows = []
    for path, entry in zip(augmented, about, strict=True):
        table, split = tables[entry["dataset"]], read_split(splits[entry["dataset"]])
        training = read_rows(table, split["train"])
        real = read_rows(table, np.sort(np.concatenate([split["validation"], split["test"]])))
        made = made_rows(training, read_augmented(path, training))
        rng = generator("examine_made", entry["augmentation"])
        measured = quality(made, real, training, rng) if len(made) else ()
        rows += [dict(entry) | row | {"rows": len(made)} for row in measured]
    write_rows(out, rows, SCHEMA)


def made_rows(training: Table, augmented: Augmented) -> Table:
    """The generated rows as a table: labels and groups are those of their sources."""
    sources = training.take(augmented.source)
    return Table(**(vars(sources) | {"numeric": augmented.numeric, "categorical": augmented.categorical}))
