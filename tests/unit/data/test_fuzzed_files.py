"""Random damage to raw files and archives: a table, or one sentence; never another exception.

The seeds are fixed. To look for new faults, raise `SEEDS`.
"""

import gzip
import io
import json
import random
import struct
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_recipes import READER, dataset

from fairweight.core.errors import InputError
from fairweight.data.archive_members import decompressed, take_member
from fairweight.data.read import read
from fairweight.data.readers import delimited, passages

SEEDS = 3
LONGEST = 500  # characters of a sentence
HEADER = ["y", "x", "c", "g"]
ROWS = [[str(i % 2), str(i * 7 % 50), "abc"[i % 3], "uv"[i // 2 % 2]] for i in range(20)]
HEADERS = (
    *(
        ["y", "x", "c", "c"],
        ["y", "x", "c ", "c"],
        ["y", "x", "c", "g", "y"],
        [],
        ["y"],
        ["y", "x", "c"],
        ["", "", "c"],
    ),
    *(["y", "x", "c", "g", ""], ["__file__", "x", "c", "g"], ["y", "x", "C", "c"], ["y", "\u00e9", "e\u0301", "g"]),
)
VALUES = (
    *("\0", "\x1b[31m", "\x1f", "\u202e", "\u00e9", "e\u0301", '"a,b;c\td|e||f"', 'a"b', '"a""b"', '""', '"', '"""'),
    *("\ufeff", " a ", "NA", "?", "1e400", "nan", "-inf", "1_000", "٣", "x" * 1000, "\x85", "\u2028", "'a", '"a\nb"'),
)
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252")
ODD_ENCODINGS = ("utf-16", "utf-7", "ascii", "hex", "idna", "punycode", "undefined", "unicode_escape", "none", "a\0")


def accepted(function):
    """Whether a file is accepted; a refusal is one sentence of bounded length, without control characters."""
    try:
        function()
    except InputError as error:
        sentence = str(error)
        assert 10 < len(sentence) <= LONGEST and sentence.isprintable(), sentence
        return False
    return True


def changed_lines(rng):
    """Lines of a table, with faults."""
    lines = [list(line) for line in (HEADER, *ROWS)]
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        row = rng.choice(lines)
        column = rng.randrange(len(row)) if row else 0
        match rng.randrange(11):
            case 0:
                del row[column : column + 1]
            case 1:
                row.append(rng.choice(["", "q"]))
            case 2:
                row[column : column + 1] = [f'"{"".join(row[column : column + 1])}']
            case 3:
                row[column : column + 1] = [f'{"".join(row[column : column + 1])}"']
            case 4 | 5 | 6:
                row[column : column + 1] = [rng.choice(VALUES)]
            case 7:
                lines.insert(rng.randrange(len(lines)), rng.choice([[], ["# comment"], [" "]]))
            case 8:
                lines[0] = list(rng.choice(HEADERS))
            case 9:
                del lines[rng.choice([0, 1, 2]) :]
                lines.append([])
            case 10:
                lines = [[*line, ""] for line in lines]
    return lines


def damaged(rng, data, faults=5):
    """Bytes of which some are changed or cut off."""
    damage = bytearray(data)
    for _ in range(rng.randrange(1, faults + 1)):
        damage[rng.randrange(len(damage))] = rng.randrange(256)
    return bytes(damage[: rng.randrange(len(damage))] if rng.random() < 0.2 else damage)


def delimited_case(rng):
    """(content, options of the reader)."""
    separator = rng.choice([",", ",", ";", "\t", "|", "||", " ", "::"])
    text = rng.choice(["\n", "\n", "\r\n", "\r"]).join(separator.join(line) for line in changed_lines(rng))
    encoding = rng.choice(ENCODINGS)
    content = (text + rng.choice(["\n", ""])).encode(encoding, "replace")
    options = {
        "separator": separator if rng.random() < 0.8 else rng.choice([",", ";", "\t", "||", " ", "\\t", '"', "x"]),
        "quote": rng.choice(['"', '"', '"', "none", "'"]),
        "encoding": encoding if rng.random() < 0.8 else rng.choice(ODD_ENCODINGS),
        "columns": rng.choice([None] * 6 + [HEADER, ["y", "x", "c"], ["y", "x", "c", "c "]]),
        "keep": rng.choice([None] * 6 + [HEADER, ["y", "q"]]),
        "skip_lines": rng.choice([{}] * 6 + [{"train": 1}, {"train": 100}]),
        "rows": rng.choice([None] * 6 + [1, 5]),
    }
    return damaged(rng, content) if content and rng.random() < 0.3 else content, options


def read_dataset(folder, files, reader, **keys):
    sources = {name: {"sources": ["file:x"]} for name in (*files, "test")}
    recipe = dataset(reader=reader, files=sources, **keys)
    paths = {name: str(folder / name) for name in files}
    read(paths, str(folder / "table"), str(folder / "contents"), name="d", recipe=recipe, given=[])


TABLE = {
    "inputs": {"numeric": ["x"], "categorical": ["c"], "missing_numeric": "mean"},
    "target": {"column": "y"},
    "groups": {"g": {"column": "g"}},
    "repeated": "remove",
}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_delimited_files(tmp_path, seed):
    rng, path, tables = random.Random(seed), tmp_path / "train", 0
    for case in range(100):
        content, options = delimited_case(rng)
        path.write_bytes(content)
        tables += accepted(lambda options=options: list(delimited.read({"train": path}, **READER | options)))
        if case % 10 == 0:
            accepted(
                lambda options=options: read_dataset(tmp_path, ["train"], {"method": "delimited"} | options, **TABLE)
            )
    assert 5 < tables < 60  # neither everything is refused nor everything is accepted


@pytest.mark.parametrize("seed", range(SEEDS))
def test_parquet_files(tmp_path, seed):
    rng, path = random.Random(seed), tmp_path / "train"
    columns = {name: [row[position] for row in ROWS] for position, name in enumerate(HEADER)}
    pq.write_table(pa.table(columns | {"x": [int(value) for value in columns["x"]]}), path)
    content = path.read_bytes()
    read_dataset(tmp_path, ["train"], {"method": "parquet"}, **TABLE)
    for _ in range(20):
        path.write_bytes(damaged(rng, content))
        accepted(lambda: read_dataset(tmp_path, ["train"], {"method": "parquet"}, **TABLE))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_images(tmp_path, seed):
    rng = random.Random(seed)
    images = struct.pack(">HBB3I", 0, 8, 3, 6, 2, 2) + bytes(range(24))
    labels = struct.pack(">HBBI", 0, 8, 1, 6) + bytes([0, 1] * 3)
    keys = {"inputs": {"image": "image"}, "target": {"column": "label"}, "groups": {}}
    names = ["train-images", "train-labels"]
    for which in (None, *[0, 1] * 8):
        for position, content in enumerate((images, labels)):
            (tmp_path / names[position]).write_bytes(damaged(rng, content) if position == which else content)
        assert accepted(lambda: read_dataset(tmp_path, names, {"method": "idx"}, **keys)) or which is not None


def passages_of(path, *names):
    options = {"more": "m", "less": "l", "kind": "k", "characters": 100, "passages": None, "pairs_a_kind": None}
    return list(passages.read({"train": path}, pairs=names, **options))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_texts(tmp_path, seed):
    rng, path = random.Random(seed), tmp_path / "train"
    content = json.dumps({"a": ["One.", "Two."], "b": {"c": "\ud800 x", "d": 1}}).encode()
    for case in range(100):
        path.write_bytes(damaged(rng, b'm,l,k\n"x y",z,k\nq,r,s\n' if case % 2 else content))
        accepted(lambda names=["train"] * (case % 2): passages_of(path, *names))


def archives():
    """Name -> bytes of an archive with the member `in/m.csv`, packed in every way that is read."""
    payload = "\n".join(",".join(row) for row in ROWS).encode()
    made = {}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as opened:
            opened.writestr("in/m.csv", payload)
            opened.writestr("other", b"x")
        made[f"zip {method}"] = file.getvalue()
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode=mode) as opened:
            info = tarfile.TarInfo("in/m.csv")
            info.size = len(payload)
            opened.addfile(info, io.BytesIO(payload))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "in/m.csv"
            opened.addfile(link)
        made[f"tar {mode}"] = file.getvalue()
    return made | {"gz": gzip.compress(payload)}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", archives())
def test_archives(tmp_path, kind):
    rng, path, content = random.Random(kind), tmp_path / f"archive.{kind}", archives()[kind]

    def unpack():
        return decompressed(path, tmp_path / "m") if kind == "gz" else take_member(path, "in/m.csv", tmp_path)

    path.write_bytes(content)
    assert accepted(unpack)
    refused = 0
    for _ in range(150):
        path.write_bytes(damaged(rng, content))
        refused += not accepted(unpack)
    assert refused > 5
