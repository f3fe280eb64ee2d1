"""Form of a user's table: its reader, separator, encoding and header line, as `init` and `check` guess them."""

import contextlib
import csv
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fairweight.core import components
from fairweight.core.errors import InputError, listed, quoted
from fairweight.core.local_files import similar_file
from fairweight.data.archive_members import COMPRESSED
from fairweight.data.delimited_text import MARKS, is_orc, no_text
from fairweight.data.parts import is_folder, parts

SEPARATORS = (";", "\t", "|", ",")  # of those that fit, the first is taken: commas also stand within numbers
NAMED = {"tab": "\t", "\\t": "\t", "space": " ", "blank": " "}  # words for separators that a shell makes hard to type
EXAMINED = 200  # lines in which the separator is looked for
LONGEST = 100_000  # characters of such a line
FITTING = 0.9  # share of lines with the same number of values, from which a separator fits
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
TABLES = (*WORKBOOKS, ".csv", ".tsv", ".tab", ".txt", ".data", ".dat", ".parquet", ".pq", ".orc")
TYPED = {"parquet": "a Parquet table", "orc": "an ORC table"}  # readers of files whose columns have names and types
CONTROLS = re.compile("[\x80-\x9f]")  # control characters, which no table of latin-1 has
STATED = re.compile(r"sep=(.)\s*")  # a first line that states the separator
NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)*|[.,]\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Layout:
    """What the command line says of a table.

    Attributes:
        separator: of its columns; None is guessed.
        names: of the columns of a table without a header line.
        header: whether the first line is a header; None is guessed.
        sheet: of a workbook with several.
    """

    separator: str | None = None
    names: tuple[str, ...] = ()
    header: bool | None = None
    sheet: str | None = None


@dataclass(frozen=True)
class TableForm:
    """How a table is read.

    Attributes:
        method: reader.
        separator, encoding: of delimited text.
        columns: names of the columns of a table without a header line.
        sheet: of a workbook.
        skip: lines before the table: 1 where the first one states the separator, as spreadsheets write it.
    """

    method: str
    separator: str = ","
    encoding: str = "utf-8"
    columns: tuple[str, ...] = ()
    sheet: str | None = None
    skip: int = 0


GUESSED = Layout()


def table_name(path: Path) -> str:
    """Name of a table: that of its file without the endings of its format and compression."""
    name = path.name
    for endings in (tuple(COMPRESSED), TABLES):
        stem, dot, ending = name.rpartition(".")
        if stem and f"{dot}{ending}".lower() in endings:
            name = stem
    return name if name != path.name else path.stem


@contextlib.contextmanager
def opened(data: Path) -> Iterator[Path]:
    """A table as the raw file that a study would have: decompressed, and a folder of parts packed.

    Raises:
        InputError: it is missing, damaged, or of a format that is not read.
    """
    _check_source(data)
    with tempfile.TemporaryDirectory() as scratch:
        yield components.load("sources", "file")(str(data), Path(scratch), Path(scratch))


def _check_source(data: Path) -> None:
    if "#" in str(data):  # a source may be `file:archive.zip#member`
        raise InputError(f"{data} has a '#', after which a study file names a member of an archive; rename it.")
    if is_folder(data):
        files = (path for path in data.rglob("*") if path.suffix.lower() in PICTURES)
        if picture := next(files, None):
            raise InputError(
                f"{data} is a folder of pictures ({picture.relative_to(data)}); pictures are read from IDX files only: "
                "write a study file with the reader 'idx' by hand (config/README.md)."
            )
    elif not data.is_file():
        raise InputError(f"there is no file {data}{similar_file(data)}.")
    elif data.suffix.lower() in WORKBOOKS and (extra := components.missing_extra("readers", "workbook")):
        remedy = components.remedy("readers", "workbook", extra)
        raise InputError(f"{data} is a workbook, which needs the extra {extra!r} ({remedy}); or save the sheet as CSV.")


def table_form(raw: Path, data: Path, layout: Layout, target: str | None) -> TableForm:
    """Find how a table is read.

    Args:
        raw: the raw file (see `opened`).
        data: the path that the user named, for messages.
        layout: what the command line says.
        target: column of the label, by which a header line is recognised.

    Raises:
        InputError: it is empty or no table, or it is not clear whether its first line is a header.
    """
    if data.suffix.lower() in WORKBOOKS:
        return _workbook(data, layout)
    if layout.sheet:
        raise InputError(f"--sheet: {data} is no workbook; leave out the option.")
    first = True
    encodings, lines = dict[str, str](), list[str]()  # encoding -> first part that has it
    for part in parts(raw, data.name):
        with part.path.open("rb") as file:
            head = file.read(4)
        if first and (head == b"PAR1" or is_orc(part.path)):
            return _typed(data, layout, "parquet" if head == b"PAR1" else "orc")
        if reason := no_text(part.path):
            raise InputError(f"{part.name} {reason}.")
        text, of_part = _decoded(part.path)
        if of_part != "utf-8" or not text.isascii():  # ASCII is the same in utf-8 and latin-1
            encodings.setdefault(of_part, part.name)
        if first:
            lines = _lines(text, data)
        first = False
    encoding = _encoding(encodings)
    separator_line = STATED.fullmatch(lines[0])
    lines = lines[1:] if separator_line and len(lines) > 1 else lines
    separator = NAMED.get(layout.separator, layout.separator) if layout.separator else None
    separator = separator or (separator_line[1] if separator_line else guessed_separator(lines))
    columns = _columns(lines, separator, data, layout, target)
    return TableForm("delimited", separator, encoding, columns, skip=1 if separator_line else 0)


