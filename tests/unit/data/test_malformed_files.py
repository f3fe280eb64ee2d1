"""A raw file is read right, or refused in one sentence that names file, line and remedy."""

import json
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_recipes import READER, dataset

from fairweight.core.errors import InputError
from fairweight.data import delimited_text
from fairweight.data.column_names import MOST_COLUMNS
from fairweight.data.raw_rows import FILE, RawRows, present, raw_blocks
from fairweight.data.read import read
from fairweight.data.readers import delimited, parquet, passages

HEADER = "y,x,c,g\n"
TAB = "\t"
LONG = 20_000_000


def table(tmp_path, content, **options):
    """The rows of one file as lists, without the column that names it."""
    path = tmp_path / "raw"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    frame = pd.concat(delimited.read({"train": path}, **READER | options), ignore_index=True)
    values = frame.iloc[:, :-1].astype(object)
    return [list(frame.columns[:-1]), *values.where(values.notna(), None).to_numpy().tolist()]


# what is read right: (content, options, columns and rows)
RIGHT = {
    "CRLF": ("a,b\r\n1,2\r\n", {}, [["a", "b"], ["1", "2"]]),
    "CR only": ("a,b\r1,2\r3,4", {}, [["a", "b"], ["1", "2"], ["3", "4"]]),
    "mixed line ends": ("a,b\r\n1,2\n3,4\r5,6", {}, [["a", "b"], ["1", "2"], ["3", "4"], ["5", "6"]]),
    "no line end": ("a,b\n1,2", {}, [["a", "b"], ["1", "2"]]),
    "blank lines": ("\n \na,b\n\n1,2\n\t\n3,4\n\n", {}, [["a", "b"], ["1", "2"], ["3", "4"]]),
    "a byte order mark": (b"\xef\xbb\xbfa,b\n1,2\n", {}, [["a", "b"], ["1", "2"]]),
    "a byte order mark before a quote": (b'\xef\xbb\xbf"a",b\n1,2\n', {}, [["a", "b"], ["1", "2"]]),
    "a byte order mark without a header": (
        b"\xef\xbb\xbf1,2\n",
        {"columns": ["a", "b"]},
        [["a", "b"], ["1", "2"]],
    ),
    "UTF-16": ("a,b\nä,2\n".encode("utf-16"), {"encoding": "utf-16"}, [["a", "b"], ["ä", "2"]]),
    "UTF-16 without a mark": ("a,b\nä,2\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, [["a", "b"], ["ä", "2"]]),
    "cp1252": ("a,b\nä,€\n".encode("cp1252"), {"encoding": "cp1252"}, [["a", "b"], ["ä", "€"]]),
    "a separator in quotes": ('a,b\n"1,5",2\n', {}, [["a", "b"], ["1,5", "2"]]),
    "quotes in quotes": ('a,b\n"say ""hi""",2\n', {}, [["a", "b"], ['say "hi"', "2"]]),
    "quotes within a text": ('a,b\n5" disk,say "hi"\n', {}, [["a", "b"], ['5" disk', 'say "hi"']]),
    "blanks around quotes": ('a,b\n "1,5" , "2"\t\n', {}, [["a", "b"], ["1,5", "2"]]),
    "line breaks in quotes": (
        'a,b\n"one\n\ntwo",2\n"x\r\ny",3\n',
        {},
        [["a", "b"], ["one\n\ntwo", "2"], ["x\r\ny", "3"]],
    ),
    "another quote": ("a,b\n'1,5',\"2\n", {"quote": "'"}, [["a", "b"], ["1,5", '"2']]),
    "no quote": (
        f'a{TAB}b\n"x{TAB}2\ny"{TAB}"3"\n',
        {"separator": TAB, "quote": "none"},
        [["a", "b"], ['"x', "2"], ['y"', '"3"']],
    ),
    "a long separator in quotes": (
        'a||b\n"1||5"||2|\n3||"say ""||"""\n',
        {"separator": "||"},
        [["a", "b"], ["1||5", "2|"], ["3", 'say "||"']],
    ),
    "a long separator without quotes": (
        'a||b\n"1||2\n',
        {"separator": "||", "quote": "none"},
        [["a", "b"], ['"1', "2"]],
    ),
    "a separator that is a pattern": ("a.+b\n1.+2\n", {"separator": ".+"}, [["a", "b"], ["1", "2"]]),
    "aligned by blanks": ("a  b\n 1 2\n10    20 \n", {"separator": " "}, [["a", "b"], ["1", "2"], ["10", "20"]]),
    "missing values in tabs": (
        f"a{TAB}b\n{TAB}\n1{TAB}\n",
        {"separator": TAB},
        [["a", "b"], [None, None], ["1", None]],
    ),
    "a missing value in quotes": ('a\n""\n1\n', {}, [["a"], [None], ["1"]]),
    "one column with commas": ("1,5\n2\n", {"columns": ["a"], "separator": ";"}, [["a"], ["1,5"], ["2"]]),
    "names that differ in case": ("a,A\n1,2\n", {}, [["a", "A"], ["1", "2"]]),
    "no name": (",a,\n0,1,2\n", {}, [["Unnamed: 0", "a", "Unnamed: 2"], ["0", "1", "2"]]),
    "no name beside its stand-in": (
        "Unnamed: 1,\n0,1\n",
        {},
        [["Unnamed: 1", "Unnamed: 1.1"], ["0", "1"]],
    ),
    "lines to skip": ("|x\n\na,b\n1,2\n", {"skip_lines": {"train": 1}}, [["a", "b"], ["1", "2"]]),
    "few rows": ("a,b\n\n1,2\n3,4\n5\n", {"rows": 2}, [["a", "b"], ["1", "2"], ["3", "4"]]),
    "a long text": (f"a,b\n{'x' * 200_000},2\n", {}, [["a", "b"], ["x" * 200_000, "2"]]),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_what_is_unusual_is_read_right(tmp_path, kind):
    content, options, expected = RIGHT[kind]
    assert table(tmp_path, content, **options) == expected


ROWS = "".join(f"{i % 2},{i},a,u\n" for i in range(38))
SWALLOWED = [f"{i}{TAB}text {i}{TAB}u" for i in range(40)]
SWALLOWED[4], SWALLOWED[10] = f'4{TAB}"a{TAB}u', f'10{TAB}a"{TAB}u'
# what is refused: (content, options, parts of the sentence)
WRONG = {
    "too short": (
        HEADER + "1,41\n0,42,a\n",
        {},
        "line 2: the row has fewer values than columns: it has 2 values, the header has 4",
    ),
    "too short at the end": (HEADER + ROWS + "1,4", {}, "line 40: the row has fewer values than columns"),
    "too long": (HEADER + "1,41,a,u\n1,2,3,4,5\n", {}, "line 3: the row has more values than columns: it has 5 values"),
    "separators at the ends": ("a,b\n1,2,\n3,4,\n", {}, "line 2.*remove the separators at the ends of the rows"),
    "a comment": ("a,b\n1,2\n# x\n", {}, "line 3.*it has 1 value, the header has 2; remove comment lines"),
    "after a value of several lines": ('a,b\n"x\ny",2\n3\n', {}, "line 4: the row has fewer"),
    "a value of several lines": ('a,b,c\n"x\ny",2\n', {}, "lines 2 to 3: the row has fewer"),
    "after lines to skip": ("x\na,b\n1\n", {"skip_lines": {"train": 1}}, "line 3: the row has fewer"),
    "too few names": ("1,2,3\n", {"columns": ["a", "b"]}, "line 1.*it has 3 values, 'columns' has 2"),
    "too many names": ("1,2,3\n", {"columns": list("abcd")}, "line 1.*it has 3 values, 'columns' has 4"),
    "a header besides names": ("a,b\n1,2\n", {"columns": ["a", "b"]}, r"line 1: the row repeats the names.*skip_lines"),
    "semicolons": ("a;b\n1,5;2\n", {}, r"line 1: the header has one column, 'a;b'; set reader: separator: \";\""),
    "tabs": (f"a{TAB}b\n", {}, r'set reader: separator: "\\t"'),
    "a backslash and a t": (f"a{TAB}b\n", {"separator": "\\t"}, r'set reader: separator: "\\t"'),
    "a line of a spreadsheet": (
        "sep=;\r\na;b\r\n1;2\r\n",
        {},
        r'line 1: it states the separator; set reader: separator: ";", and skip the line .skip_lines.',
    ),
    "commas": ("a,b\n1,2\n", {"separator": ";"}, r'set reader: separator: ","'),
    "semicolons without a header": ("1;2\n", {"columns": ["a", "b"]}, r'it has 1 value, .*set reader: separator: ";"'),
    "an open quote": (
        'a,b\n1,2\n"3,4\n5,6\n',
        {},
        "line 3: the value in quotes that begins here has no closing quote; if",
    ),
    "text after a quote": ('a,b\n"x"y,2\n', {}, "line 2: text follows the closing quote of a value; if quotes belong"),
    "a backslash before a quote": (r"a,b" + '\n"x\\"y",2\n', {}, "line 2: text follows.*double the quotes within it"),
    "swallowed rows, the second a quote": (
        "\n".join([f"n{TAB}t{TAB}g", *SWALLOWED[:10], f'10{TAB}"a{TAB}u']),
        {"separator": TAB},
        "lines 6 to 12: text follows the closing quote of a value; if quotes belong to the text, set reader: quote",
    ),
    "swallowed rows": (
        "\n".join([f"n{TAB}t{TAB}g", *SWALLOWED]),
        {"separator": TAB},
        "lines 6 to 12: quotes join these lines to one row, although each has 3 values of its own; if the quotes",
    ),
    "two swallowed rows": ('a,b\n1,"x\n2,y"\n3,z\n', {}, "lines 2 to 3: quotes join these lines"),
    "swallowed rows beside texts of several lines": (
        'n,t,g,h\n0,"a\n\nb",u,v\n1,"x,u,v\n2,y,u,v\n3,z,u,v\n4,w",u,v\n',
        {},
        "lines 5 to 8: quotes join these lines",
    ),
    "an open quote with a long separator": ('a||b\n"1||2\n', {"separator": "||"}, "line 2: the value in quotes"),
    "the stand-in of a long separator": (
        "a||b\n1||\x1f\n",
        {"separator": "||"},
        r"line 2: .*control character '\\x1f'",
    ),
    "NUL": ("a,b\n1,\0\n", {}, "line 2: there is a NUL character"),
    "UTF-16 as UTF-8": ("a,b\n1,2\n".encode("utf-16-le"), {}, "line 1: there is a NUL.*set reader: encoding: utf-16"),
    "UTF-16 with a mark": (
        "a,b\n1,2\n".encode("utf-16"),
        {},
        r"is not utf-8 \(it begins with the byte order mark of utf-16\); set reader: encoding: utf-16",
    ),
    "UTF-8 with a mark as latin-1": (b"\xef\xbb\xbfa,b\n1,2\n", {"encoding": "latin-1"}, "encoding: utf-8"),
    "UTF-8 as UTF-16": (b"a,b\n1,2\n", {"encoding": "utf-16"}, "is not utf-16"),
    "latin-1 as UTF-8": ("a,b\nKöln,2\n".encode("latin-1"), {}, r"is not utf-8 .*; set reader: encoding: latin-1$"),
    "cp1252 as UTF-8": ("a,b\n5 €,Köln\n".encode("cp1252"), {}, r"is not utf-8 .*; set reader: encoding: cp1252$"),
    "damaged UTF-8": ("a,b\nKöln,Bär\n".encode() + b"\xff,1\n", {}, r"is not utf-8 .*; set reader: encoding$"),
    "another code page as UTF-8": (b"a,b\n\x81\x8d,\xf6\n", {}, r"is not utf-8 .*; set reader: encoding$"),
    "UTF-8 as ASCII": ("a,b\nKöln,2\n", {"encoding": "ascii"}, r"is not ascii .*; set reader: encoding: utf-8$"),
    "no such encoding": ("a,b\n", {"encoding": "utf-9"}, "reader: encoding: 'utf-9' is not known"),
    "no encoding of text": ("a,b\n", {"encoding": "hex"}, "reader: encoding: 'hex' is not known"),
    "one name twice": ("x,c,g,y,c\n", {}, r"line 1 has two columns c \(2 and 5\); rename one"),
    "one name twice without blanks": ("x,c,g,y,c \n", {}, r"line 1 has two columns c \(2 and 5\); rename one"),
    "one name twice in columns": ("1,2\n", {"columns": ["c", "c "]}, r"reader: columns has two columns c \(1 and 2\)"),
    "one name in two Unicode forms": (
        "\u00e9,x,e\u0301\n",
        {},
        r"two columns e\u0301 \(1 and 3\), which differ only in their Unicode form; rename one",
    ),
    "a reserved name": (
        "a,__file__\n1,2\n",
        {},
        "has a column '__file__', a name that is added to all rows; rename it",
    ),
    "an empty file": ("", {}, "file 'train' is empty"),
    "blanks only": (" \n\n", {}, "file 'train' is empty"),
    "nothing after lines to skip": ("a\nb\n", {"skip_lines": {"train": 5}}, "is empty after the 5 lines to skip"),
    "a header only": ("a,b\n", {}, "file 'train' has no rows"),
    "no rows": ("", {"columns": ["a"]}, "file 'train' has no rows"),
    "a column to keep": ("a,b\n1,2\n", {"keep": ["a", "c"]}, "keep: file 'train' has no column 'c'; it has a, b"),
    "a quote in the separator": ("", {"separator": '","'}, "quote: '\"' is part of the separator"),
    "a line break as separator": ("", {"separator": "\n"}, "separator and quote cannot be line breaks"),
    "a workbook": (b"PK\x03\x04....", {}, r"is a zip archive or an \.xlsx workbook"),
    "a packed file": (b"\x1f\x8b....", {}, "is packed .gzip.; unpack it"),
    "Parquet": (b"PAR1....", {}, "is a Parquet table; set reader: parquet"),
    "control characters in a name": ("a,\x1b[31mb\n1,2\n", {"keep": ["b"]}, r"it has a, \\x1b\[31mb$"),
    "a long value": (f"a,b\n1,{'x' * LONG}\n", {}, "line 2: it has more than 10,000,000 characters"),
    "a long value in quotes": (
        'a,b\n1,"' + ("x" * 999 + "\n") * (LONG // 1000),
        {},
        "the value in quotes has more than 10,000,000",
    ),
    "many columns": (",".join(map(str, range(10**6))) + "\n", {}, "line 1 has 1,000,000 columns, and at most 10,000"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_malformed_is_one_sentence(tmp_path, kind):
    content, options, message = WRONG[kind]
    start = time.monotonic()
    with pytest.raises(InputError, match=message) as caught:
        table(tmp_path, content, **options)
    assert len(str(caught.value)) <= 500 and str(caught.value).isprintable()
    assert time.monotonic() - start < 10


def test_texts_of_several_lines_are_no_swallowed_rows(tmp_path):
    rows = [["1", "Hello\nfoo, bar"], ["2", "one\n\ntwo, three\nfour"], ["3", "x"]]
    content = "n,t\n" + "".join(f'{n},"{text}"\n' for n, text in rows)
    assert table(tmp_path, content) == [["n", "t"], *rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "shift_jis"])
def test_the_first_wrong_byte_is_named(tmp_path, encoding):
    before = ("a,b\r\n" + "1,日本\r\n" * 100_000).encode(encoding)  # longer than any part that is read at once
    wrong = {"utf-8": b"\xe9,", "utf-16-le": b"\x00\xdc,\x00", "shift_jis": b"\x81\x00"}[encoding]
    with pytest.raises(InputError) as caught:
        table(tmp_path, before + wrong + "2\n".encode(encoding), encoding=encoding)
    byte = {"utf-8": "0xe9", "utf-16-le": "0x00", "shift_jis": "0x81"}[encoding]
    place = f"(byte {byte} at position {len(before):,}, in line 100,002)"
    assert str(caught.value) == f"file 'train' is not {encoding} {place}; set reader: encoding"


def test_other_columns_of_a_file_are_named(tmp_path):
    for name, header in (("a", "x,y"), ("b", "x,z"), ("c", "y,x")):
        (tmp_path / name).write_text(f"{header}\n1,2\n")
    for other, words in (("b", "it lacks y and it also has z"), ("c", "their order differs")):
        with pytest.raises(
            InputError, match=f"file '{other}' has other columns than file 'a': {words}; make them equal"
        ):
            list(delimited.read({"a": tmp_path / "a", other: tmp_path / other}, **READER))
    frames = delimited.read({"a": tmp_path / "a", "c": tmp_path / "c"}, **READER | {"keep": ["y"]})
    assert pd.concat(frames)["y"].tolist() == ["2", "1"]


def parquet_table(tmp_path, content):
    path = tmp_path / "raw"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, pd.DataFrame):
        content.to_parquet(path)
    else:
        pq.write_table(content, path)
    return pd.concat(parquet.read({"train": path}, rows=None), ignore_index=True)


def latin1(*values, kind=None):
    """A column that is marked as text and holds bytes that are not UTF-8."""
    stored = pa.array([value.encode("latin-1") for value in values], pa.binary())
    return pa.Array.from_buffers(kind or pa.string(), len(values), stored.buffers())


WRONG_PARQUET = {
    "one name twice": (pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["c", "c"]), r"two columns c \(1 and 2\)"),
    "one name without blanks": (pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["c", "c "]), "two columns c"),
    "a reserved name": (pa.table({"__file__": [1]}), "has a column '__file__'"),
    "not UTF-8": (
        pa.table({"c": latin1("a", "é")}),
        "column c in data row 2 holds text that is not UTF-8; write it as",
    ),
    "a dictionary that is not UTF-8": (
        pa.table({"c": pa.DictionaryArray.from_arrays(pa.array([0, 1]), latin1("a", "é"))}),
        "is damaged after row 0|not UTF-8",
    ),
    "a long value": (pa.table({"c": ["a", "x" * LONG]}), "in data row 2 has a value of more than 10,000,000 bytes"),
    "no rows": (pa.table({"c": pa.array([], pa.int64())}), "has no rows"),
    "a date that Python has not": (
        pa.table({"a": [1], "c": pa.array([2**31 - 1], pa.date32())}),
        r"column c cannot be read \(year 5881580 is out of range\); write it as text",
    ),
    "many columns": (
        pa.table({f"c{i}": [1] for i in range(MOST_COLUMNS + 1)}),
        "has 10,001 columns, and at most 10,000",
    ),
    "nothing": (b"", "is not a Parquet table"),
    "CSV": (b"a,b\n1,2\n", "is not a Parquet table"),
    "no footer": (b"PAR1....PAR1", "is not a Parquet table"),
}


@pytest.mark.parametrize("kind", WRONG_PARQUET)
def test_parquet_that_is_malformed_is_one_sentence(tmp_path, kind):
    content, message = WRONG_PARQUET[kind]
    with pytest.raises(InputError, match=message) as caught:
        parquet_table(tmp_path, content)
    assert len(str(caught.value)) <= 500 and str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([[1, 2]], "ndarray|list"),
        ([{"a": 1}], "dict"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "list"),
    ],
)
def test_a_column_of_lists_or_mappings_is_refused_where_it_is_used(tmp_path, values, kind):
    frame = parquet_table(tmp_path, pa.table({"x": [1], "c": values}))
    raw = RawRows(frame, 0, {})
    assert raw.names("x", "inputs").tolist() == ["1"]
    with pytest.raises(
        InputError, match=f"inputs: column 'c' holds a ({kind}) in each row; make a column of each value"
    ):
        raw.names("c", "inputs")


