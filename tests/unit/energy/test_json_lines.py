"""Files that a run keeps while it works: a cut last line is left out, and anything else that is not JSON is refused."""

import json
import os

import pytest

from fairweight.core.errors import InputError
from fairweight.energy.json_lines import read_lines
from fairweight.energy.ledger_entries import _overhead
from fairweight.energy.metered_ledger import read_samples


@pytest.mark.parametrize("last", [b'{"a": 2', b"\xff\x00", b"[" * 100_000, b"3", b""])
def test_a_cut_last_line_is_left_out(tmp_path, last):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n' + last)
    assert [entry for entry, _ in read_lines(path)] == [{"a": 1}]


@pytest.mark.parametrize("line", [b'{"a": 2', b"\xff\x00", b"[" * 100_000, b"3", b""])
def test_a_line_that_is_no_object_is_refused(tmp_path, line):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 3}\n')
    with pytest.raises(InputError, match="line 2: this is not a JSON object in UTF-8; remove the line"):
        list(read_lines(path))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "x.jsonl")
    for read in (lambda path: list(read_lines(path)), read_samples, lambda path: _overhead(path, [])):
        with pytest.raises(InputError, match="is not a file; remove it"):
            read(tmp_path / "x.jsonl")


@pytest.mark.parametrize("content", ["", "{}", '{"session": "s"}', "[1]", "{", "[" * 100_000])
def test_the_usage_of_a_run_is_whole(tmp_path, content):
    path = tmp_path / "x.overhead.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"this is not .*; remove the file"):
        _overhead(path, [])
    whole = {"session": "s", "host": "h", "started": 1.0, "ended": 3.0, "cpu_s": 0.5}
    path.write_text(json.dumps(whole, indent=1))
    assert _overhead(path, [])["wall_s"] == 2.0
