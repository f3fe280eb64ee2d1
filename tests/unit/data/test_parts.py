"""A folder of parts is one table; compressed files are read as if they were not."""

import bz2
import datetime as dt
import gzip
import lzma

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.orc
import pytest
from dataset_recipes import dataset

from fairweight.core import table as tables
from fairweight.core.artifacts import read_table
from fairweight.core.errors import InputError
from fairweight.data.delimited_text import is_orc
from fairweight.data.fetch import fetch
from fairweight.data.parts import MARK, parts, source_files
from fairweight.data.read import read
from fairweight.study.check_datasets import check_dataset

CSV = {
    "method": "delimited",
    "separator": ",",
    "quote": '"',
    "encoding": "utf-8",
    "keep": None,
    "columns": None,
    "missing": [""],
    "skip_lines": {},
    "rows": None,
}
PARQUET = {"method": "parquet", "rows": None}
ROWS = pd.DataFrame(
    {
        "age": [20, 30, 40, 50, 60, 70],
        "job": list("abcabc"),
        "paid": ["no", "yes"] * 3,
        "sex": ["f", "f", "m", "m", "f", "m"],
    }
)


def raw(tmp_path, source):
    fetch(str(tmp_path / "raw"), sources=[f"file:{source}"], sha256=None, cache=None, name="datasets: d: files: all")
    return tmp_path / "raw"


def table(tmp_path, source, reader, **changes):
    recipe = dataset(reader=reader, **changes)
    files = {"all": str(raw(tmp_path, source))}
    read(files, str(tmp_path / "t.parquet"), str(tmp_path / "c.json"), name="d", recipe=recipe, given=[])
    return read_table(tmp_path / "t.parquet")


def folder(tmp_path, form, frames, names=("part-00000", "part-00001", "part-00002")):
    place = tmp_path / "people"
    for name, frame in zip(names, frames, strict=False):
        path = place / f"{name}.{form}"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(path, index=False) if form == "parquet" else frame.to_csv(path, index=False)
    return place


@pytest.mark.parametrize(("form", "reader"), [("csv", CSV), ("csv.gz", CSV), ("parquet", PARQUET)])
def test_a_folder_as_spark_writes_it_is_one_table_in_sorted_order(tmp_path, form, reader):
    # written out of order; the third part has no rows
    place = folder(tmp_path, form, [ROWS[3:], ROWS[:3], ROWS[:0]], ("part-00002", "part-00001", "part-00000"))
    (place / "_SUCCESS").touch()
    (place / ".part-00001.crc").write_bytes(b"crc\0")
    (place / "part-00001.crc").write_bytes(b"crc\0")
    (place / "_temporary").mkdir()
    (place / "_temporary" / "part-00009").write_text("half a row")
    (place / f"part-00003.{form.removesuffix('.gz')}").touch()
    rows = table(tmp_path, place, reader)
    assert rows.numeric[:, 0].tolist() == ROWS["age"].tolist()
    assert [rows.levels["job"][code] for code in rows.categorical[:, 0]] == ROWS["job"].tolist()
    assert set(rows.file) == {"all"}


@pytest.mark.parametrize(("form", "reader"), [("csv", CSV), ("parquet", PARQUET)])
def test_folders_of_partitions_are_columns(tmp_path, form, reader):
    names = ("sex=f/part-0", "sex=m%2Fd/part-0", "sex=__HIVE_DEFAULT_PARTITION__/part-0")
    place = folder(tmp_path, form, [ROWS.drop(columns="sex")[first : first + 2] for first in (0, 2, 4)], names)
    rows = table(tmp_path, place, reader)
    assert rows.group_levels == {"sex": ("f", "m/d")}
    # sorted by the names of the folders: those without a value come first
    assert rows.groups["sex"].tolist() == [-1, -1, 0, 0, 1, 1]
    assert rows.numeric[:, 0].tolist() == [60, 70, 20, 30, 40, 50]


