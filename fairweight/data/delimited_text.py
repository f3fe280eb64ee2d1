"""Records of delimited text with their line numbers; what is not delimited as stated is one sentence."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

from fairweight.core.errors import InputError, quoted

LONGEST_LINE = 10_000_000  # characters of a line, and of a value
COINCIDENCE = 12  # separators in the lines of one value, from which on they are rows and not a text
STAND_IN = "\x1f"  # stands for a separator of several characters, because `csv` takes one
NO_CHARACTER_SETS = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape")  # Python's own codecs
CHUNK = 1 << 20  # bytes
NO_TEXT = {  # first bytes of files that are no text
    b"\x1f\x8b": "is packed (gzip); unpack it",
    b"BZh": "is packed (bzip2); unpack it",
    b"\xfd7zXZ\0": "is packed (xz); unpack it",
    b"\x28\xb5\x2f\xfd": "is packed (zstd); unpack it",
    b"PK\x03\x04": "is a zip archive or an .xlsx workbook; name its member after '#' in the source, or save it as CSV",
    b"\xd0\xcf\x11\xe0": "is an .xls workbook; save it as CSV",
    b"PAR1": "is a Parquet table; set reader: parquet",
}
MARKS = {  # byte order mark -> encoding; UTF-32 goes first, because its mark begins like that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8",
}
ASCII = frozenset(map(chr, range(128)))
UNUSED = frozenset({0x81, 0x8D, 0x8F, 0x90, 0x9D})  # bytes that cp1252 does not define


@dataclass(frozen=True)
class Form:
    """How a file is delimited.

    Attributes:
        separator: between values.
        quote: around values that contain separators; with None, quotes are ordinary characters.
        encoding: of the text.
        fixed: whether these are no options of the reader, which messages propose otherwise.

    Raises:
        InputError: separator and quote contradict each other.
    """

    separator: str
    quote: str | None
    encoding: str
    fixed: bool = False

    def __post_init__(self) -> None:
        if re.search(r"[\r\n\0]", f"{self.separator}{self.quote}"):
            raise InputError("reader: separator and quote cannot be line breaks or NUL characters; set others")
        if self.quote and self.quote in self.separator:
            raise InputError(f"reader: quote: {self.quote!r} is part of the separator; set another one, or none")

    def option(self, setting: str, otherwise: str) -> str:
        """A remedy: an option of the reader, or what to do to the file where there is no such option."""
        return otherwise if self.fixed else f"set reader: {setting}"

    @cached_property
    def mark(self) -> str:
        """The one character that separates values for `csv`."""
        return self.separator if len(self.separator) == 1 else STAND_IN


class Lines(Protocol):
    """A text that is read line by line, with all three kinds of line ends."""

    def readline(self, limit: int, /) -> str:
        """The next line with its end, or its first `limit` characters; empty at the end."""
        ...


class Record(NamedTuple):
    """One record of a file: a row, or the header."""

    line: int  # number of its first line, from 1
    values: list[str]
    lines: tuple[str, ...]  # as the file has them

    def place(self, name: str) -> str:
        """Where it stands in the file `name`, for a message."""
        first, last = self.line, self.line + len(self.lines) - 1
        return f"file {name!r}, line {first:,}" if first >= last else f"file {name!r}, lines {first:,} to {last:,}"


def records(path: Path, name: str, form: Form, *, skip: int = 0, most: int | None = None) -> Iterator[Record]:
    """Records of a delimited file, without blank lines.

    Args:
        path: the file.
        name: its name in the study file, for messages.
        form: how it is delimited.
        skip: lines to leave out at the start.
        most: number of records to read; None reads all.

    Raises:
        InputError: the file is not text in that encoding, a quote is not closed or text follows it, a line or a value
            is longer than `LONGEST_LINE`, or stray quotes have joined rows.
    """
    check_first_bytes(path, name, form.encoding)
    csv.field_size_limit(LONGEST_LINE)
    _check_known(form.encoding)
    with path.open(encoding=form.encoding, newline="") as file:
        try:
            segments = Segments(file, name, form, skip)
            yield from segments.records(most)
            segments.finish()
        except UnicodeDecodeError as error:
            remedy = form.option(_encoding_option(path, form.encoding), f"convert it to {form.encoding}")
            raise InputError(f"{undecodable(path, name, form.encoding, error)}; {remedy}") from None
        except UnicodeError as error:
            raise InputError(f"file {name!r} is not {form.encoding} ({error}); set reader: encoding") from None


def _encoding_option(path: Path, encoding: str) -> str:
    """The option that reads a file which is not in an encoding: with a Western European one where that fits."""
    characters, wrong, high = 0, 0, set[int]()
    if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig", "ascii"):
        return "encoding"
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with path.open("rb") as file:
        chunk = b"."
        while chunk:
            chunk = file.read(CHUNK)
            text = decoder.decode(chunk, final=not chunk)
            wrong += text.count("\N{REPLACEMENT CHARACTER}")
            characters += sum(map(text.count, set(text) - ASCII - {"\N{REPLACEMENT CHARACTER}"}))
            high |= {byte for byte in set(chunk) if byte > 127}
    if not wrong:
        return "encoding: utf-8"
    fits = "cp1252" if min(high) < 0xA0 else "latin-1"
    # other characters of UTF-8 beside the wrong ones: it is UTF-8, and damaged; some bytes are none of cp1252
    return "encoding" if characters >= wrong or high & UNUSED else f"encoding: {fits}"


def _check_known(encoding: str) -> None:
    """Check that Python has an encoding.

    Raises:
        InputError: it has none of this name, or it is none of text.
    """
    try:
        if codecs.lookup(encoding).name in NO_CHARACTER_SETS:
            raise LookupError(encoding)
        io.TextIOWrapper(io.BytesIO(), encoding)  # refuses what is no encoding of text
    except (LookupError, ValueError):
        raise InputError(
            f"reader: encoding: {quoted(encoding)} is not known; utf-8, latin-1 and cp1252 are the common ones"
        ) from None


class Segments:
    """Records of an opened text, in as many goes as are wanted: between two of them, others may read some lines."""

    def __init__(self, file: Lines, name: str, form: Form, skip: int) -> None:
        self.file, self.name, self.form, self.skip = file, name, form, skip
        self.line = 1  # the next one
        self.joined = _JoinedRows(name, form)

    def records(self, most: int | None = None) -> Generator[Record, None, None]:
        """The next records, at most `most`; no line behind the last one that was asked for has been read.

        Raises:
            InputError: see `records`.
        """
        lines, form = list[str](), self.form
        parser = csv.reader(
            self._lines(lines),
            delimiter=form.mark,
            quotechar=form.quote,
            quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
            skipinitialspace=True,
            strict=True,
        )
        first = max(self.line, self.skip + 1)
        try:
            for values in parser:
                if len(values) > 1 or any(map(str.strip, lines)):
                    if most == 0:
                        return
                    most = None if most is None else most - 1
                    if len(form.separator) > 1:
                        values = [value.replace(form.mark, form.separator) for value in values]  # noqa: PLW2901
                    record = Record(first, values, tuple(lines))
                    if len(lines) > 1:
                        self.joined.check(record)
                    yield record
                first += len(lines)
                lines.clear()
        except csv.Error as error:
            raise InputError(_quoting_error(error, Record(first, [], tuple(lines)), self.name, form)) from None

    def finish(self) -> None:
        """Examine what the whole text had.

        Raises:
            InputError: stray quotes have joined rows.
        """
        self.joined.check_all()

    def _lines(self, lines: list[str]) -> Iterator[str]:
        """Lines as `csv` parses them; `lines` collects them as the file has them."""
        form, simplified, long = self.form, _simplified(self.form), len(self.form.separator) > 1
        while line := self.file.readline(LONGEST_LINE + 1):
            number, self.line = self.line, self.line + 1
            if len(line) > LONGEST_LINE or "\0" in line:
                raise InputError(f"file {self.name!r}, line {number:,}: {_no_line(line)}")
            if number == 1:
                line = line.removeprefix("\ufeff")  # the byte order mark
            if number <= self.skip:
                continue
            if long and form.mark in line:
                raise InputError(
                    f"file {self.name!r}, line {number:,}: there is the control character {form.mark!r}; remove it"
                )
            lines.append(line)
            yield simplified(line)


def _no_line(line: str) -> str:
    if len(line) > LONGEST_LINE:
        return (
            f"it has more than {LONGEST_LINE:,} characters, which is the limit; check that the file is delimited text"
        )
    return "there is a NUL character; if the file is UTF-16, set reader: encoding: utf-16, else remove it"


def _simplified(form: Form) -> Callable[[str], str]:
    """Function of a line: the same line as `csv` can parse it strictly."""
    separator, mark, quote = form.separator, form.mark, form.quote or ""
    blanks = " \t".replace(mark, "")
    ends = tuple(quote + blank for blank in blanks) if quote else ()
    # white space after a closing quote; the number of quotes is odd, because quotes within a value are doubled
    text = re.escape(quote)
    closing = re.compile(rf"(?<!{text})({text}(?:{text}{text})*)[{blanks}]+(?={re.escape(mark)}|[\r\n]|$)")

    def simplify(line: str) -> str:
        if len(separator) > 1:
            line = line.replace(separator, mark)
        elif separator == " ":  # columns may be aligned by spaces
            body = line.rstrip("\r\n")
            line = body.strip(" ") + line[len(body) :]
        if any(end in line for end in ends):
            line = closing.sub(r"\1", line)
        return line

    return simplify


class _JoinedRows:
    """Finds rows that stray quotes have joined: `"a` in one row and `b"` in a later one look like one long value.

    Quotes are stray if every line of the value has as many values as the file has columns. In one short value this may
    be a coincidence; it is none if the value is long, or if no value of the file has other lines.
    """

    def __init__(self, name: str, form: Form) -> None:
        self.name, self.form = name, form
        self.first: Record | None = None  # the first suspicious record
        self.texts = False  # whether there are values of several lines that are certainly text

    def check(self, record: Record) -> None:
        """Examine a record of several lines."""
        separators = len(record.values) - 1
        if not separators or any(line.count(self.form.separator) != separators for line in record.lines):
            self.texts = True
        elif separators * len(record.lines) >= COINCIDENCE:
            raise InputError(self._sentence(record))
        else:
            self.first = self.first or record

    def check_all(self) -> None:
        """Examine what the whole file had."""
        if self.first and not self.texts:
            raise InputError(self._sentence(self.first))

    def _sentence(self, record: Record) -> str:
        remedy = self.form.option("quote: none", "double them")
        return (
            f"{record.place(self.name)}: quotes join these lines to one row, although each has {len(record.values):,} "
            f"values of its own; if the quotes belong to the text, {remedy}, else remove the line breaks from the value"
        )


def _quoting_error(error: csv.Error, record: Record, name: str, form: Form) -> str:
    """Sentence for an error of `csv` in a record of which `lines` have been read."""
    reason = str(error)
    if "limit" in reason:
        what = f"the value in quotes has more than {LONGEST_LINE:,} characters, which is the limit"
    elif "end of data" in reason:
        what = "the value in quotes that begins here has no closing quote"
        record = record._replace(lines=record.lines[:1])
    else:
        what = "text follows the closing quote of a value"
    remedy = f"if quotes belong to the text, {form.option('quote: none', 'double them')}"
    return f"{record.place(name)}: {what}; {remedy}, else close the value, and double the quotes within it"


def no_text(path: Path) -> str:
    """What a file is that begins like one of another format, as the end of a sentence; empty for text."""
    if is_orc(path):
        return "is an ORC table; set reader: orc"
    with path.open("rb") as file:
        head = file.read(8)
    return next((reason for first, reason in NO_TEXT.items() if head.startswith(first)), "")


def is_orc(path: Path) -> bool:
    """Whether a file is an ORC table, which begins and ends with its name; a column of a text may be called ORCID."""
    with path.open("rb") as file:
        if file.read(3) != b"ORC":
            return False
        file.seek(-min(4, path.stat().st_size), io.SEEK_END)
        return file.read(3) == b"ORC"


def check_first_bytes(path: Path, name: str, encoding: str) -> None:
    """Refuse a file that begins like one of another format, or of another encoding.

    Raises:
        InputError: it does.
    """
    if reason := no_text(path):
        raise InputError(f"file {name!r} {reason}")
    with path.open("rb") as file:
        head = file.read(8)
    for mark, marked in MARKS.items():
        if head.startswith(mark):
            if not re.sub("[^a-z0-9]", "", encoding.lower()).startswith(marked.replace("-", "")):
                raise InputError(
                    f"file {name!r} is not {encoding} (it begins with the byte order mark of {marked}); set reader: "
                    f"encoding: {marked}"
                )
            return


def undecodable(path: Path, name: str, encoding: str, error: UnicodeDecodeError) -> str:
    """Sentence that names the first byte of a file that is not text in an encoding, without a remedy.

    Args:
        path: the file.
        name: its name in the study file.
        encoding: the encoding.
        error: what decoding a part of it has raised; of a file read in parts, its position is that within the part.
    """
    decoder, read = codecs.getincrementaldecoder(encoding)(), 0
    with path.open("rb") as file:
        chunk = b"."
        while chunk:
            chunk = file.read(CHUNK)
            read += len(chunk)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as exact:
                error = exact
                break
    # what failed ends where the file has been read to
    position = read - len(error.object) + error.start
    byte = error.object[error.start]
    line = _lines_before(path, position, encoding) + 1
    return f"file {name!r} is not {encoding} (byte 0x{byte:02x} at position {position:,}, in line {line:,})"


def _lines_before(path: Path, position: int, encoding: str) -> int:
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)("replace"), translate=True)
    lines, left = 0, position
    with path.open("rb") as file:
        while left and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            lines += decoder.decode(chunk).count("\n")
    return lines + decoder.decode(b"", final=True).count("\n")
