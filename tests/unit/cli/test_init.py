"""`fairweight init` writes a study file for a table and marks its guesses."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hostile import NAMES

from fairweight.cli.main import main
from fairweight.study.schema import resolve
from fairweight.study.study import Study


def people(rows=300, **columns):
    rng = np.random.default_rng(0)
    table = {
        "income": rng.normal(30, 9, rows).round(3),
        "age": rng.integers(18, 80, rows),
        "job": rng.choice(["office", "trade, retail"], rows),
        "sex": rng.choice(["f", "m"], rows),
        "repaid": np.where(rng.random(rows) < 0.3, "no", "yes"),
    }
    return pd.DataFrame(table | columns)


def init(*arguments):
    main(["init", *map(str, arguments)])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(table, *arguments, separator=",", encoding="utf-8"):
    table.to_csv("people.csv", index=False, sep=separator, encoding=encoding)
    init("people.csv", *arguments)
    with open("people.yaml", encoding="utf-8") as file:
        text = file.read()
    study = yaml.safe_load(text)
    Study(resolve(study))
    return study["datasets"]["people"], text


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_types_separator_and_encoding_are_detected(separator, encoding):
    table = people().assign(job=["Büro", "Café"] * 150)
    arguments = ["--target", "repaid", "--groups", "sex", "age"]
    dataset, _ = written(table, *arguments, separator=separator, encoding=encoding)
    assert dataset["inputs"]["numeric"] == ["income", "age"] and dataset["inputs"]["categorical"] == ["job", "sex"]
    assert dataset["groups"] == {"sex": {"column": "sex"}, "age": {"column": "age", "bins": [25, 60]}}
    assert dataset["reader"]["separator"] == separator and dataset["reader"]["encoding"] == encoding
    assert dataset["target"] == {"column": "repaid", "positive": "no"}


def test_stray_quotes_long_separators_and_utf_16_are_detected():
    table = people(job=["office", "trade"] * 150)
    table.loc[[4, 10], "job"] = '"Büro'
    content = table.to_csv(index=False, sep="\t", quoting=csv.QUOTE_NONE)
    for text, reader in (
        (content, {"separator": "\t", "quote": "none", "encoding": "utf-16"}),
        (content.replace('"', "").replace("\t", "||"), {"separator": "||", "encoding": "utf-16"}),
    ):
        Path("people.csv").write_text(text, encoding="utf-16")
        init("people.csv", "--target", "repaid", "--output", f"{reader['separator'].encode().hex()}.yaml")
        dataset = yaml.safe_load(Path(f"{reader['separator'].encode().hex()}.yaml").read_text())["datasets"]["people"]
        assert dataset["reader"] == {"method": "delimited", "missing": [""]} | reader
        assert dataset["inputs"]["categorical"] == ["job", "sex"]


def test_identifiers_and_constant_columns_are_dropped_with_the_reason():
    extra = {
        "e-mail": [f"a{i}@b.org" for i in range(300)],
        "id": range(300),
        "const": 1,
        "essay": [f"text {i}" for i in range(300)],
    }
    dataset, text = written(people(**extra), "--target", "repaid")
    assert dataset["drop"] == ["e-mail", "id", "const", "essay"]
    assert "may identify a person: its name" in text and "they number the rows" in text and "one value only" in text
    # a quantity is no identifier, although hardly any of its values repeat
    assert "income" in dataset["inputs"]["numeric"]


def test_missing_values_are_detected_and_reported():
    table = people().assign(income=lambda t: t["income"].astype(str).mask(np.arange(300) < 12, "?"))
    dataset, text = written(table, "--target", "repaid")
    assert dataset["reader"]["missing"] == ["", "?"] and dataset["inputs"]["missing_numeric"] == "mean"
    assert '"income"  # 12 missing' in text


def test_candidates_for_groups_and_codes_are_flagged():
    _, text = written(people(race_code=np.arange(300) % 4, language="en"), "--target", "repaid", "--groups", "sex")
    line = next(line for line in text.splitlines() if "may be sensitive" in line)
    assert "age" in line and "race_code" in line and "language" in line and "sex," not in line
    assert "4 distinct whole numbers: categorical if they are codes" in text


def test_a_quantity_as_label_becomes_a_regression():
    dataset, text = written(people(), "--target", "income", "--groups", "sex")
    assert dataset["task"] == "regression" and dataset["target"] == {"column": "income", "unit": ""}
    assert yaml.safe_load(text)["criteria"]["margins"]["group_loss"] == {"relative": 0.05}
    assert "task: regression  # " in text and "#   loss: your rows can at best exclude rises above" in text


@pytest.mark.parametrize("kind", NAMES)
def test_unusual_names_are_kept_unchanged(kind):
    name = NAMES[kind]
    table = people().rename(columns={"job": f"job {name}", "sex": name}).replace({name: {"f": f"f {name}"}})
    dataset, text = written(table, "--target", "repaid", "--groups", name)
    assert dataset["inputs"]["categorical"] == [f"job {name}", name]
    assert [g["column"] for g in dataset["groups"].values()] == [name]
    assert all(line == "" or line.isprintable() for line in text.splitlines())


def test_an_existing_file_is_not_overwritten():
    people().to_csv("people.csv", index=False)
    with open("people.yaml", "w") as file:
        file.write("mine")
    with pytest.raises(SystemExit, match=r"people\.yaml exists and was not changed; name another file with --output"):
        init("people.csv", "--target", "repaid")
    with open("people.yaml") as file:
        assert file.read() == "mine"
    init("people.csv", "--target", "repaid", "--output", "other.yaml", "--positive", "yes")
    with open("other.yaml") as file:
        assert yaml.safe_load(file)["datasets"]["people"]["target"]["positive"] == "yes"


MISTAKES = {
    "no file": (None, ["--target", "x"], "there is no file people.csv"),
    "empty": ("", ["--target", "x"], "people.csv is empty or not text"),
    "binary": (b"\x89PNG\0\0", ["--target", "x"], "is empty or not text"),
    "no such target": (
        people(),
        ["--target", "rapid"],
        "--target: people.csv has no column 'rapid' (did you mean 'repaid'?); it has income, age",
    ),
    "no such group": (
        people(),
        ["--target", "repaid", "--groups", "race"],
        "--groups: people.csv has no column 'race'",
    ),
    "target as group": (people(), ["--target", "repaid", "--groups", "repaid"], "'repaid' is the target"),
    "quantity": (people(), ["--target", "income", "--positive", "1"], "'income' is a number and has no classes"),
    "one class": (people(same="a"), ["--target", "same"], "'same' has one value only"),
    "label missing": (
        people().assign(repaid=["", *["a", "b"] * 149, "a"]),
        ["--target", "repaid"],
        "is missing in 1 rows",
    ),
    "no such class": (people(), ["--target", "repaid", "--positive", "maybe"], "has no class 'maybe'; it has yes, no"),
    "few rows": (people(9), ["--target", "repaid"], "has 9 rows; a study needs at least 20"),
    "twice": ("a,a,b\n" + "1,2,3\n" * 30, ["--target", "b"], "two columns a (1 and 2)"),
    "ragged": ("a,b\n" + "1,2,3\n" * 30, ["--target", "b"], "line 2: the row has more values than columns"),
    "nothing to learn": ("a,b\n" + "1,2\n1,3\n" * 30, ["--target", "b"], "no column to learn from beside 'b'"),
    "one group": (people(one="x"), ["--target", "repaid", "--groups", "one"], "'one' has one value only; there are no"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_in_one_sentence(mistake, folder):
    content, arguments, sentence = MISTAKES[mistake]
    if isinstance(content, pd.DataFrame):
        content.to_csv("people.csv", index=False)
    elif content is not None:
        (folder / "people.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SystemExit) as caught:
        init("people.csv", *arguments)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
    assert not (folder / "people.yaml").exists()


def test_a_file_that_cannot_be_written_is_reported():
    with pytest.raises(SystemExit, match=r"init: --output: no/x.yaml cannot be written \(No such file or directory\)"):
        written(people(), "--target", "repaid", "--output", "no/x.yaml")


@pytest.mark.parametrize("name", ["2020", "null", "on", "1_000", "y", "1e3", "2020-01-01", "été"])
def test_names_that_yaml_would_not_read_as_strings_are_quoted(name):
    people().assign(**{name: ["a", "b"] * 150}).to_csv(f"{name}.csv", index=False)
    init(f"{name}.csv", "--target", "repaid", "--groups", name, "sex")
    legal = name.replace("-", "_")
    with open(f"{legal}.yaml", encoding="utf-8") as file:
        study = yaml.safe_load(file)
    assert study["name"] == study["grid"][0]["dataset"] == legal and list(study["datasets"]) == [legal]
    assert study["datasets"][legal]["groups"] == {legal: {"column": name}, "sex": {"column": "sex"}}


def test_a_file_whose_path_reads_as_a_member_of_an_archive_is_refused():
    people().to_csv("a#b.csv", index=False)
    with pytest.raises(
        SystemExit, match=r"init: a#b\.csv has a '#', after which a study file names a member of an archive"
    ):
        init("a#b.csv", "--target", "repaid")


def test_decimal_marks_thousands_and_dates_are_detected():
    table = people()
    money = [f"{1000 + 37.5 * i:,.2f}".translate(str.maketrans(",.", ".,")) for i in range(300)]
    joined = [f"{1 + i % 28:02}.{1 + i % 12:02}.20{10 + i % 9}" for i in range(300)]
    table = table.assign(income=table["income"].astype(str).str.replace(".", ","), money=money, joined=joined)
    dataset, text = written(table, "--target", "repaid", "--groups", "joined", separator=";")
    assert dataset["decimal"] == "," and dataset["thousands"] == "." and dataset["dates"] == {"joined": "%d.%m.%Y"}
    assert dataset["inputs"]["numeric"] == ["income", "age", "money", "joined"]
    assert 'thousands: "."  # CHECK: as in 1.234,5' in text and "a date becomes the number of days" in text
    first, second = dataset["groups"]["joined"]["bins"]
    assert 14_610 < first < second < 17_897  # 2010 to 2018


@pytest.mark.parametrize(
    ("values", "formats"),
    [
        (["20,5", "1,25", "3"], {"decimal": ","}),
        (["0,125", "1,250", "3"], {"decimal": ","}),
        (["1,234", "12,345,678", "3"], {"thousands": ","}),
        (["1.234.567", "1.234.568", "3"], {"decimal": ",", "thousands": "."}),
        (["1 234", "1\u202f235", "3"], {"thousands": " "}),
        (["2020-01-31", "2020-02-01", "2020-03-01 10:00"], {"dates": {"job": "iso"}}),
        (["01/31/2020", "02/01/2020", "03/01/2020"], {"dates": {"job": "%m/%d/%Y"}}),
        (["2020", "2021", "1999"], {}),
        (["1.5", "2.5", "1e3"], {}),
        (["31.12.2020", "unknown", "3"], {}),
    ],
)
def test_formats_are_detected_from_all_values(values, formats):
    dataset, _ = written(people(job=values * 100, income=np.arange(300) % 50), "--target", "repaid")
    assert {key: dataset[key] for key in ("decimal", "thousands", "dates") if key in dataset} == formats


def test_a_date_that_may_be_read_in_two_ways_is_marked():
    _, text = written(people(job=[f"0{1 + i % 9}/0{1 + i % 8}/2020" for i in range(300)]), "--target", "repaid")
    assert "day or month first?" in text


def test_cuts_keep_apart_numbers_that_differ_in_late_digits():
    table = people(second=1_700_000_000 + np.arange(300) // 2)
    dataset, _ = written(table, "--target", "repaid", "--groups", "second")
    first, second = dataset["groups"]["second"]["bins"]
    assert 1_700_000_000 < first < second <= 1_700_000_149