def test_the_same_parts_are_the_same_raw_file(tmp_path):
    first = raw(tmp_path, folder(tmp_path, "csv", [ROWS[:3], ROWS[3:]])).read_bytes()
    for path in (tmp_path / "people").iterdir():
        path.touch()
        path.chmod(0o600)
    assert raw(tmp_path, tmp_path / "people").read_bytes() == first and first.startswith(MARK.encode())


def test_rows_limits_the_table_and_not_each_part(tmp_path):
    place = folder(tmp_path, "csv", [ROWS[:3], ROWS[3:]])
    assert len(table(tmp_path, place, CSV | {"rows": 4})) == 4
    other = folder(tmp_path / "b", "parquet", [ROWS[:3], ROWS[3:]])
    assert len(table(tmp_path, other, PARQUET | {"rows": 4})) == 4


def test_a_place_in_a_part_is_named(tmp_path):
    place = folder(tmp_path, "csv", [ROWS[:3], ROWS[3:]])
    (place / "part-00001.csv").write_text("age,job,paid,sex\n1,a,no,f\n2,a,no\n")
    with pytest.raises(InputError, match=r"file 'all/part-00001.csv', line 3: the row has fewer values than columns"):
        table(tmp_path, place, CSV)


def other_types(column):
    return [ROWS[:3], ROWS[3:].assign(**column)]


