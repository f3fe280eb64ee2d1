"""A file that is not the one that its step wrote is refused before it is read."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from tables import tabular

from fairweight.core import artifacts, checksums
from fairweight.core.errors import InputError
from fairweight.core.resource_usage import write_usage
from fairweight.core.table import Augmented

REMEDY = "; delete it; the next run makes it again."


def write_all(folder):
    """One file of each kind that a step writes, and what reads it again."""
    table = tabular()
    nothing = Augmented.nothing(table)
    nothing.row_weights[:3] = 2
    rows = {"row": table.row, "part": table.label, "score": table.numeric[:, 0], "probabilities": table.numeric}
    artifacts.write_table(folder / "table.parquet", table)
    artifacts.write_split(folder / "split.parquet", table.row, table.label)
    artifacts.write_augmented(folder / "augmented.parquet", [(nothing, table.row)], table)
    artifacts.write_predictions(folder / "predictions.parquet", rows, {"batch_size": 64})
    artifacts.write_rows(folder / "rows.parquet", [{"a": 1.5, "b": "x"}], {"a": "double", "b": "string"})
    artifacts.write_frame(folder / "frame.parquet", pd.DataFrame({"a": np.arange(99.0), "b": ["x", None, "z"] * 33}))
    artifacts.write_weights(folder / "model.safetensors", {"w": table.numeric}, {"hidden": [3]}, folder / "model.json")
    return {
        "table.parquet": artifacts.read_table,
        "split.parquet": artifacts.read_split,
        "augmented.parquet": lambda path: artifacts.read_augmented(path, table),
        "predictions.parquet": artifacts.read_predictions,
        "rows.parquet": artifacts.read_frame,
        "frame.parquet": artifacts.read_frame,
        "model.safetensors": lambda path: artifacts.read_weights(path, path.with_name("model.json")),
        "model.json": artifacts.read_json,
    }


def flip(path, position):
    """Flip one bit, and keep size and time stamp as a failing disk does."""
    content, time = bytearray(path.read_bytes()), path.stat()
    content[position] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(time.st_atime_ns, time.st_mtime_ns))


def last_byte(column):
    """Position of the last byte of a column's pages, which no header holds."""
    return (column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size - 1


def record(folder, *names, rule="make"):
    """The usage file of a step that wrote these files, or all files of the folder."""
    usage = folder / f"{rule}.usage.json"
    write_usage(usage, 1, [usage, *(folder / name for name in names or sorted(file.name for file in folder.iterdir()))])
    return usage


KINDS = ("table", "split", "augmented", "predictions", "rows", "frame")


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_in_a_page_of_any_column_is_refused_by_every_reader(tmp_path, kind):
    read = write_all(tmp_path)[f"{kind}.parquet"]
    path = tmp_path / f"{kind}.parquet"
    read(path)
    group = pq.read_metadata(path).row_group(0)
    used = {"part"} if kind == "split" else {group.column(n).path_in_schema for n in range(group.num_columns)}
    for column in map(group.column, range(group.num_columns)):
        if column.path_in_schema not in used:
            continue
        flip(path, last_byte(column))
        with pytest.raises(InputError, match=rf"{kind}\.parquet is damaged \(.*\){REMEDY}"):
            read(path)
        flip(path, last_byte(column))
    read(path)


def test_pages_are_verified_block_by_block(tmp_path):
    artifacts.write_table(tmp_path / "table.parquet", tabular())
    label = pq.read_metadata(tmp_path / "table.parquet").row_group(0).column(2)
    flip(tmp_path / "table.parquet", last_byte(label))
    for options in ({"block": 0}, {"inputs": False}):
        with pytest.raises(InputError, match="is damaged"):
            artifacts.read_table(tmp_path / "table.parquet", **options)


DAMAGED = ("table.parquet", "split.parquet", "model.safetensors", "model.json")


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"PAR1" * 9, b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_is_cut_or_something_else_is_one_sentence(tmp_path, name, content):
    read = write_all(tmp_path)[name]
    (tmp_path / name).write_bytes(content)
    if (name, content[:1]) == ("model.safetensors", b"\x08"):  # a file of no tensors, which only the record refuses
        assert read(tmp_path / name)[0] == {}
        return
    with pytest.raises(InputError, match=rf"{name} is damaged .*{REMEDY}"):
        read(tmp_path / name)


def test_any_bit_of_any_file_is_refused_before_it_is_read(tmp_path):
    names = sorted(write_all(tmp_path))
    record(tmp_path)
    checksums.verify(tmp_path / name for name in names)
    for name in names:
        size = (tmp_path / name).stat().st_size
        for position in {0, 3, size // 3, size // 2, size - 30, size - 9, size - 1}:
            flip(tmp_path / name, position)
            with pytest.raises(InputError) as caught:
                checksums.verify([tmp_path / name])
            problem = "has another checksum than when it was made"
            assert str(caught.value) == f"{tmp_path / name}, which make wrote, {problem}{REMEDY}"
            flip(tmp_path / name, position)
    checksums.verify(tmp_path / name for name in names)


def test_a_cut_a_lengthened_and_a_missing_file_are_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"x" * 2000)
    record(tmp_path)
    for content, problem in ((b"x" * 1000, "has 1,000 bytes, not 2,000"), (b"x" * 2001, "has 2,001 bytes, not 2,000")):
        (tmp_path / "model.onnx").write_bytes(content)
        with pytest.raises(InputError, match=problem):
            checksums.verify([tmp_path / "model.onnx"])
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(InputError, match="is missing"):
        checksums.verify([tmp_path / "model.onnx"])


def test_files_of_two_seeds_cannot_be_swapped(tmp_path):
    for seed in ("seed-0", "seed-1"):
        (tmp_path / seed).mkdir()
        artifacts.write_split(tmp_path / seed / "split.parquet", np.arange(50), np.arange(50) % (2 + int(seed[-1])))
        record(tmp_path / seed)
    first, second = (tmp_path / seed / "split.parquet" for seed in ("seed-0", "seed-1"))
    first.rename(tmp_path / "kept")
    second.rename(first)
    (tmp_path / "kept").rename(second)
    for path in (first, second):
        artifacts.read_split(path)  # each is a sound file
        with pytest.raises(InputError, match=r"which make wrote, has .*delete it"):
            checksums.verify([path])


def test_files_that_were_touched_moved_or_copied_are_the_same(tmp_path):
    (tmp_path / "a").mkdir()
    write_all(tmp_path / "a")
    record(tmp_path / "a")
    os.utime(tmp_path / "a" / "table.parquet", (0, 0))
    checksums.verify([tmp_path / "a" / "table.parquet"])
    shutil.copytree(tmp_path / "a", tmp_path / "b" / "c")
    shutil.rmtree(tmp_path / "a")
    checksums.verify([tmp_path / "b" / "c" / "table.parquet"])
    flip(tmp_path / "b" / "c" / "table.parquet", 50)
    with pytest.raises(InputError, match="another checksum"):
        checksums.verify([tmp_path / "b" / "c" / ".." / "c" / "table.parquet"])


def test_files_that_no_step_recorded_are_not_looked_at(tmp_path, monkeypatch):
    (tmp_path / "terms.yaml").write_text("a")
    (tmp_path / "old.usage.json").write_text(json.dumps({"cpu_s": 1.0}))  # as older versions wrote it
    monkeypatch.chdir(tmp_path)
    checksums.verify(["terms.yaml", "old.usage.json", tmp_path / "terms.yaml", tmp_path / "absent" / "x"])
    assert checksums.read_usage(tmp_path / "old.usage.json") == ({"cpu_s": 1.0}, [])


def test_raw_files_are_recorded_in_the_folder_beside_them(tmp_path):
    for folder in ("raw", "raw-usage"):
        (tmp_path / folder).mkdir()
    (tmp_path / "raw" / "a.csv").write_text("1,2")
    write_usage(tmp_path / "raw-usage" / "a.csv.fetch.usage.json", 1, [tmp_path / "raw" / "a.csv"])
    checksums.verify([tmp_path / "raw" / "a.csv"])
    (tmp_path / "raw" / "a.csv").write_text("1,3")
    with pytest.raises(InputError, match="which fetch wrote, has another checksum"):
        checksums.verify([tmp_path / "raw" / "a.csv"])


def test_every_file_of_a_folder_is_compared(tmp_path):
    (tmp_path / "tables" / "more").mkdir(parents=True)
    for name in ("tables/a.csv", "tables/more/b.csv", "tables-2.csv"):
        (tmp_path / name).write_text(name)
    record(tmp_path, "tables", "tables-2.csv", rule="paper")
    (tmp_path / "tables-2.csv").write_text("another")
    checksums.verify([tmp_path / "tables"])
    (tmp_path / "tables" / "more" / "b.csv").unlink()
    with pytest.raises(
        InputError, match=r"b\.csv, which paper wrote, is missing; delete .*/paper\.usage\.json; the next"
    ):
        checksums.verify([tmp_path / "tables"])


def test_a_folder_whose_usage_file_is_in_the_summary_is_compared(tmp_path):
    for folder in ("hub/models", "summary"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "hub" / "models" / "README.md").write_text("proven")
    write_usage(tmp_path / "summary" / "cards.usage.json", 1, [tmp_path / "hub"])
    checksums.verify([tmp_path / "hub"])
    (tmp_path / "hub" / "models" / "README.md").write_text("Proven")
    with pytest.raises(InputError, match=r"README\.md, which cards wrote, has another checksum"):
        checksums.verify([tmp_path / "hub"])


@pytest.mark.parametrize(
    "edit", [("0.5", "0.7"), ('"bytes": 3', '"bytes": 4'), ("{", "{{"), ('"files": {', '"files": [')]
)
def test_a_changed_usage_file_is_refused(tmp_path, edit):
    (tmp_path / "a.csv").write_text("1,2")
    usage = record(tmp_path)
    figures = json.loads(usage.read_text()) | {"cpu_s": 0.5}
    artifacts.write_json(usage, checksums.sealed({k: v for k, v in figures.items() if k != checksums.OWN}))
    checksums.verify([usage])
    usage.write_text(usage.read_text().replace(*edit, 1))
    for path in (usage, tmp_path / "a.csv"):
        with pytest.raises(InputError, match=r"make\.usage\.json is damaged, or was edited; delete it"):
            checksums.verify([path])


STEP = """
from pathlib import Path
from fairweight.core import artifacts
from fairweight.core.step import step
class Outputs(list):
    usage = "export.usage.json"
with step("log", {inputs}, Outputs(["model.onnx", "export.usage.json"]), 1):
    artifacts.write_text("model.onnx", "weights")
    artifacts.write_text("tokenizer.json", "words")
    artifacts.write_text("elsewhere/cached.js", "code")
"""


def run_step(folder, inputs=()):
    code = STEP.format(inputs=list(inputs))
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, check=False).returncode


