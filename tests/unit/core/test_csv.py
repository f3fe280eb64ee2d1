"""Exported tables deceive neither a spreadsheet nor a reader, whatever the names in the data are."""

import csv

import pandas as pd
import pytest

from fairweight.core.artifacts import write_csv


def cells(folder, frame):
    write_csv(folder / "table.csv", frame)
    with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ('=HYPERLINK("http://x","y")', '\'=HYPERLINK("http://x","y")'),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", r"'\t=1"),
        ("\r=1", r"'\r=1"),
        ("＝1+1", "'＝1+1"),
        ("- item", "'- item"),
        ("+0.12", "+0.12"),  # numbers stay numbers
        ("-3", "-3"),
        ("-1.5e-7", "-1.5e-7"),
        ("+12.5 %", "+12.5 %"),
        ("a=b", "a=b"),
        ("<=50K", "<=50K"),
        ("m\u202eelam", r"m\u202eelam"),
        ("a\u200bb", r"a\u200bb"),
        ("two\nlines", r"two\nlines"),
        ("Größe 体重", "Größe 体重"),
    ],
)
def test_names_that_a_spreadsheet_would_run_or_hide_are_written_as_text(tmp_path, name, cell):
    frame = pd.DataFrame({name: [name, None], "value": [-0.5, float("nan")]})
    assert cells(tmp_path, frame) == [[cell, "value"], [cell, "-0.5"], ["", ""]]


def test_numbers_keep_their_precision_and_missing_values_are_empty(tmp_path):
    frame = pd.DataFrame({"value": [-1 / 3, None], "n": pd.array([5, None], dtype="Int64"), "flag": [True, False]})
    assert cells(tmp_path, frame) == [["value", "n", "flag"], [repr(-1 / 3), "5", "True"], ["", "", "False"]]
