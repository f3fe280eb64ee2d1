"""Arrow reads the same columns as the parser of records, or the same sentence is raised, however lines are grouped."""

import random

import pytest

from fairweight.core import table as tables
from fairweight.core.errors import InputError
from fairweight.data import delimited_columns, delimited_rows
from fairweight.data.delimited_text import Form

SEEDS = 200
MISSING = frozenset({"", "NA", "?"})
PIECES = (
    *(
        "a",
        "1",
        "-2.50",
        "NA",
        "?",
        "",
        " ",
        "  x ",
        "\t",
        "é",
        "€",
        "\u2003y\u2003",
        "\x85",
        "\u3000",
        "\ufeff",
        "日本",
    ),
    *(
        '"q"',
        '"a,b"',
        '""',
        '"""',
        '"say ""hi"""',
        '""""',
        '5" disk',
        '"open',
        'x"',
        ' "q"',
        '"q" ',
        '"a\nb"',
        '"c,d\n,e"',
    ),
    *(
        "#",
        "'",
        "'s t'",
        ";",
        "|",
        "||",
        "x|",
        "\x1c",
        "\x0b",
        "\x1f",
        "nan",
        "1e5",
        "x" * 30,
        "a b",
        "sep=;",
        "\0",
        "\udc80",
    ),
)
LINE_ENDS = ("\n", "\n", "\n", "\n", "\r\n", "\r\n", "\r", "\n\n", "\n \n")
ENCODINGS = (
    "utf-8",
    "utf-8",
    "utf-8",
    "utf-8-sig",
    "latin-1",
    "cp1252",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "ascii",
    "utf-7",
)


def generated(rng):
    """(content of a file, how it is delimited, columns, lines to skip); about half of the files have a mistake."""
    separator, encoding = rng.choice([",", ",", ",", "\t", ";", "|", " ", "||", "é", "x"]), rng.choice(ENCODINGS)
    form = Form(separator, rng.choice(['"', '"', '"', "'", None]), rng.choice([encoding] * 8 + ["utf-8"]))
    width, pieces = rng.choice([1, 2, 2, 3, 4]), rng.sample(PIECES, rng.choice([2, 4, 6, 10]))
    if rng.random() < 0.9 or encoding == "utf-7":  # in which half a character can be written, which Arrow cannot hold
        pieces = [piece for piece in pieces if piece not in ("\0", "\udc80")] or ["a"]
    ends = rng.sample(LINE_ENDS, rng.choice([1, 1, 2]))
    names = [f"c{i}" for i in range(width)]
    lines = [names, *([rng.choice(pieces) for _ in range(width)] for _ in range(rng.choice([0, 1, 5, 40])))]
    if rng.random() < 0.2:
        line = rng.choice(lines)
        line[rng.randrange(width) :] = rng.choice([[], ["a"], ["a", "b"]])
    text = "".join(separator.join(line) + rng.choice(ends) for line in lines)
    text = rng.choice(["", "", "", "\ufeff", "\n", "skip me\n"]) + rng.choice([text, text, text.rstrip("\r\n")])
    columns, skip = rng.choice([None, None, None, names]), rng.choice([0, 0, 0, 1, 2])
    return text.encode(encoding, "surrogateescape" if encoding == "utf-8" else "replace"), form, columns, skip


def by_records(path, form, columns, skip):
    names, rows = delimited_rows.rows(path, "all", form, columns=columns, skip=skip)
    stripped = [[value.strip() for value in row] for row in rows]
    return names, [[None if value in MISSING else value for value in row] for row in stripped]


def by_columns(path, form, columns, skip):
    names, blocks = delimited_columns.blocks(path, "all", form, columns=columns, skip=skip, missing=MISSING)
    parts = list(blocks)
    assert all(len(part) == tables.block_rows(len(names)) for part in parts[:-1])
    return names, [list(row) for part in parts for row in zip(*part.to_pydict().values(), strict=True)]


def result(function, *arguments):
    try:
        return function(*arguments)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("chunk_bytes", [1, 13, 60, 1 << 20])
def test_arrow_and_the_parser_of_records_agree(tmp_path, monkeypatch, chunk_bytes):
    monkeypatch.setattr(delimited_columns, "CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(delimited_columns, "LARGEST_CHUNK", chunk_bytes)
    monkeypatch.setattr(tables, "BLOCK_ROWS", 7)
    path, tables_read, by_arrow = tmp_path / "file", 0, 0
    used = []
    whole = delimited_columns._Chunks._table
    monkeypatch.setattr(
        delimited_columns._Chunks, "_table", lambda self, chunk: used.append(whole(self, chunk)) or used[-1]
    )
    for seed in range(SEEDS):
        content, *arguments = generated(random.Random(seed))
        path.write_bytes(content)
        used.clear()
        expected = result(by_records, path, *arguments)
        assert result(by_columns, path, *arguments) == expected, (seed, content, arguments)
        tables_read += not isinstance(expected, str)
        by_arrow += any(table is not None for table in used)
    assert SEEDS * 0.3 < tables_read < SEEDS * 0.8 and by_arrow > SEEDS * 0.1  # all cases occur