def test_a_step_records_what_it_wrote_and_refuses_what_others_did_not_write(tmp_path):
    assert run_step(tmp_path) == 0
    figures, files = checksums.read_usage(tmp_path / "export.usage.json")
    assert {file.path.name: file.declared for file in files} == {"model.onnx": True, "tokenizer.json": False}
    assert set(figures) >= {"cpu_s", "threads"} and not {checksums.FILES, checksums.OWN} & set(figures)
    checksums.verify([tmp_path / "model.onnx"])
    (tmp_path / "tokenizer.json").write_text("Words")  # read beside the file, and no input of a rule
    (tmp_path / "next").mkdir()
    assert run_step(tmp_path / "next", ["../model.onnx"]) == 1
    log = (tmp_path / "next" / "log").read_text()
    assert log == (
        "fairweight: ../tokenizer.json, which export wrote, has another checksum than when it was made; delete "
        "../export.usage.json; the next run makes it again.\n"
    )
    assert not (tmp_path / "next" / "model.onnx").exists()


def test_a_pipe_or_endless_lists_in_place_of_a_usage_file_are_refused(tmp_path):
    usage = tmp_path / "read.usage.json"
    usage.write_text("[" * 100_000)
    with pytest.raises(InputError, match="is damaged, or was edited"):
        checksums.read_usage(usage)
    usage.unlink()
    os.mkfifo(usage)
    with pytest.raises(InputError, match="is damaged, or was edited"):
        checksums.read_usage(usage)
