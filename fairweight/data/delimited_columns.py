"""Columns of delimited text through Arrow, some lines at a time; lines that Arrow may read otherwise become records.

Arrow parses lines without quotes, and lines in which every quote stands at an end of a value or is doubled. Other lines
(line breaks within values, stray quotes, blanks around quotes, lone carriage returns, a wrong number of values) are
parsed as `delimited_rows` does. When that finds a mistake, the file is read again by it alone, from its start, so
that the sentence about the mistake does not depend on how lines were grouped.
"""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from fairweight.core.errors import InputError
from fairweight.core.table import block_rows
from fairweight.data import delimited_rows
from fairweight.data.delimited_text import LONGEST_LINE, Form, Segments

CHUNK_BYTES = 1 << 20
LARGEST_CHUNK = 8 << 20  # of rows of many values; less than `LONGEST_LINE`
PART_ROWS = 256
SOME = 0.5  # share of values from which on all are looked up
NEWLINE, RETURN = b"\n\r"
# first and last bytes, in UTF-8, of characters that `str.strip` removes; other characters share some of them
SPACES = [chr(code) for code in range(0x3001) if chr(code).isspace()]
STARTS = np.isin(np.arange(256), [space.encode()[0] for space in SPACES])
ENDS = np.isin(np.arange(256), [space.encode()[-1] for space in SPACES])


def blocks(
    path: Path,
    name: str,
    form: Form,
    *,
    columns: list[str] | None = None,
    skip: int = 0,
    most: int | None = None,
    missing: frozenset[str] = frozenset(),
) -> tuple[list[str], Iterator[pa.Table]]:
    """Column names of a delimited file, and its rows in blocks of `table.block_rows`; blank lines are left out.

    Args:
        path, name, form, columns, skip, most: see `delimited_rows.rows`.
        missing: values that mean a missing value.

    Returns:
        (names, blocks); the columns are strings without white space around them, null where a value is missing.

    Raises:
        InputError: see `delimited_rows.rows`; at once or while the blocks are read.
    """
    names, by_records = delimited_rows.rows(path, name, form, columns=columns, skip=skip, most=most)
    size = block_rows(len(names))
    if most is not None or not _by_arrow(form):
        return names, _cut(_tables(by_records, names, missing, name, form), size)

    def tables() -> Iterator[pa.Table]:
        given = 0
        try:
            next(by_records, None)  # compares the first row with the names
            for table in _Chunks(path, name, form, names, skip, missing).tables(not columns):
                given += len(table)
                yield table
        except (InputError, UnicodeError):
            _, again = delimited_rows.rows(path, name, form, columns=columns, skip=skip)
            for table in _tables(again, names, missing, name, form):
                yield table.slice(min(given, len(table)))
                given = max(0, given - len(table))

    return names, _cut(tables(), size)


def _by_arrow(form: Form) -> bool:
    """Whether Arrow may parse lines of a form; columns that are aligned by blanks are not for it."""
    return form.mark.isascii() and form.mark != " "


