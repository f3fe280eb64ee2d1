"""Read libsvm files: lines `label index:value ...`, sparse or dense; an entry that is not there is 0."""

import gzip
import re
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from fairweight.core.errors import InputError, first_line, quoted
from fairweight.core.table import block_rows
from fairweight.data.column_names import MOST_COLUMNS
from fairweight.data.delimited_text import LONGEST_LINE
from fairweight.data.parts import parts
from fairweight.data.raw_rows import FILE

PARTS = True  # a raw file may be a folder of parts
OPTIONS = {
    "first_index": {
        "enum": [0, 1, None],
        "default": None,
        "description": "Index of the first feature. Null takes 0 if a file has an index 0, and else 1.",
    },
    "features": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 10_000,
        "default": None,
        "description": "Number of features; null takes the largest index of all files. With `first_index` and "
        "`features`, the files are read once less.",
    },
    "rows": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": None,
        "description": "Read only this number of rows from the start of each file, for a quick trial.",
    },
}

CHUNK_BYTES = 4 * 2**20  # parsing needs ten times as much memory
LABEL = "label"  # name of the column of labels
COLONS = bytes.maketrans(b":", b" ")
BLANKS = bytes.maketrans(b"\t\r\v\f", b"    ")
COMMENT = re.compile(rb"#[^\n]*")
SEPARATORS = b" :\n"
COLON, NEWLINE = b":\n"
SEPARATES = np.isin(np.arange(256), list(SEPARATORS))  # whether a byte ends a token
WHOLE = 2**53  # float64 holds every whole number up to this one
FORM = "a line is 'label index:value index:value ...'"


def read(
    files: dict[str, Path], *, first_index: int | None, features: int | None, rows: int | None
) -> Iterator[pd.DataFrame]:
    """Read the files one after the other, in blocks of rows.

    Args:
        files: name -> path; gzip is recognised by its content.
        first_index, features, rows: see `OPTIONS`.

    Yields:
        `label` as it is written, and a float64 column for each index, named by it: x1, x2 ... (x0, x1 ... if the first
        index is 0); column `__file__` names the file of each row.

    Raises:
        InputError: a line is not of this form, has an index twice or out of order or that is too large, or has `qid`.
    """
    first, last = _range(files, first_index, features)
    names = [f"x{index}" for index in range(first, last + 1)]
    print(f"indices of features from {first} to {last}, as columns {names[0]} to {names[-1]}; an absent entry is 0")
    for name, path in files.items():
        total = 0
        for block in _blocks(path, name, first, len(names), rows):
            total += len(block.labels)
            frame = pd.DataFrame(block.values, columns=names, copy=False)
            frame.insert(0, LABEL, block.labels)
            yield frame.assign(**{FILE: name})
        if not total:
            raise InputError(f"file {name!r} has no rows")


@dataclass(frozen=True)
class _Block:
    labels: NDArray[np.object_]  # (n,) as they are written
    values: NDArray[np.float64]  # (n, d)


@dataclass(frozen=True)
class _Entries:
    """Entries of some lines: the row of each among these lines, its index and its value."""

    labels: NDArray[np.object_]  # (n,)
    lines: NDArray[np.int64]  # (n,) number of each row's line in its file, from 1
    row: NDArray[np.int64]  # (m,)
    index: NDArray[np.int64]  # (m,)
    value: NDArray[np.float64]  # (m,)

    def line(self, entry: int) -> int:
        """Number of the line of an entry."""
        return int(self.lines[self.row[entry]])

    def fill(self, rows: slice, first: int, values: NDArray[np.float64]) -> None:
        """Write the entries of some of the rows into a matrix of zeros (rows, d), whose first index is `first`."""
        part = slice(*np.searchsorted(self.row, (rows.start, rows.stop)))
        values[self.row[part] - rows.start, self.index[part] - first] = self.value[part]


@dataclass(frozen=True)
class _Dense:
    """Entries of some lines that all have the same indices."""

    labels: NDArray[np.object_]  # (n,)
    before: int  # lines before them
    index: NDArray[np.int64]  # (k,)
    columns: list[NDArray[np.float64]]  # k columns (n,)

    def line(self, entry: int) -> int:  # noqa: ARG002 - as in `_Entries`
        """Number of the line of an entry, of which the first row has all."""
        return self.before + 1

    def fill(self, rows: slice, first: int, values: NDArray[np.float64]) -> None:
        """See `_Entries.fill`."""
        for index, column in zip(self.index, self.columns, strict=True):
            values[:, index - first] = column[rows]


