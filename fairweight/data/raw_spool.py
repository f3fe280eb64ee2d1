"""Converted columns of raw rows in temporary files, so that raw files are parsed once, and not once for each pass."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from fairweight.core.errors import InputError
from fairweight.core.recipes import DatasetRecipe
from fairweight.data.raw_rows import FILE, RawRows
from fairweight.data.tally import quasi_identifiers

Converted = dict[tuple[Any, ...], Any]


def converted(rows: RawRows, recipe: DatasetRecipe, predicted: Sequence[str]) -> RawRows | None:
    """Surveyed rows with nothing but what their conversion to a table needs.

    Args:
        rows: one block, whose columns the survey has converted.
        recipe: the dataset's part of the study file.
        predicted: columns of predicted classes.

    Returns:
        The rows without the columns of the raw files, except for the first block, which is searched for identifiers.
        None where the files must be read again: there are images, or a column that cannot be converted.
    """
    if recipe["inputs"]["image"]:
        return None
    try:
        for column in quasi_identifiers(recipe):
            if column not in recipe["inputs"]["numeric"]:
                rows.names(column, "quasi_identifiers")
        if target := recipe["target"]:
            for column in predicted:
                rows.labels({**target, "column": column})
    except InputError:  # it is raised when the rows become a table, after what the survey says
        return None
    if rows.start == 0:
        return rows
    names = {key[1]: values for key, values in rows.converted.items() if key[0] == "names"}
    return replace(rows, frame=pd.DataFrame(names | {FILE: rows.frame[FILE]}), numbers_in_files=None)


class Spool:
    """Blocks of rows in their order: the first one in memory, the others in files of a temporary folder."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="fairweight-read-")
        self.blocks = list[tuple[RawRows, Path | None]]()
        self.complete = True  # whether it holds all blocks that were added

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()

    def add(self, rows: RawRows | None) -> None:
        """Add a block; where it cannot be kept, the spool is given up and is not `complete` any more."""
        if rows is None:
            self._give_up()
        if rows is None or not self.complete:
            return
        if not self.blocks:
            self.blocks.append((rows, None))
            return
        path = Path(self.folder.name) / f"{len(self.blocks)}.arrow"
        columns = [_whole(pa.array(values)) for values in (rows.frame[FILE].astype("str"), *rows.converted.values())]
        content = pa.record_batch(columns, names=list(map(str, range(len(columns)))))
        try:
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, content.schema) as writer:
                writer.write_batch(content)
        except OSError:  # such as a full disk: the raw files are still there
            self._give_up()
            return
        empty = rows.frame.iloc[:0]
        self.blocks.append((replace(rows, frame=empty, converted=dict.fromkeys(rows.converted)), path))

    def _give_up(self) -> None:
        self.complete, self.blocks = False, []
        self.folder.cleanup()

    def __iter__(self) -> Iterator[RawRows]:
        for rows, path in self.blocks:
            yield rows if path is None else _restored(rows, path)


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _restored(rows: RawRows, path: Path) -> RawRows:
    with pa.memory_map(str(path)) as file:
        files, *columns = pa.ipc.open_file(file).get_batch(0).columns
    values: Converted = {}
    for key, column in zip(rows.converted, columns, strict=True):
        texts = pa.types.is_large_string(column.type) or pa.types.is_string(column.type)
        values[key] = column.to_pandas() if texts else column.to_numpy(zero_copy_only=False)
    names = {key[1]: series for key, series in values.items() if key[0] == "names"}
    return replace(rows, frame=pd.DataFrame(names | {FILE: files.to_pandas()}), converted=values)
