"""Read Parquet tables, whole or in parts; all files have the same columns."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fairweight.core.errors import InputError, first_line, listed
from fairweight.core.table import block_rows
from fairweight.data.column_names import check_same, checked_names, with_partition
from fairweight.data.delimited_text import LONGEST_LINE
from fairweight.data.parts import parts
from fairweight.data.raw_rows import FILE

PARTS = True  # a raw file may be a folder of parts
OPTIONS = {
    "rows": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Read only this number of rows from the start of each file, for a quick trial.",
    },
}
# whole numbers and Booleans stay what they are beside missing values
NULLABLE = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
}
UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError)


def read(files: dict[str, Path], *, rows: int | None) -> Iterator[pd.DataFrame]:
    """Read the files one after the other, in blocks of rows.

    Args:
        files: name -> path.
        rows: see `OPTIONS`.

    Yields:
        The columns as they are, without the index that pandas has saved; column `__file__` names the file of each row.

    Raises:
        InputError: a file is not Parquet, is damaged, has no rows, has two columns of one name, or has other columns
            than the first; or a column holds numbers in one part and text in another.
    """
    expected: tuple[list[str], str] | None = None  # columns of the first part, and its name
    for name, path in files.items():
        kinds: dict[str, tuple[str, str]] = {}  # column -> kind of its values, and the part that has it
        left, total = rows, 0
        for part in parts(path, name):
            names, size, types = _columns(part.path, part.name)
            names = with_partition(names, part.partition, part.name)
            expected = expected or (names, part.name)
            check_same(names, expected[0], part.name, expected[1])
            _check_kinds(names, types, kinds, part.name)
            total += size
            for frame in _blocks(part.path, part.name) if left != 0 else ():
                block = frame.iloc[:left].assign(**part.partition)
                left = None if left is None else left - len(block)
                if len(block):
                    yield block.assign(**{FILE: name})
                if left == 0:
                    break
        if not total:
            raise InputError(f"file {name!r} has no rows")


def _columns(path: Path, name: str) -> tuple[list[str], int, list[pa.DataType]]:
    """(names of the columns, number of rows, types of the columns) of a file."""
    with path.open("rb"):  # a file that cannot be opened is no damaged table
        pass
    try:
        with pq.ParquetFile(path) as file:
            schema, size = file.schema_arrow, file.metadata.num_rows
            names = _names(schema)
            types = [schema.field(schema.names.index(column)).type for column in names]
    except UNREADABLE as error:
        raise InputError(f"file {name!r} is not a Parquet table ({first_line(error)}); write it again") from None
    return checked_names(names, f"file {name!r}"), size, types


def _check_kinds(names: list[str], types: list[pa.DataType], kinds: dict[str, tuple[str, str]], part: str) -> None:
    """Refuse a part in which a column holds values of another kind than in an earlier part; `kinds` collects them."""
    for column, kind in zip(names, map(_kind, types), strict=False):  # columns of folders have no type
        if kind is None:
            continue
        expected, first = kinds.setdefault(column, (kind, part))
        if kind != expected:
            raise InputError(
                f"file {part!r}: column {listed([column])} holds {kind}, and {expected} in {first!r}; write all parts "
                "with one type"
            )


def _kind(type_: pa.DataType) -> str | None:
    """What a column of this type holds, in words; None where it has no value in any row."""
    if pa.types.is_dictionary(type_):
        return _kind(type_.value_type)
    if pa.types.is_null(type_):
        return None
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "numbers"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "text"
    if pa.types.is_timestamp(type_):
        return "time stamps with a time zone" if type_.tz else "time stamps without a time zone"
    return f"values of type {type_}"


def _names(schema: pa.Schema) -> list[str]:
    """Names of the columns that are no index of pandas."""
    try:
        listed_index = (schema.pandas_metadata or {}).get("index_columns", [])
        index = {column for column in listed_index if isinstance(column, str)}  # a mapping is an index without a column
    except (ValueError, AttributeError, TypeError):  # anything may stand there
        index = set()
    return [name for name in schema.names if name not in index]


def _blocks(path: Path, name: str) -> Iterator[pd.DataFrame]:
    start = 0
    try:
        with pq.ParquetFile(path) as file:
            written = _names(file.schema_arrow)
            names = checked_names(written, f"file {name!r}")
            for batch in file.iter_batches(block_rows(file.metadata.num_columns), use_threads=False):
                columns = [batch.column(column) for column in written]
                for column, values in zip(names, columns, strict=True):
                    _check_values(values, f"file {name!r}: column {listed([column])}", start)
                # without the metadata of pandas, by which names could be numbers and types lose their missing values
                yield _frame(columns, names, name)
                start += len(batch)
            if start < file.metadata.num_rows:
                raise OSError(f"there are {start:,} rows, and its footer says {file.metadata.num_rows:,}")
    except UNREADABLE as error:
        raise InputError(
            f"file {name!r} is damaged after row {start:,} ({first_line(error)}); write it again"
        ) from None


def _frame(columns: list[pa.Array], names: list[str], file: str) -> pd.DataFrame:
    """Columns as a data frame.

    Raises:
        InputError: Python has no such date or time.
    """
    try:
        return pa.table(columns, names=names).to_pandas(types_mapper=NULLABLE.get)
    except (ValueError, OverflowError) as error:
        if isinstance(error, UNREADABLE):
            raise
        for name, values in zip(names, columns, strict=True):
            try:
                values.to_pandas()
            except (ValueError, OverflowError):
                reason = first_line(error)
                raise InputError(
                    f"file {file!r}: column {listed([name])} cannot be read ({reason}); write it as text"
                ) from None
        raise


def _check_values(values: pa.Array, place: str, start: int) -> None:
    """Refuse text that is not UTF-8 and values that are too long, which pandas would meet much later."""
    if isinstance(values, pa.DictionaryArray):
        values, start = values.dictionary, -1
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return
    lengths = pc.binary_length(values)
    if len(values) and (pc.max(lengths).as_py() or 0) > LONGEST_LINE:
        position = pc.index(pc.greater(lengths, LONGEST_LINE), True).as_py()
        row = _row(start, position)
        raise InputError(f"{place}{row} has a value of more than {LONGEST_LINE:,} bytes, which is the limit; split it")
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        stored = values.cast(pa.binary() if pa.types.is_string(values.type) else pa.large_binary())
        position = next(i for i, value in enumerate(stored) if not _is_utf8(value.as_py()))
        raise InputError(
            f"{place}{_row(start, position)} holds text that is not UTF-8; write it as UTF-8, or as binary"
        ) from None


def _row(start: int, position: int) -> str:
    return "" if start < 0 else f" in data row {start + position + 1:,}"


def _is_utf8(value: bytes | None) -> bool:
    try:
        return value is None or bool(value.decode()) or True
    except UnicodeDecodeError:
        return False
