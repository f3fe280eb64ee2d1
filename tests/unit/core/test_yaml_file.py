"""YAML that people write is read as it is written, or refused with its place."""

import time

import pytest
import yaml

from fairweight.core import yaml_file
from fairweight.core.errors import InputError
from fairweight.core.yaml_file import parse_yaml, read_yaml

READ = {
    "a: 1\nb: [x, 2.5, true, null, '010', \"no\"]": {"a": 1, "b": ["x", 2.5, True, None, "010", "no"]},
    "a: {x: 1}\nb: {x: 1}": {"a": {"x": 1}, "b": {"x": 1}},  # equal keys of different mappings
    "base: &base {x: 1, y: 2}\nb: {<<: *base, y: 3}": {"base": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}},
    "a: &a [1, 2]\nb: *a": {"a": [1, 2], "b": [1, 2]},
    "a: 0x1F\nb: -5\nc: 1.5e-3\nd: .5\ne: 9223372036854775807": {
        "a": 31,
        "b": -5,
        "c": 0.0015,
        "d": 0.5,
        "e": 2**63 - 1,
    },
    "a: !!str 010": {"a": "010"},
    "": None,
}
REFUSED = {
    "seeds: 1\nname: x\nseeds: 2": "line 3, column 1: the key 'seeds' occurs twice, first in line 1",
    "variants: {\n dense: {train: a},\n dense: {train: b}}": "line 3, column 2: the key 'dense' occurs twice",
    "a: [{x: 1, 'x': 2}]": "the key 'x' occurs twice",
    "a: 2024-02-30": "line 1, column 4: YAML reads '2024-02-30' as a date; put it in quotes",
    "a: 2024-02-28": "as a date; put it in quotes",
    "a: 2024-02-28 10:00:00": "as a date",
    "a: 010": "YAML reads '010' as another number",
    "a: 12:30": "YAML reads '12:30' as another number",
    "a: 1_000": "as another number",
    "a: 0b11": "as another number",
    f"a: {'9' * 5000}": "an integer of 5,000 digits is too large",
    "a: 9223372036854775808": "an integer of 19 digits is too large",
    "no: 1": "YAML reads the key 'no' as no text; put it in quotes",
    "1: x": "YAML reads the key '1' as no text",
    "? [a]\n: 1": "a key is a list or a mapping",
    "a: !!python/object:os.system x": "python/object:os.system' does not fit 'x'; remove it",
    "a: !!set {b, c}": "set' is not known; remove it",
    "a: !!int x": "does not fit 'x'",
    "a: =": "put it in quotes",
    "a: &a [*a]": "*a contains itself",
    "a: *b": "this is not YAML (found undefined alias)",
    "--- a\n--- b": "begins a second document",
    "a: \x01": "this is not YAML in UTF-8",
    "[" * 1000 + "]" * 1000: "line 1, column 51: more than 50 levels",
    "{a: " * 1000: "more than 50 levels",
    "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    ): "more than 200,000 values",
}


@pytest.mark.parametrize("text", READ)
def test_values_are_read_as_they_are_written(text):
    assert parse_yaml(text, "s.yaml") == READ[text] == yaml.safe_load(text)


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_yaml_reads_as_something_else_is_refused_with_its_place(text):
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "s.yaml")
    message = str(caught.value)
    assert REFUSED[text] in message and message.startswith("s.yaml") and message.endswith((".", ")"))


def test_a_loader_without_libyaml_says_the_same(monkeypatch):
    monkeypatch.setattr(yaml_file, "LOADER", yaml.SafeLoader)
    for text, value in READ.items():
        assert parse_yaml(text, "s.yaml") == value
    for text, part in REFUSED.items():
        if not text.startswith(("[[", "a: *b")):  # without libyaml, the parser words it differently
            with pytest.raises(InputError) as caught:
                parse_yaml(text, "s.yaml")
            assert part in str(caught.value)


def test_a_large_file_is_refused_at_once(tmp_path):
    (tmp_path / "s.yaml").write_text("".join(f"key{i}: [a, b]\n" for i in range(600_000)))
    began = time.monotonic()
    with pytest.raises(InputError, match=r"has 1\d,\d{3},\d{3} bytes; a YAML file may have at most 2,000,000"):
        read_yaml(tmp_path / "s.yaml")
    assert time.monotonic() - began < 1


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "s.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(tmp_path / "s.yaml") == {"a": 1}
    (tmp_path / "s.yaml").write_bytes("a: 1\n".encode("utf-16"))
    with pytest.raises(InputError, match="this is not YAML in UTF-8"):
        read_yaml(tmp_path / "s.yaml")


SLIPS = {
    "a:\n\tb: 1\n": "line 2, column 1: this is not YAML; there is a tab, and YAML is indented with blanks only.",
    "title: Adult: first\n": "column 13: this is not YAML; a value with a colon and a blank needs quotes around it.",
    "a: 'x\nb: 1\n": "this is not YAML; the quote in line 1 is not closed.",
    'a: "C:\\data"\n': "in double quotes a backslash begins an escape: use single quotes.",
    "a:\n    b: 1\n  c: 2\n": "line 3, column 3: this is not YAML; the indentation of this line fits no line above it",
    "a: 1\n  b: 2\n": "line 2, column 4: this is not YAML; this line is indented further than the keys above it",
    "a: [1, 2\nb: 3\n": "a bracket is not closed before this line, or a comma is missing.",
    "a: 1\nb\nc: 2\n": "a key needs a colon and a blank after it, here or in the line above.",
    "a: *.csv\n": "a value cannot begin with '*' or '&': put it in quotes.",
    "a: %x\n": "a value cannot begin with '%': put it in quotes.",
    "a: - b\n": "a list begins on a line of its own, each entry after '- '.",
    "a: 1\n---\nb: 2\n": "'---' begins a second document, and a file has one.",
    "a:1\nb: 2\n": "line 1 needs a blank after the colon.",
    'name: x\ntitle: "kredit\n# it\'s\nfiles: {train: {sources: ["file:x"]}}\n': "; the quote in line 2 is not closed.",
    "title: 'kredit\nlicence: 'x'\n": "line 2, column 11: this is not YAML; the quote in line 1 is not closed.",
    'a: {t: "kredit, b: 2}\nc: "x"\n': "; the quote in line 1 is not closed.",
    'a: 1\nt: "kredit\nre: "x: y"\n': "; the quote in line 2 is not closed.",
    "t: \"kredit\nre: '\\d'\n": "; the quote in line 1 is not closed.",
    't: "two\n  lines"\nb:\n    c: 1\n  d: "x"\n': "the indentation of this line fits no line above it",
    't: kredit"\nb:\n    c: "x"\n  d: 2\n': "the indentation of this line fits no line above it",
    "a: 'it's'\n": "a value ends at its second quote: put it in double quotes.",
}


@pytest.mark.parametrize("text", SLIPS)
def test_a_slip_in_yaml_is_named_with_what_to_write(text):
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "study.yaml")
    assert str(caught.value).startswith("study.yaml, line ") and SLIPS[text] in str(caught.value)


def test_the_line_of_an_open_quote_is_named_without_libyaml(monkeypatch):
    monkeypatch.setattr(yaml_file, "LOADER", yaml.SafeLoader)
    for text, said in SLIPS.items():
        if "is not closed" in said and "the quote" in said:
            with pytest.raises(InputError) as caught:
                parse_yaml(text, "study.yaml")
            assert said in str(caught.value)