def _cut(tables: Iterator[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows in tables of `size` rows; the last one may have fewer."""
    pending, rows = list[pa.Table](), 0
    for table in tables:
        pending.append(table)
        rows += len(table)
        while rows >= size:
            whole = pa.concat_tables(pending)
            yield whole.slice(0, size)
            pending, rows = [whole.slice(size)], rows - size
    if rows:
        yield pa.concat_tables(pending)


def _tables(
    rows: Iterator[list[str]], names: list[str], missing: frozenset[str], file: str, form: Form
) -> Iterator[pa.Table]:
    """Rows of values as tables of some rows each."""
    part = list[list[str]]()
    for values in rows:
        part.append(values)
        if len(part) == PART_ROWS:
            yield _table(part, names, missing, file, form)
            part = []
    if part:
        yield _table(part, names, missing, file, form)


def _table(rows: list[list[str]], names: list[str], missing: frozenset[str], file: str, form: Form) -> pa.Table:
    columns = [
        [None if value in missing else value for value in map(str.strip, values)] for values in zip(*rows, strict=True)
    ]
    try:
        return pa.table([pa.array(values, pa.string()) for values in columns], names=names)
    except UnicodeError as error:  # half a character, which some encodings can write
        raise InputError(f"file {file!r} is not {form.encoding} ({error}); set reader: encoding") from None


class _Chunks:
    """Chunks of the lines of a file, and their rows."""

    def __init__(self, path: Path, name: str, form: Form, names: list[str], skip: int, missing: frozenset[str]) -> None:
        self.path, self.name, self.form, self.names, self.skip = path, name, form, names, skip
        self.missing, self.width = missing, len(names)
        self.quote = form.quote.encode() if form.quote else b""
        self.parse = {
            quoted: pyarrow.csv.ParseOptions(
                delimiter=form.mark, quote_char=form.quote if quoted else False, newlines_in_values=False
            )
            for quoted in ([False, True] if form.quote and form.quote.isascii() else [False])
        }
        self.convert = pyarrow.csv.ConvertOptions(
            check_utf8=False, column_types=dict.fromkeys(map(str, range(self.width)), pa.string())
        )
        self.marks = pa.array(sorted(missing), pa.string())
        self.longest_mark = max((len(mark.encode()) for mark in missing), default=-1)

    def tables(self, header: bool) -> Iterator[pa.Table]:
        """Rows of the file.

        Args:
            header: whether the first record has the names of the columns.

        Raises:
            InputError, UnicodeError: there is a mistake in the file.
        """
        with self.path.open("rb") as file:
            text = _Text(file, self.form, min(LARGEST_CHUNK, max(CHUNK_BYTES, 1000 * self.width)))
            segments = Segments(text, self.name, self.form, self.skip)
            first = next(segments.records(), None)  # behind a byte order mark and lines to skip
            if first is not None and not header:
                yield _table([first.values], self.names, self.missing, self.name, self.form)
            while chunk := text.rest():
                table = self._table(chunk)
                if table is not None:
                    text.taken(chunk)
                    segments.line += _lines(chunk)
                    yield table
                    continue
                yield from _tables(self._by_records(segments, text), self.names, self.missing, self.name, self.form)
            segments.finish()

    def _by_records(self, segments: Segments, text: "_Text") -> Iterator[list[str]]:
        """Rows from here to the end of the chunk, or to the end of the chunk in which a row ends with it."""
        records = segments.records()
        for record in records:
            if len(record.values) != self.width:
                raise InputError("a row has another number of values")  # the sentence is that of `delimited_rows`
            yield record.values
            if text.at_end_of_chunk:
                records.close()
                return

    def _table(self, chunk: str) -> pa.Table | None:
        """Rows of whole lines; None where Arrow does not read what `csv` reads."""
        content = chunk.encode()
        if not self._readable(content):
            return None
        quoted = bool(self.quote) and self.quote in content
        if len(self.form.separator) > 1:
            content = content.replace(self.form.separator.encode(), self.form.mark.encode())
        read = pyarrow.csv.ReadOptions(
            use_threads=False, block_size=len(content) + 1, column_names=list(map(str, range(self.width)))
        )
        try:
            table = pyarrow.csv.read_csv(pa.BufferReader(content), read, self.parse[quoted], self.convert)
        except pa.ArrowInvalid:  # a row with another number of values, or nothing but blank lines
            return None
        columns = [_stripped(column.combine_chunks()) for column in table.columns]
        if self.width == 1 and pc.any(pc.equal(pc.binary_length(columns[0]), 0)).as_py():
            return None  # a line of blanks, which is no row
        return pa.table([self._with_nulls(column) for column in columns], names=self.names)

    def _readable(self, content: bytes) -> bool:
        """Whether Arrow separates the values of whole lines as `csv` does, or refuses them."""
        if len(content) > LONGEST_LINE or b"\0" in content or content.startswith(codecs.BOM_UTF8):
            return False  # Arrow would leave the mark out
        if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
            return False
        quoted = bool(self.quote) and self.quote in content
        if len(self.form.separator) > 1:
            return not quoted and self.form.mark.encode() not in content
        return not quoted or (quoted in self.parse and self._regular(content))

    def _regular(self, content: bytes) -> bool:
        """Whether every quote opens or closes a value, or is doubled within one, and no value has a line break."""
        text = np.frombuffer(content, np.uint8)
        quotes = np.flatnonzero(text == self.quote[0])
        if len(quotes) % 2:
            return False
        opening, closing = quotes[0::2], quotes[1::2]
        doubled = np.zeros(len(opening) + 1, bool)  # whether a quote that closes is followed by one that opens again
        doubled[1:-1] = opening[1:] == closing[:-1] + 1
        separator = self.form.mark.encode()[0]
        before = text[opening - 1]  # of the first byte of all this is the last one, a line break or nothing
        at_start = (before == separator) | (before == NEWLINE) | (opening == 0)
        after = text[np.minimum(closing + 1, len(text) - 1)]
        at_end = (after == separator) | (after == NEWLINE) | (after == RETURN) | (closing == len(text) - 1)
        if not ((at_start | doubled[:-1]) & (at_end | doubled[1:])).all():
            return False
        line_breaks = np.flatnonzero(text == NEWLINE)
        return not (np.searchsorted(quotes, line_breaks) % 2).any()

    def _with_nulls(self, values: pa.Array) -> pa.Array:
        """The same strings with null where one means a missing value."""
        short = np.diff(_offsets(values)) <= self.longest_mark
        if not short.any():
            return values
        if short.mean() < SOME:
            positions = np.flatnonzero(short)
            short[positions] = pc.is_in(values.take(pa.array(positions)), value_set=self.marks)
        else:
            short = pc.is_in(values, value_set=self.marks).to_numpy(zero_copy_only=False)
        return pc.if_else(pa.array(short), pa.scalar(None, pa.string()), values) if short.any() else values


class _Text:
    """Decoded text of a file in chunks of whole lines, of which lines can also be read one by one."""

    def __init__(self, file: IO[bytes], form: Form, size: int) -> None:
        self.file, self.size, self.decoder = file, size, codecs.getincrementaldecoder(form.encoding)()
        self.lines, self.chunk, self.after, self.ended = io.StringIO(), "", "", False

    @property
    def at_end_of_chunk(self) -> bool:
        """Whether all lines of the chunk have been read."""
        return self.lines.tell() >= len(self.chunk)

    def rest(self) -> str:
        """What has not been read of the chunk, or the next chunk; empty at the end of the file."""
        if not self.at_end_of_chunk:
            return self.chunk[self.lines.tell() :]
        self._load()
        return self.chunk

    def taken(self, rest: str) -> None:
        """Go on behind what `rest` has returned."""
        assert len(rest) == len(self.chunk) - self.lines.tell()
        self.lines.seek(len(self.chunk))

    def readline(self, limit: int) -> str:
        """The next line with its end, or its first `limit` characters."""
        if self.at_end_of_chunk:
            self._load()
        return self.lines.readline(limit)

    def _load(self) -> None:
        parts = [self.after]
        self.after = ""
        while not self.ended:
            content = self.file.read(self.size)
            self.ended = not content
            part = self.decoder.decode(content, final=self.ended)
            end = part.rfind("\n") + 1
            if not end and sum(map(len, parts)) > LONGEST_LINE:
                parts, part = [], "".join([*parts, part])
                end = part.rfind("\r", 0, len(part) - 1) + 1 or len(part)
            if end:
                parts.append(part[:end])
                self.after = part[end:]
                break
            parts.append(part)
        self.chunk = "".join(parts)
        self.lines = io.StringIO(self.chunk, newline="")


def _lines(chunk: str) -> int:
    return chunk.count("\n") + (not chunk.endswith("\n"))


def _offsets(strings: pa.Array) -> NDArray[np.int32]:
    """Where each string begins and ends (n + 1,) in the bytes of all."""
    return np.frombuffer(strings.buffers()[1], np.int32)[strings.offset : strings.offset + len(strings) + 1]


def _stripped(column: pa.Array) -> pa.Array:
    """Strings as `str.strip` leaves them."""
    for attempt in (pc.utf8_trim, None):
        positions = _maybe_stripped(column)
        if not len(positions):
            return column
        if attempt is not None:
            column = attempt(column, " ")
    kept = np.zeros(len(column), bool)
    kept[positions] = True
    values = [value.strip() for value in column.take(pa.array(positions)).to_pylist()]
    return pc.replace_with_mask(column, pa.array(kept), pa.array(values, pa.string()))


def _maybe_stripped(strings: pa.Array) -> NDArray[np.int64]:
    """Positions of the strings that may begin or end with white space."""
    offsets, content = _offsets(strings), strings.buffers()[2]
    if content is None or not content.size or not len(strings):
        return np.empty(0, np.int64)
    text, filled = np.frombuffer(content, np.uint8), offsets[1:] > offsets[:-1]
    first = text[np.minimum(offsets[:-1], len(text) - 1)]
    return np.flatnonzero(filled & (STARTS[first] | ENDS[text[offsets[1:] - 1]]))