def _range(files: dict[str, Path], first_index: int | None, features: int | None) -> tuple[int, int]:
    """First and last index of the features.

    Raises:
        InputError: an index is outside of what the options state, or there are too many.
    """
    if first_index is not None and features is not None:
        return first_index, first_index + features - 1
    smallest, largest = 1, 0
    for name, path in files.items():
        for entries, _place in _entries(path, name):
            smallest = min(smallest, int(entries.index.min(initial=smallest)))
            largest = max(largest, int(entries.index.max(initial=0)))
    first = smallest if first_index is None else first_index
    last = largest if features is None else first + features - 1
    if last < first:
        raise InputError(f"reader: no line has a feature, such as '{first}:0.5'; name a file with features")
    if last - first >= MOST_COLUMNS:
        raise InputError(
            f"reader: the largest index is {last:,}, and at most {MOST_COLUMNS:,} features are allowed; "
            "choose or combine features before"
        )
    return first, last


def _blocks(path: Path, name: str, first: int, columns: int, rows: int | None) -> Iterator[_Block]:
    """Dense blocks of the rows of a file."""
    size, left = block_rows(columns), rows
    values, labels = _zeros(size, columns), list[NDArray[np.object_]]()
    filled = 0
    for entries, place in _entries(path, name):
        _check_range(entries, first, columns, place)
        start, ends = 0, len(entries.labels) if left is None else min(left, len(entries.labels))
        left = None if left is None else left - ends
        while start < ends:
            taken = min(size - filled, ends - start)
            entries.fill(slice(start, start + taken), first, values[filled : filled + taken])
            labels.append(entries.labels[start : start + taken])
            start, filled = start + taken, filled + taken
            if filled == size:
                yield _Block(np.concatenate(labels), values)
                values, labels, filled = _zeros(size, columns), [], 0
        if left == 0:
            break
    if filled:
        yield _Block(np.concatenate(labels), values[:filled])


def _zeros(rows: int, columns: int) -> NDArray[np.float64]:
    return np.zeros((columns, rows)).T  # a data frame takes columns


def _check_range(entries: _Entries | _Dense, first: int, columns: int, place: str) -> None:
    outside = np.flatnonzero((entries.index < first) | (entries.index >= first + columns))
    if len(outside):
        index, line = entries.index[outside[0]], entries.line(int(outside[0]))
        raise InputError(
            f"{place}, line {line:,}: index {index} is not from {first} to {first + columns - 1}; correct "
            "reader: first_index or features, or the line"
        )


def _entries(path: Path, name: str) -> Iterator[tuple[_Entries | _Dense, str]]:
    """Entries of a file's lines, some lines at a time, each with the name of the file or of its part for messages."""
    for part in parts(path, name):
        place, line = f"file {part.name!r}", 0
        with closing(_chunks(part.path, place)) as chunks:
            for chunk in chunks:
                dense = _dense(chunk, line, place)
                yield dense or _parsed(chunk, line, place), place
                line += len(dense.labels) if dense else chunk.count(b"\n")