REFUSED = {
    "other columns": (
        "csv",
        [ROWS[:3], ROWS[3:].rename(columns={"job": "work"})],
        "lacks job and it also has work",
    ),
    "other order": ("csv", [ROWS[:3], ROWS[3:][["job", "age", "paid", "sex"]]], "their order differs"),
    "further column": ("parquet", [ROWS[:3], ROWS[3:].assign(more=1)], "it also has more"),
    "text for numbers": (
        "parquet",
        other_types({"age": ["20", "30", "40"]}),
        r"file 'all/part-00001.parquet': column age holds text, and numbers in 'all/part-00000.parquet'; write all",
    ),
    "Booleans for numbers": (
        "parquet",
        other_types({"age": True}),
        "column age holds values of type bool, and numbers",
    ),
    "no rows": ("csv", [ROWS[:0], ROWS[:0]], "file 'all' has no rows"),
    "no rows in Parquet": ("parquet", [ROWS[:0], ROWS[:0]], "file 'all' has no rows"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_parts_that_are_no_table_together_are_refused(tmp_path, kind):
    form, frames, sentence = REFUSED[kind]
    place = folder(tmp_path, form, frames)
    with pytest.raises(InputError, match=sentence) as caught:
        table(tmp_path, place, CSV if form == "csv" else PARQUET)
    assert "\n" not in str(caught.value)


def test_a_part_whose_numbers_have_gaps_is_of_the_same_type(tmp_path):
    gaps = ROWS[3:].assign(age=[50.0, np.nan, 70.0], job=None)  # float64 and null, as pandas writes them
    inputs = {"numeric": ["age"], "categorical": ["job"], "missing_numeric": "mean"}
    rows = table(tmp_path, folder(tmp_path, "parquet", [ROWS[:3], gaps]), PARQUET, inputs=inputs)
    assert np.nan_to_num(rows.numeric[:, 0], nan=-1).tolist() == [20, 30, 40, 50, -1, 70]


FOLDERS = {
    "Delta": (["_delta_log/0.json", "part-0.parquet"], "is a Delta table ('_delta_log')"),
    "Iceberg": (["metadata/v1.metadata.json", "data/part-0.parquet"], "is an Iceberg table ('metadata')"),
    "Hudi": ([".hoodie/hoodie.properties", "part-0.parquet"], "is a Hudi table"),
    "nothing": (["_SUCCESS"], "holds no parts of a table"),
    "another folder": (["part-0.csv", "old/part-0.csv"], "holds the folder 'old'"),
    "braces": (["{x}.csv"], "braces in a path"),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_that_is_more_than_its_files_is_refused_before_anything_runs(tmp_path, kind):
    files, sentence = FOLDERS[kind]
    for name in files:
        (tmp_path / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / name).write_text("{}")
    recipe = dataset(files={"all": {"sources": [f"file:{tmp_path / 't'}"], "sha256": None}})
    with pytest.raises(InputError, match="datasets: d: files: all: ") as caught:
        check_dataset("d", recipe)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_a_reader_of_whole_files_takes_no_folder(tmp_path):
    place = folder(tmp_path, "csv", [ROWS])
    recipe = dataset(reader={"method": "idx"}, files={"all": {"sources": [f"file:{place}"], "sha256": None}})
    with pytest.raises(InputError, match="is a folder, and the reader 'idx' takes files; name a file"):
        check_dataset("d", recipe)


def test_the_parts_of_a_folder_are_its_inputs(tmp_path):
    place = folder(tmp_path, "csv", [ROWS[:3], ROWS[3:]])
    assert [path.name for path in source_files(place)] == ["part-00000.csv", "part-00001.csv"]
    assert source_files(place / "part-00000.csv") == [place / "part-00000.csv"]
    assert source_files(tmp_path / "nothing") == [] == source_files(tmp_path / ("x" * 300))


def test_empty_parts_alone_are_no_table(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "part-0.csv").touch()
    with pytest.raises(InputError, match=r"all parts are empty \(part-0.csv\)"):
        raw(tmp_path, tmp_path / "t")


@pytest.mark.parametrize(("suffix", "packed"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
def test_a_compressed_local_file_is_decompressed(tmp_path, suffix, packed):
    path = tmp_path / f"people.tsv{suffix}"
    path.write_bytes(packed.compress(ROWS.to_csv(index=False, sep="\t").encode()))
    rows = table(tmp_path, path, CSV | {"separator": "\t"})
    assert rows.numeric[:, 0].tolist() == ROWS["age"].tolist()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"is broken \("):
        raw(tmp_path, path)
    assert [part.name for part in parts(path, "all")] == ["all"]


def orc_table(path, frame):
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.orc.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)


def test_orc_is_read_as_parquet_is(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BLOCK_ROWS", 2)
    rows = ROWS.assign(
        age=ROWS["age"].astype("Int64").mask(ROWS["age"] == 40), job=ROWS["job"].mask(ROWS["job"] == "b")
    )
    rows["hired"] = pd.to_datetime(["2020-01-01 12:00", None, *["1999-12-31 00:00", "1970-01-01 06:00"] * 2])
    inputs = {"numeric": ["age", "hired"], "categorical": ["job"], "missing_numeric": "mean"}
    written = []
    for form, method in (("parquet", "parquet"), ("orc", "orc")):
        place = tmp_path / form
        for name, part in (("sex=f/part-1", rows[:3]), ("sex=m/part-0", rows[3:]), ("sex=m/part-1", rows[:0])):
            if form == "orc":
                orc_table(place / f"{name}.orc", part.drop(columns="sex"))
            else:
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                part.drop(columns="sex").to_parquet(place / f"{name}.parquet", index=False)
        table(tmp_path, place, {"method": method, "rows": None}, inputs=inputs)
        written.append((tmp_path / "t.parquet").read_bytes())
    assert written[0] == written[1]
    assert np.isnan(read_table(tmp_path / "t.parquet").numeric).sum() == 2


@pytest.mark.parametrize("form", ["csv", "parquet", "orc"])
def test_columns_to_keep_and_columns_that_parts_may_lack(tmp_path, form):
    reader = {"csv": CSV, "parquet": PARQUET, "orc": {"method": "orc", "rows": None}}[form]
    reader = reader | {"keep": ["sex", "paid", "job", "age", "score"], "optional": ["score"]}
    first, second = ROWS[:3].assign(score=[0.1, 0.2, 0.3], notes="x"), ROWS[3:][["job", "age", "paid", "sex"]]
    if form == "orc":
        for name, part in (("0.orc", first), ("1.orc", second)):
            orc_table(tmp_path / "people" / name, part)
    else:
        folder(tmp_path, form, [first, second])
    recipe = dataset(reader=reader)
    files = {"all": str(raw(tmp_path, tmp_path / "people"))}
    read(files, str(tmp_path / "t.parquet"), str(tmp_path / "c.json"), name="d", recipe=recipe, given=["score"])
    rows = read_table(tmp_path / "t.parquet")
    assert rows.numeric[:, 0].tolist() == ROWS["age"].tolist()
    assert np.nan_to_num(rows.given["score"], nan=-1).tolist() == [0.1, 0.2, 0.3, -1, -1, -1]
    for change, sentence in (
        ({"keep": ["agee"]}, "has no column 'agee' .did you mean 'age'"),
        (
            {"optional": ["score", "scor"]},
            "optional: no file has a column scor; the last one has job, age, paid, sex",
        ),
    ):
        with pytest.raises(InputError, match=sentence):
            table(tmp_path, tmp_path / "people", reader | change)


def test_damaged_and_nested_orc_is_one_sentence(tmp_path):
    place = tmp_path / "people"
    orc_table(place / "0.orc", ROWS)
    whole = (place / "0.orc").read_bytes()
    assert is_orc(place / "0.orc")
    with pytest.raises(InputError, match=r"file 'all/0.orc' is an ORC table; set reader: orc"):
        table(tmp_path, place, CSV)
    orc = {"method": "orc", "rows": None}
    (place / "1.orc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"file 'all/1.orc' is not an ORC table \(.*\); write it again") as caught:
        table(tmp_path, place, orc)
    assert "\n" not in str(caught.value)
    orc_table(place / "1.orc", ROWS.assign(age="x"))
    with pytest.raises(InputError, match=r"'all/1.orc': column age holds text, and numbers in 'all/0.orc'"):
        table(tmp_path, place, orc)
    for name in ("0.orc", "1.orc"):
        orc_table(place / name, ROWS.assign(tags=[["a", "b"]] * len(ROWS)))
    with pytest.raises(InputError, match=r"column tags has several values in each row \(list.*keep"):
        table(tmp_path, place, orc)
    assert len(table(tmp_path, place, orc | {"keep": list(ROWS.columns)})) == 12
    late = pa.array([dt.datetime(3500, 1, 1)] * len(ROWS), pa.timestamp("us"))
    pyarrow.orc.write_table(pa.Table.from_pandas(ROWS).append_column("late", late), place / "0.orc")
    with pytest.raises(InputError, match="a time stamp before 1678 or after 2261"):
        table(tmp_path, place / "0.orc", orc)


def test_a_folder_of_libsvm_as_spark_writes_it(tmp_path):
    place, libsvm = tmp_path / "people", {"method": "libsvm"}
    place.mkdir()
    for name, text in (
        ("part-1", "1 1:3 2:4\n0 1:5 2:1\n"),
        ("part-0", "1 1:1 2:2\n0 2:7\n"),
        ("part-2", ""),
        ("_SUCCESS", ""),
    ):
        (place / name).write_text(text)
    keys = {"inputs": {"numeric": ["x1", "x2"]}, "target": {"column": "label"}, "groups": {}}
    check_dataset(
        "d",
        dataset(
            reader=libsvm, files={"all": {"sources": [f"file:{place}"], "sha256": None}}, split={"test": 0.5}, **keys
        ),
    )
    assert table(tmp_path, place, libsvm, **keys).numeric.tolist() == [[1, 2], [0, 7], [3, 4], [5, 1]]
    (place / "part-1").write_text("1 1:3 2:4\n0 1:5 2:\n")  # cut within an entry
    with pytest.raises(InputError, match="file 'all/part-1', line 2: an index or a value is missing"):
        table(tmp_path, place, libsvm, **keys)


@pytest.mark.parametrize("form", ["csv.gz", "parquet"])
def test_a_part_that_was_cut_is_one_sentence(tmp_path, form):
    place = folder(tmp_path, form, [ROWS[:3], ROWS[3:]])
    path = place / f"part-00001.{form}"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        InputError, match=r"part-00001.csv.gz is broken|'all/part-00001.parquet' is not a Parquet"
    ) as caught:
        table(tmp_path, place, CSV if form == "csv.gz" else PARQUET)
    assert "\n" not in str(caught.value)
