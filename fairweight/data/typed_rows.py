"""Rows of files whose columns have types, such as Parquet and ORC: checked blocks, whole or in parts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fairweight.core.errors import InputError, first_line, listed
from fairweight.data.column_names import check_optional, check_same, checked_names, kept_names, with_partition
from fairweight.data.delimited_text import LONGEST_LINE
from fairweight.data.parts import Part, parts
from fairweight.data.raw_rows import FILE

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


@dataclass(frozen=True)
class Opened:
    """An opened file.

    Attributes:
        schema: of its columns that are rows' values, in their order.
        rows: their number.
        batches: returns batches of the columns with these names.
    """

    schema: pa.Schema
    rows: int
    batches: Callable[[list[str]], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes:
        kind: in words, with an article.
        opened: opens a file.
        nested: whether it reads columns of lists, mappings and the like, which a study can leave aside.
    """

    kind: str
    opened: Callable[[Path], AbstractContextManager[Opened]]
    nested: bool = False


def typed_rows(
    files: dict[str, Path], format_: Format, *, keep: list[str] | None, optional: Sequence[str], rows: int | None
) -> Iterator[pd.DataFrame]:
    """Read files one after the other, in blocks of rows.

    Args:
        files: name -> path.
        format_: their format.
        keep, optional, rows: as options of a reader.

    Yields:
        The columns as they are; column `__file__` names the file of each row.

    Raises:
        InputError: a file is not of the format, is damaged, has no rows, has two columns of one name, or has other
            columns than the first; or a column holds numbers in one part and text in another.
    """
    expected: tuple[list[str], str] | None = None  # columns of the first part, and its name
    nowhere, every = set(optional), list[str]()
    for name, path in files.items():
        kinds: dict[str, tuple[str, str]] = {}  # column -> kind of its values, and the part that has it
        left, total = rows, 0
        for part in parts(path, name):
            names, size, types = _columns(part, format_)
            every = with_partition(names, part.partition, part.name)
            kept = kept_names(every, part.name, keep, optional)
            expected = expected or (kept, part.name)
            check_same(kept, expected[0], part.name, expected[1])
            types_of = {column: type_ for column, type_ in zip(names, types, strict=True) if column in kept}
            if not format_.nested:
                _check_flat(types_of, part.name)
            _check_kinds(types_of, kinds, part.name)
            nowhere -= set(every)
            total += size
            for frame in _blocks(part, format_, kept) if left != 0 else ():
                block = frame.iloc[:left].assign(**part.partition)
                left = None if left is None else left - len(block)
                if len(block):
                    absent = dict.fromkeys(column for column in kept if column not in block)
                    yield block.assign(**absent)[kept].assign(**{FILE: name})
                if left == 0:
                    break
        if not total:
            raise InputError(f"file {name!r} has no rows")
    check_optional(nowhere, every)


def _columns(part: Part, format_: Format) -> tuple[list[str], int, list[pa.DataType]]:
    """(names of the columns, number of rows, types of the columns) of a file."""
    with part.path.open("rb"):  # a file that cannot be opened is no damaged table
        pass
    try:
        with format_.opened(part.path) as file:
            names, size, types = file.schema.names, file.rows, file.schema.types
    except UNREADABLE as error:
        raise InputError(f"file {part.name!r} is not {format_.kind} ({first_line(error)}); write it again") from None
    return checked_names(names, f"file {part.name!r}"), size, types


def _check_flat(types: dict[str, pa.DataType], part: str) -> None:
    for column, type_ in types.items():
        if pa.types.is_nested(type_):
            raise InputError(
                f"file {part!r}: column {listed([column])} has several values in each row ({type_}); list the other "
                "columns under reader: keep, or write a column for each value"
            )


def _check_kinds(types: dict[str, pa.DataType], kinds: dict[str, tuple[str, str]], part: str) -> None:
    """Refuse a part in which a column holds values of another kind than in an earlier part; `kinds` collects them."""
    for column, type_ in types.items():
        kind = _kind(type_)
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


def _blocks(part: Part, format_: Format, kept: list[str]) -> Iterator[pd.DataFrame]:
    """Blocks of the columns of a file that are kept."""
    start = 0
    try:
        with format_.opened(part.path) as file:
            written_of = dict(
                zip(checked_names(file.schema.names, f"file {part.name!r}"), file.schema.names, strict=True)
            )
            names = [name for name in written_of if name in kept]
            for batch in file.batches([written_of[name] for name in names]):
                columns = [batch.column(written_of[name]) for name in names]
                for column, values in zip(names, columns, strict=True):
                    _check_values(values, f"file {part.name!r}: column {listed([column])}", start)
                # without the metadata of pandas, by which names could be numbers and types lose their missing values
                yield _frame(columns, names, part.name, len(batch))
                start += len(batch)
            if start < file.rows:
                raise OSError(f"there are {start:,} rows, and its footer says {file.rows:,}")
    except UNREADABLE as error:
        if "out of range for nanosecond" in str(error):  # Arrow reads time stamps of ORC in nanoseconds only
            raise InputError(
                f"file {part.name!r} has a time stamp before 1678 or after 2261, which cannot be read; write it as text"
            ) from None
        raise InputError(
            f"file {part.name!r} is damaged after row {start:,} ({first_line(error)}); write it again"
        ) from None


def _frame(columns: list[pa.Array], names: list[str], file: str, rows: int) -> pd.DataFrame:
    """Columns as a data frame.

    Raises:
        InputError: Python has no such date or time.
    """
    if not names:  # all columns that are kept are those of folders
        return pd.DataFrame(index=range(rows))
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