def _chunks(path: Path, place: str) -> Generator[bytes, None, None]:
    """The bytes of a file in chunks of whole lines; each ends with a line break."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
        rest = b""
        try:
            while data := file.read(CHUNK_BYTES):
                end = data.rfind(b"\n") + 1
                if end:
                    yield b"".join((rest, memoryview(data)[:end]))
                    rest = data[end:]
                else:
                    rest += data
                if len(rest) > LONGEST_LINE:
                    raise InputError(f"{place} has a line of more than {LONGEST_LINE:,} bytes; {FORM}")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{place} is a damaged gzip file ({first_line(error)}); fetch it again") from None
        if rest:
            yield rest + b"\n"


def _dense(chunk: bytes, before: int, place: str) -> _Dense | None:
    """Parse whole lines that all have the same indices, as text of columns; see `_parsed`.

    Returns:
        None if the lines are of another form, or have a number that needs a closer look.
    """
    separators = chunk.translate(None, b"0123456789.+-eE")
    for end in (b"\r\n", b" \n"):
        if end in separators:
            chunk, separators = (text.replace(end, b"\n") for text in (chunk, separators))
    entries = separators.find(b"\n") // 2
    lines, rest = divmod(len(separators), 2 * entries + 1)
    if not entries or rest or separators != (b" :" * entries + b"\n") * lines:
        return None
    names = ["label", *(f"{kind}{entry}" for entry in range(entries) for kind in ("i", "v"))]
    kinds = {"l": pa.string(), "i": pa.int32(), "v": pa.float64()}
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(chunk.translate(COLONS)),
            pyarrow.csv.ReadOptions(use_threads=False, block_size=len(chunk) + 1, column_names=names),
            pyarrow.csv.ParseOptions(delimiter=" ", quote_char=False),
            pyarrow.csv.ConvertOptions(null_values=[], column_types={name: kinds[name[0]] for name in names}),
        )
    except pa.ArrowInvalid:
        return None
    columns = [column.chunk(0).to_numpy(zero_copy_only=False) for column in table.columns]
    indices, values = columns[1::2], columns[2::2]
    index = np.array([column[0] for column in indices], np.int64)
    if any((column != number).any() for column, number in zip(indices, index, strict=True)):
        return None
    if index[0] < 0 or (np.diff(index) <= 0).any() or any(np.abs(column).max() >= WHOLE for column in values):
        return None
    labels = table.column(0).chunk(0)
    _numbers(labels.cast(pa.binary()), pa.float64(), np.arange(before + 1, before + lines + 1), place, "label")
    return _Dense(labels.to_numpy(zero_copy_only=False), before, index, values)


def _parsed(chunk: bytes, before: int, place: str) -> _Entries:
    """Parse whole lines.

    Tokens end at blanks, colons and line breaks, and Arrow converts all of a kind at once.

    Args:
        chunk: the lines.
        before: number of lines before them.
        place: the file, for messages.

    Raises:
        InputError: a line is not of the form.
    """
    written = (COMMENT.sub(b"", chunk) if b"#" in chunk else chunk).translate(BLANKS)
    text = np.frombuffer(written, np.uint8)
    ends = np.flatnonzero(SEPARATES[text])
    after = text[ends]  # separator after each token
    previous = np.concatenate([[NEWLINE], after[:-1]])
    lengths = np.diff(ends, prepend=-1) - 1
    line = np.cumsum(previous == NEWLINE) - 1  # the first token starts line 0
    filled = lengths > 0
    _check(~filled & ((after == COLON) | (previous == COLON)), line, before, place, "an index or a value is missing")
    bounds = np.concatenate([[0], ends - np.arange(len(ends))]).astype(np.int32)
    tokens = pa.Array.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(bounds), pa.py_buffer(written.translate(None, SEPARATORS))]
    )
    kept = np.flatnonzero(filled)
    line, after, previous = line[kept], after[kept], previous[kept]
    leads = np.diff(line, prepend=-1) != 0  # the first token of a line
    is_index, is_value = after == COLON, previous == COLON
    _check(leads & is_index, line, before, place, "the label is missing")
    _check(is_index & is_value, line, before, place, "an entry has two colons")
    _check(~leads & ~is_index & ~is_value, line, before, place, "an entry has no colon")
    lines = line[leads] + before + 1
    row = np.cumsum(leads) - 1
    labels = tokens.take(pa.array(kept[leads]))
    _numbers(labels, pa.float64(), lines, place, "label")
    index = _numbers(tokens.take(pa.array(kept[is_index])), pa.int64(), line[is_index] + before + 1, place, "index")
    entries = row[is_index]
    wrong = np.zeros(len(index), bool)
    wrong[1:] = (np.diff(entries) == 0) & (np.diff(index) <= 0)
    _check(wrong, line[is_index], before, place, "an index is repeated, or smaller than the one before it")
    _check(index < 0, line[is_index], before, place, "an index is negative")
    values = _numbers(tokens.take(pa.array(kept[is_value])), pa.float64(), line[is_value] + before + 1, place, "value")
    names = labels.cast(pa.string()).to_numpy(zero_copy_only=False)
    return _Entries(names, lines, entries, index, values)


def _check(wrong: NDArray[np.bool_], line: NDArray[np.int64], before: int, place: str, problem: str) -> None:
    if wrong.any():
        raise InputError(f"{place}, line {before + line[wrong.argmax()] + 1:,}: {problem}; {FORM}, indices ascending")


def _numbers(tokens: pa.Array, kind: pa.DataType, lines: NDArray[np.int64], place: str, what: str) -> NDArray[Any]:
    """Convert tokens to numbers of a type.

    Raises:
        InputError: one is no number, or float64 does not hold all of its digits.
    """
    try:
        texts = tokens.cast(pa.string())
        if pc.any(pc.starts_with(texts, "+")).as_py():  # Arrow takes a minus only
            texts = pc.replace_substring_regex(texts, r"^\+([0-9.])", r"\1")
        numbers: NDArray[Any] = texts.cast(kind).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        _refuse(tokens, kind, lines, place, what)
        raise
    if kind == pa.float64():
        for position in np.flatnonzero(np.abs(numbers) >= WHOLE):
            token = tokens[position].as_py()
            if re.fullmatch(rb"[+-]?[0-9]+", token) and int(token) != int(numbers[position]):
                raise InputError(
                    f"{place}, line {lines[position]:,}: float64 does not hold all digits of the {what} "
                    f"{token.decode()}; write it in a smaller unit"
                )
    return numbers


def _refuse(tokens: pa.Array, kind: pa.DataType, lines: NDArray[np.int64], place: str, what: str) -> None:
    """Name the first token that is no number."""
    for token, line in zip(tokens.to_pylist(), lines, strict=True):
        if token.lower() == b"qid":
            raise InputError(f"{place}, line {line:,}: 'qid' groups rows for ranking, which is no task here; remove it")
        try:
            pa.scalar(token.decode("ascii").removeprefix("+")).cast(kind)
        except (pa.ArrowInvalid, UnicodeDecodeError):
            written = quoted(token.decode("utf-8", "backslashreplace"))
            number = "whole number" if kind == pa.int64() else "number"
            raise InputError(f"{place}, line {line:,}: the {what} {written} is no {number}; {FORM}") from None