def _encoding(part_of: dict[str, str]) -> str:
    """The encoding of all parts.

    Args:
        part_of: encoding -> first part that has it; nothing if all parts are ASCII.

    Raises:
        InputError: there are several.
    """
    encodings = [encoding for encoding in part_of if encoding != "utf-8-sig"]
    if len(encodings) > 1:
        written = " and ".join(f"{part_of[encoding]} in {encoding}" for encoding in encodings[:2])
        raise InputError(f"the parts are written in different encodings ({written}); convert all to UTF-8.")
    return next(iter([*encodings, *part_of]), "utf-8")


def _workbook(data: Path, layout: Layout) -> TableForm:
    if layout.separator or (layout.header is False and not layout.names):
        raise InputError(
            f"{data} is a workbook, which has no separator; name the columns of a sheet without a header row with "
            "--names, and leave out --separator and --no-header."
        )
    return TableForm("workbook", columns=layout.names, sheet=layout.sheet)


def _typed(data: Path, layout: Layout, method: str) -> TableForm:
    if layout.separator or layout.names or layout.header is not None:
        raise InputError(
            f"{data} is {TYPED[method]}, which knows its columns; leave out --separator, --names and --no-header."
        )
    return TableForm(method)


def _decoded(path: Path) -> tuple[str, str]:
    """(text, encoding) of a file."""
    content = path.read_bytes()
    marked = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), "")
    unicode = "utf-8-sig" if marked == "utf-8" else marked or "utf-8"
    with contextlib.suppress(UnicodeError):
        return content.decode(unicode), unicode
    text = content.decode("latin-1")
    if CONTROLS.search(text):
        with contextlib.suppress(UnicodeError):
            return content.decode("cp1252"), "cp1252"  # of Windows, which has quotes and the sign of the euro there
    return text, "latin-1"


def _lines(text: str, data: Path) -> list[str]:
    """The first lines that are not blank."""
    if "\0" in text or not text.strip():
        raise InputError(f"{data} is empty or not text; it takes a table: delimited text such as CSV, Parquet or ORC.")
    head = text.lstrip("\ufeff")[: EXAMINED * LONGEST]
    return [line[:LONGEST] for line in head.splitlines() if line.strip()][:EXAMINED]


def guessed_separator(lines: list[str]) -> str:
    """The separator that splits most lines into the same number of values, at least two; doubled if it always is."""
    fitting = {mark: width for mark in SEPARATORS if (width := _width([values(line, mark) for line in lines]))}
    if "," in fitting and len(fitting) > 1:
        decimal = [re.sub(r"(?<=\d),(?=\d)", ".", line) for line in lines]
        if _width([values(line, ",") for line in decimal]) < max(w for mark, w in fitting.items() if mark != ","):
            del fitting[","]  # 1,5;2,5 are numbers with a decimal comma
    if not fitting:
        if _width([line.split() for line in lines]) > 1:
            return " "
        # rows of different lengths are the reader's to report
        return max((",", ";", "\t", "|"), key=lambda mark: len(values(lines[0], mark)))
    mark = max(fitting, key=lambda mark: fitting[mark])
    return mark * 2 if lines[0].count(mark) == 2 * lines[0].count(mark * 2) > 0 else mark


def _width(lines: list[list[str]]) -> int:
    """Number of values of nearly every line, the first included; 0 if it differs or is one."""
    widths = [len(line) for line in lines]
    same = widths.count(widths[0]) / len(widths)
    return widths[0] if widths[0] > 1 and same >= FITTING else 0


def values(line: str, separator: str) -> list[str]:
    """Values of a line, without white space around them."""
    if separator == " ":
        return line.split()
    if len(separator) > 1:
        return [value.strip() for value in line.split(separator)]
    try:
        return [value.strip() for value in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]
    except (csv.Error, StopIteration):
        return [value.strip() for value in line.split(separator)]


def _columns(lines: list[str], separator: str, data: Path, layout: Layout, target: str | None) -> tuple[str, ...]:
    """Names of the columns of a table without a header line; none where it has one."""
    first, others = values(lines[0], separator), [values(line, separator) for line in lines[1:]]
    numbered = tuple(f"column_{position}" for position in range(1, len(first) + 1))
    if layout.names or layout.header is False:
        if layout.names and len(layout.names) != len(first):
            raise InputError(
                f"--names: there are {len(layout.names):,} names, and the first line of {data} has {len(first):,} "
                "values; name every column."
            )
        if _contrasts(first, others):
            raise InputError(
                f"{'--names' if layout.names else '--no-header'}: the first line of {data} looks like a header line "
                f"({listed(first)}); leave out the option, or remove that line."
            )
        return layout.names or numbered
    if target is None or target in first:
        return ()
    if target in numbered:
        return numbered
    if _holds_values(first, others) and not _contrasts(first, others):
        raise InputError(
            f"--target: the first line of {data} seems to be no header line ({listed(first)}), and has no name "
            f"{quoted(target)}; name all columns with --names, or use --no-header, which names them column_1 to "
            f"{numbered[-1]}."
        )
    return ()


def _holds_values(first: list[str], others: list[list[str]]) -> bool:
    """Whether a line has what no header line has: numbers, one text twice, or texts that stand below as well."""
    below = [set(column) for column in zip(*(line for line in others if len(line) == len(first)), strict=True)]
    return (
        len(set(first)) < len(first)
        or any(NUMBER.fullmatch(value) for value in first)
        or any(value in column for value, column in zip(first, below, strict=False))
    )


def _contrasts(first: list[str], others: list[list[str]]) -> bool:
    """Whether a column has numbers in all lines but the first."""
    whole = [line for line in others if len(line) == len(first)]
    if not whole:
        return False
    return any(
        value and not NUMBER.fullmatch(value) and all(NUMBER.fullmatch(line[position]) for line in whole)
        for position, value in enumerate(first)
    )
