"""From raw files to one table: checked, typed, coded; and the data card."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from fairweight.core import components
from fairweight.core.artifacts import checksum, read_table, write_json, write_table
from fairweight.core.errors import InputError
from fairweight.core.table import Table
from fairweight.data.card import Tally, contents, tally
from fairweight.data.categorical_codes import Coding, coded
from fairweight.data.deduplicate import removal
from fairweight.data.partitions import DEFAULT, Partitions, workers
from fairweight.data.raw_rows import RawRows, raw_blocks
from fairweight.data.survey import Survey, checked, survey


def read(
    files: dict[str, str], table: str, contents_path: str, *, name: str, recipe: dict[str, Any], given: list[str],
    threads: int = 1, partitions: Partitions = DEFAULT,
) -> None:  # fmt: skip
    """Read a dataset's raw files and write its table and a count of what it holds, in bounded memory.

    The files are read twice: what all rows hold must be known (levels, classes) before the first one can be coded.

    Args:
        files: name of the raw file -> path.
        table: Parquet file to write.
        contents_path: JSON file to write.
        name: the dataset's name, for messages.
        recipe: the dataset's part of the study file.
        given: columns of scores to keep.
        threads, partitions: who works on the blocks; see `partitions.workers`.

    Raises:
        InputError: the data do not fit the study file; one sentence with the column and the remedy.
    """
    paths = {key: Path(path) for key, path in files.items()}
    found, counts = Survey(), Tally()

    def frames() -> pd.DataFrame | Iterable[pd.DataFrame]:
        options = components.chosen(recipe["reader"])
        raw: pd.DataFrame | Iterable[pd.DataFrame] = components.load("readers", recipe["reader"]["method"])(
            paths, **options
        )
        return raw

    def blocks() -> Iterator[RawRows]:
        # rows are numbered as they stay; where none go, a reader's frame is cut into blocks as it is
        return raw_blocks(removed.applied(frames()) if removed.rows else frames(), recipe["drop"])

    with workers(threads, partitions) as spread:
        try:
            removed = removal(frames, recipe)
            for part in spread.in_order(partial(survey, recipe=recipe, given=given), blocks()):
                found += part
            code = partial(_coded, coding=checked(found, recipe), recipe=recipe, given=given)
            write_table(table, _counted(spread.in_order(code, blocks()), counts))
        except InputError as error:
            raise InputError(f"datasets: {name}: {str(error).rstrip('.')}.") from None
    checksums = {key: checksum(path) for key, path in paths.items()}
    some = read_table(table, block=0)
    write_json(contents_path, contents(some, counts, found, recipe, checksums) | {"removed": dict(removed.counts)})
    for reason, number in removed.counts:
        print(f"{number:,} rows {reason} are left out")


def _coded(raw: RawRows, coding: Coding, recipe: dict[str, Any], given: list[str]) -> tuple[Table, Tally]:
    rows = coded(raw, coding, recipe, given)
    return rows, tally(raw, rows, recipe)


def _counted(portions: Iterable[tuple[Table, Tally]], counts: Tally) -> Iterator[Table]:
    for rows, part in portions:
        counts += part
        yield rows
