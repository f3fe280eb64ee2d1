"""Sheets of workbooks are read with the types of their cells, by a study and by `init`."""

import datetime
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from dataset_recipes import dataset
from workbooks import write_workbook

from fairweight.cli.main import main
from fairweight.core.artifacts import read_table
from fairweight.core.errors import InputError
from fairweight.data import archive_members
from fairweight.data.read import read

pytest.importorskip("python_calamine")
FIRST = datetime.date(2020, 1, 31)
HEADER = ["age", "job", "joined", "member", "sex", "paid"]


def people(rows=40):
    jobs, labels = ("a", "b ", None), ("no", "no", "yes", "yes", "no")
    return [HEADER] + [
        [20 + n / 2, jobs[n % 3], FIRST + datetime.timedelta(n), n % 2 == 0, ("f", "m")[n // 3 % 2], labels[n % 5]]
        for n in range(rows)
    ]


def table(path, **options):
    inputs = {"numeric": ["age", "joined", "member"], "categorical": ["job"]}
    recipe = dataset(reader={"method": "workbook"} | options, inputs=inputs)
    outputs = str(path.with_suffix(".parquet")), str(path.with_suffix(".json"))
    read({"train": str(path)}, *outputs, name="d", recipe=recipe, given=[])
    return read_table(outputs[0])


def test_cells_keep_their_types(tmp_path):
    write_workbook(tmp_path / "p.xlsx", people=people())
    rows = table(tmp_path / "p.xlsx")
    days = (FIRST - datetime.date(1970, 1, 1)).days
    assert rows.numeric[:3].tolist() == [[20, days, 1], [20.5, days + 1, 0], [21, days + 2, 1]]
    assert rows.levels["job"] == ("(missing)", "a", "b") and rows.classes == ("no", "yes") and len(rows) == 40


def test_whole_numbers_beside_gaps_and_text_are_written_as_in_a_text_file(tmp_path):
    cells = [["age", "job", "joined", "member", "paid", "sex"]]
    cells += [
        [n, (1, 2, "x")[n % 3], n, None if n == 5 else n, ("no", "yes")[n // 2 % 2], "fm"[n % 2]] for n in range(40)
    ]
    write_workbook(tmp_path / "p.xlsx", people=cells)
    with pytest.raises(InputError, match=r"column 'member': 1 of 40 values are missing"):
        table(tmp_path / "p.xlsx")
    cells[6][3] = 5
    write_workbook(tmp_path / "p.xlsx", people=cells)
    assert table(tmp_path / "p.xlsx").levels["job"] == ("1", "2", "x")


def test_a_sheet_is_named_and_may_have_no_header(tmp_path):
    write_workbook(tmp_path / "p.xlsx", notes=[["hello"]], people=people()[1:])
    rows = table(tmp_path / "p.xlsx", sheet="people", columns=HEADER, rows=30)
    assert len(rows) == 30 and rows.numeric[0, 0] == 20


WRONG = {
    "several sheets": ({}, "has the sheets notes, people; name one with reader: sheet"),
    "no such sheet": ({"sheet": "person"}, "has no sheet 'person'; it has notes, people"),
    "too few names": ({"sheet": "people", "columns": ["a"]}, "has 6 columns, and 'columns' has 1; name all of them"),
    "a sheet without rows": ({"sheet": "notes"}, "file 'train' has no rows"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_table_is_one_sentence(tmp_path, kind):
    options, sentence = WRONG[kind]
    write_workbook(tmp_path / "p.xlsx", notes=[["hello"]], people=people())
    with pytest.raises(InputError) as caught:
        table(tmp_path / "p.xlsx", **options)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"age,job\n1,2\n", b"\xd0\xcf\x11\xe0" + bytes(600)])
def test_what_is_no_workbook_is_one_sentence(tmp_path, content):
    (tmp_path / "p.xlsx").write_bytes(content)
    with pytest.raises(InputError, match="is no workbook that can be read"):
        table(tmp_path / "p.xlsx")


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    write_workbook(tmp_path / "p.xlsx", people=people())
    with zipfile.ZipFile(tmp_path / "p.xlsx", "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/media/zeros", bytes(3 * 10**6))
    monkeypatch.setattr(archive_members, "LARGEST_MB", 2)
    with pytest.raises(InputError, match="unpacks to more than 2 MB"):
        table(tmp_path / "p.xlsx")


def test_init_writes_a_study_of_a_sheet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = people(60)
    cells[7][1] = "?"
    write_workbook("people.xlsx", notes=[["hello"]], people=cells)
    with pytest.raises(SystemExit, match="has the sheets notes, people"):
        main(["init", "people.xlsx", "--target", "paid"])
    main(["init", "people.xlsx", "--target", "paid", "--groups", "sex", "--sheet", "people"])
    study = yaml.safe_load(Path("people.yaml").read_text())["datasets"]["people"]
    assert study["reader"] == {"method": "workbook", "sheet": "people", "missing": ["", "?"]}
    assert study["inputs"]["numeric"] == ["age", "joined", "member"] and study["inputs"]["categorical"] == [
        "job",
        "sex",
    ]
    rows = table(tmp_path / "people.xlsx", sheet="people", missing=["", "?"])
    assert len(rows) == 60 and rows.levels["job"] == ("(missing)", "a", "b")
    assert pd.Series(rows.numeric[:, 0]).nunique() == 60
