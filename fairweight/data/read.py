"""Read raw files into one checked, typed table with categorical codes, and count what it holds."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from fairweight.core import components
from fairweight.core.artifacts import read_table, write_json, write_table
from fairweight.core.checksums import checksum
from fairweight.core.errors import InputError
from fairweight.core.memory import check_memory
from fairweight.core.recipes import DatasetRecipe
from fairweight.core.table import Table, block_rows
from fairweight.data.categorical_codes import Categories, to_table
from fairweight.data.deduplicate import removal
from fairweight.data.partitions import AHEAD, DEFAULT, Partitions, workers
from fairweight.data.raw_rows import RawRows, numbered, raw_blocks
from fairweight.data.raw_spool import Spool, converted
from fairweight.data.survey import Survey, checked_categories, survey
from fairweight.data.tally import Tally, contents, tally
from fairweight.data.value_formats import Formats


def read(
    files: dict[str, str],
    table: str,
    contents_path: str,
    *,
    name: str,
    recipe: DatasetRecipe,
    given: list[str],
    predicted: Sequence[str] = (),
    threads: int = 1,
    partitions: Partitions = DEFAULT,
) -> None:
    """Read a dataset's raw files and write its table and a count of what it holds, in bounded memory.

    The levels and classes of all rows must be known before the first row can become one of the table. In between, the
    converted columns are kept in temporary files (see `raw_spool`); where that is not possible, the files are read
    twice.

    Args:
        files: name of the raw file -> path.
        table: Parquet file to write.
        contents_path: JSON file to write.
        name: the dataset's name, for messages.
        recipe: the dataset's part of the study file.
        given: columns of scores to keep.
        predicted: columns of predicted classes to keep.
        threads, partitions: what works on the blocks; see `partitions.workers`.

    Raises:
        InputError: the data do not fit the study file; one sentence with the column and the remedy.
    """
    paths = {key: Path(path) for key, path in files.items()}
    totals, counts = Survey(), Tally()

    def frames() -> pd.DataFrame | Iterable[pd.DataFrame]:
        options = components.chosen(recipe["reader"])
        reader = components.load("readers", recipe["reader"]["method"])
        read_rows: pd.DataFrame | Iterable[pd.DataFrame] = reader(paths, **options)
        return read_rows

    def blocks() -> Iterator[RawRows]:
        # rows are numbered after the removal; without one, a reader's frame is cut into blocks as it is
        left = removed.applied(numbered(frames())) if removed.rows else frames()
        return raw_blocks(left, recipe["drop"], Formats.from_recipe(recipe))

    _check_fits(recipe, threads, partitions)
    with workers(threads, partitions) as spread, Spool() as spool:
        try:
            removed = removal(frames, recipe)
            surveyed = partial(_surveyed, recipe=recipe, given=given, predicted=predicted)
            for part, rows in spread.in_order(surveyed, blocks()):
                totals += part
                spool.add(rows)
            convert = partial(
                _converted,
                categories=checked_categories(totals, recipe),
                recipe=recipe,
                given=given,
                predicted=predicted,
            )
            raw = iter(spool) if spool.complete else blocks()
            write_table(table, _counted(spread.in_order(convert, raw), counts))
            if (written := sum(map(len, counts.test))) != totals.size:
                raise RuntimeError(f"{written:,} rows were written of {totals.size:,} that were surveyed")
        except InputError as error:
            raise InputError(f"datasets: {name}: {str(error).rstrip('.')}.") from None
    checksums = {key: checksum(path) for key, path in paths.items()}
    first_block = read_table(table, block=0)
    write_json(contents_path, contents(first_block, counts, totals, recipe, checksums, dict(removed.counts)))
    for column, origin in first_block.origins.items():
        print(f"{column}: {origin!r} is subtracted before its numbers become float32")
    for reason, number in removed.counts:
        print(f"{number:,} rows {reason} are left out")


def _check_fits(recipe: DatasetRecipe, threads: int, partitions: Partitions) -> None:
    """See `memory.check_memory`: the rows of all partitions in flight are held."""
    inputs = recipe["inputs"]
    columns = len(inputs["numeric"]) + len(inputs["categorical"])
    rows = AHEAD * threads * partitions["blocks"] * block_rows(columns)
    remedy = "set 'partitions: blocks' to a smaller number, or use fewer threads"
    check_memory("read", 16 * rows * columns, f"{rows:,} rows at a time", remedy)


def _surveyed(
    raw: RawRows, recipe: DatasetRecipe, given: list[str], predicted: Sequence[str]
) -> tuple[Survey, RawRows | None]:
    return survey(raw, recipe, given), converted(raw, recipe, predicted)


def _converted(
    raw: RawRows, categories: Categories, recipe: DatasetRecipe, given: list[str], predicted: Sequence[str]
) -> tuple[Table, Tally]:
    rows = to_table(raw, categories, recipe, given, predicted)
    return rows, tally(raw, rows, recipe, categories)


def _counted(portions: Iterable[tuple[Table, Tally]], counts: Tally) -> Iterator[Table]:
    """Pass the tables on and add their counts."""
    for rows, part in portions:
        counts += part
        yield rows