def test_parquet_keeps_whole_numbers_and_booleans_beside_missing_values(tmp_path):
    ids = [9007199254740993, 9007199254740992, None]
    frame = parquet_table(tmp_path, pa.table({"id": ids, "yes": [True, None, False], "x": [0.5, None, 1.5]}))
    assert frame["id"].dropna().astype(str).tolist() == ["9007199254740993", "9007199254740992"]
    assert frame["yes"].isna().tolist() == [False, True, False] and frame["yes"].dropna().tolist() == [True, False]
    assert np.isnan(frame["x"][1])


def test_parquet_names_are_texts_and_the_index_of_pandas_is_no_column(tmp_path):
    frame = parquet_table(tmp_path, pd.DataFrame({0: [1, 2], 1: ["a", "b"]}, index=["i", "j"]))
    assert list(frame.columns) == ["0", "1", "__file__"]
    metadata = {b"pandas": b"{broken"}
    assert "a" in parquet_table(tmp_path, pa.table({"a": [1]}).replace_schema_metadata(metadata))


def pairs(tmp_path, content, *names):
    path = tmp_path / "raw"
    path.write_bytes(content)
    options = {"more": "m", "less": "l", "kind": "k", "characters": 100, "passages": None, "pairs_a_kind": None}
    return pd.concat(passages.read({"train": path}, pairs=list(names), **options))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"m,l,k\na,b\n", "line 2: the row has fewer values than columns"),
        (b"m,l,k,m\na,b,c,d\n", "has two columns m"),
        (b"m;l;k\na;b;c\n", "line 1: the header has one column, 'm;l;k'; separate by ','"),
        (b'm,l,k\n"a"b,c,d\n', "text follows the closing quote of a value; if quotes belong to the text, double them"),
        (b"m,l,k\n\xe9,b,c\n", r"is not utf-8 \(byte 0xe9 at position 6, in line 2\); convert it to utf-8"),
    ],
)
def test_pairs_are_read_as_strictly(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        pairs(tmp_path, content, "train")


def test_passages_keep_texts_of_equal_keys_and_refuse_what_is_no_text(tmp_path):
    assert pairs(tmp_path, b'{"a": "One.", "a": "Two."}')["text"].tolist() == ["One.", "Two."]
    for content, message in (
        (b"[" * 100_000, "JSON of too many levels"),
        (b"ab\ncd\0e", "line 2: there is a NUL character"),
        (b"ab\n\xe9", r"is not utf-8 \(byte 0xe9 at position 3, in line 2\); convert it"),
        (json.dumps({"a": 1}).encode(), "contains no text"),
    ):
        with pytest.raises(InputError, match=message):
            pairs(tmp_path, content)


def test_short_rows_are_no_missing_labels(tmp_path):
    (tmp_path / "raw").write_text("x,c,g,y\n1,a,u,no\n2,b\n")
    keys = {"inputs": {"numeric": ["x"]}, "target": {"column": "y"}, "groups": {}, "reader": {"method": "delimited"}}
    recipe = dataset(**keys, files={"train": {"sources": ["file:x"]}, "test": {"sources": ["file:x"]}})
    files = {"train": str(tmp_path / "raw")}
    with pytest.raises(InputError) as caught:
        read(files, str(tmp_path / "t"), str(tmp_path / "c"), name="d", recipe=recipe, given=[])
    assert str(caught.value) == (
        "datasets: d: file 'train', line 3: the row has fewer values than columns: it has 2 values, the header has 4; "
        "complete or remove it, or check reader: separator and quote."
    )


def test_a_reader_of_a_users_own_gives_one_column_of_a_name():
    frame = pd.DataFrame([["a", "b", "train"]], columns=["c", "c", FILE])
    for columns, message in ((["c", "c", FILE], "two columns c"), (["c", "d", "e"], "no column '__file__'")):
        with pytest.raises(InputError, match=message):
            list(raw_blocks([frame.set_axis(columns, axis=1)], []))


def test_a_name_in_another_unicode_form_is_named():
    frame = pd.DataFrame([["a", "train"]], columns=["cafe\u0301", FILE])
    with pytest.raises(InputError, match=r"the data have 'cafe\\u0301', which looks like 'caf\\xe9'; copy the name"):
        present(frame, "caf\u00e9", "target")


def test_the_limit_of_a_line_is_that_of_the_documentation():
    assert "at most 10 million characters" in delimited.OPTIONS["columns"]["description"]
    assert delimited_text.LONGEST_LINE == 10**7 and f"{MOST_COLUMNS:,}" in delimited.OPTIONS["columns"]["description"]


def test_columns_that_files_may_lack(tmp_path):
    """As the outputs of a model, which stand beside the test rows alone."""
    (tmp_path / "train").write_text("x,y\n1,a\n2,b\n")
    (tmp_path / "test").write_text("p,x,y\n.5,3,a\n")
    files = {name: tmp_path / name for name in ("train", "test")}
    for order in (files, dict(reversed(files.items()))):
        frame = pd.concat(delimited.read(order, **READER | {"optional": ["p"]}), ignore_index=True)
        assert list(frame.columns) == ["x", "y", "p", "__file__"]
        assert frame.set_index("x")["p"].to_dict() == {"1": None, "2": None, "3": ".5"}
    with pytest.raises(InputError, match="file 'test' has other columns than file 'train': it also has p"):
        list(delimited.read(files, **READER))
    with pytest.raises(InputError, match="reader: optional: no file has a column q; the last one has p, x, y"):
        list(delimited.read(files, **READER | {"optional": ["p", "q"]}))
    frame = pd.concat(delimited.read(files, **READER | {"optional": ["p"], "keep": ["y", "p"]}), ignore_index=True)
    assert list(frame.columns) == ["y", "p", "__file__"]
