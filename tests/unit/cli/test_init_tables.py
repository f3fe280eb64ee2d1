"""`fairweight init` takes tables as people have them; the study file that it writes reads the same rows."""

import bz2
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fairweight.cli.main import main
from fairweight.cli.table_form import guessed_separator, table_name
from fairweight.core import components
from fairweight.core.artifacts import read_table
from fairweight.data.fetch import fetch
from fairweight.data.read import read
from fairweight.study.schema import resolve
from fairweight.study.study import Study

ROWS = 400


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def people(rows=ROWS, **columns):
    rng = np.random.default_rng(1)
    table = {
        "income": rng.normal(3000, 900, rows).round(2),
        "age": rng.integers(18, 80, rows),
        "job": rng.choice(["office", "trade", "farm"], rows),
        "sex": rng.choice(["f", "m"], rows),
        "repaid": np.where(rng.random(rows) < 0.4, "no", "yes"),
    }
    return pd.DataFrame(table | columns)


def init(data, *arguments, output="study.yaml"):
    """(dataset of the study file, its text, the table that the study reads)."""
    main(["init", str(data), "--output", output, *map(str, arguments)])
    text = Path(output).read_text(encoding="utf-8")
    config = resolve(yaml.safe_load(text))
    Study(config)
    ((name, recipe),) = config["datasets"].items()
    for file, about in recipe["files"].items():
        fetch(f"raw/{file}", sources=about["sources"], sha256=None, cache=None, name=file)
    files = {file: f"raw/{file}" for file in recipe["files"]}
    read(files, "table.parquet", "contents.json", name=name, recipe=recipe, given=[])
    return yaml.safe_load(text)["datasets"][name], text, read_table("table.parquet")


def comments(text, part):
    return [line for line in text.splitlines() if part in line]


# ---- forms


def german_credit(rows=1_000):
    """Rows in the form of UCI's german.data: 21 columns of codes and numbers, separated by blanks, without a header."""
    rng = np.random.default_rng(2)
    codes = {1: 4, 3: 5, 4: 9, 6: 5, 7: 5, 10: 3, 12: 4, 14: 3, 15: 3, 17: 4, 19: 2, 20: 2}
    columns = {n: [f"A{n}{code}" for code in rng.integers(1, kinds + 1, rows)] for n, kinds in codes.items()}
    columns |= {2: rng.integers(4, 73, rows), 5: rng.integers(250, 18_000, rows), 13: rng.integers(19, 76, rows)}
    columns |= {n: rng.integers(1, 5, rows) for n in (8, 11, 16, 18)}
    columns[9] = rng.permutation(["A91"] * 50 + ["A92"] * 310 + ["A93"] * 548 + ["A94"] * 92)
    # 22 women of the 200 test rows will be bad, and 47 men
    columns[21] = np.where((columns[9] == "A92") & (np.cumsum(columns[9] == "A92") <= 110), 2, 1)
    columns[21][np.flatnonzero(columns[9] != "A92")[:235]] = 2
    return pd.DataFrame({n: columns[n] for n in sorted(columns)})


def test_a_file_without_header_is_named_by_position(folder):
    table = german_credit()
    table.to_csv("german.data", sep=" ", header=False, index=False)
    dataset, text, rows = init("german.data", "--target", "column_21", "--groups", "column_9")
    assert dataset["reader"]["separator"] == " " and dataset["reader"]["columns"][20] == "column_21"
    assert len(rows) == 1_000 and rows.label.sum() == (table[21] == 2).sum()
    position = rows.numeric_names.index("column_5")
    assert rows.numeric[:, position].tolist() == table[5].tolist()
    assert "4 distinct whole numbers: categorical if they are codes" in text


def test_names_are_given_and_groups_are_counted_after_they_are_merged(folder):
    german_credit().to_csv("german.data", sep=" ", header=False, index=False)
    names = [f"x{n}" for n in range(1, 22)]
    names[8], names[20] = "status", "class"
    main(["init", "german.data", "--names", *names, "--target", "class", "--groups", "status"])
    text = Path("german.yaml").read_text()
    assert 'CHECK: join small groups, as in merge: {other: ["A94", "A91"]}' in text
    assert "#   status=A91: 10 rows expected among 200 test rows, 50 needed" in text
    assert "#   status=A92: 22 rows of class 2 expected among 200 test rows, 50 needed" in text
    assert "status=A92: 40 rows of class 1 expected among 200 test rows, 50 needed" in text
    assert "fairness gap (true positive rate by status, margin 5 points)" in text and "ways out: join groups" in text
    study = yaml.safe_load(text)
    study["datasets"]["german"]["groups"]["status"]["merge"] = {"male": ["A91", "A93", "A94"], "female": ["A92"]}
    resolved = resolve(study)
    Study(resolved)
    read({"all": "german.data"}, "t.parquet", "c.json", name="d", recipe=resolved["datasets"]["german"], given=[])
    rows = read_table("t.parquet")
    assert rows.group_levels["status"] == ("female", "male") and rows.groups["status"].sum() == 690


@pytest.mark.parametrize("separator", [",", ";", "|", "\t", " "])
@pytest.mark.parametrize("header", [True, False])
def test_separators_are_found_with_and_without_a_header(folder, separator, header):
    people().to_csv("people.txt", sep=separator, header=header, index=False)
    target = "repaid" if header else "column_5"
    dataset, _, rows = init("people.txt", "--target", target)
    assert dataset["reader"]["separator"] == separator and len(rows) == ROWS
    assert rows.numeric.shape[1] == 2 and len(rows.levels) == 2


@pytest.mark.parametrize("header", [True, False])
def test_decimal_commas_beside_semicolons(folder, header):
    table = people(debt=np.random.default_rng(5).normal(900, 300, ROWS).round(1))[
        ["income", "debt", "age", "sex", "repaid"]
    ]
    table.to_csv("people.csv", sep=";", decimal=",", header=header, index=False)
    dataset, text, rows = init(
        "people.csv", "--target", "repaid" if header else "column_5", "--groups", "sex" if header else "column_4"
    )
    assert dataset["reader"]["separator"] == ";" and dataset["decimal"] == ","
    assert np.allclose(rows.numeric[:, 0], table["income"]) and "identify" not in text
    assert len(dataset["inputs"]["numeric"]) == 3


def test_a_separator_of_numbers_alone_is_no_decimal_comma():
    assert guessed_separator(["1,2,3", "4,5,6"]) == ","
    assert guessed_separator(["1,5;2,5", "3,5;4,5"]) == ";"
    assert guessed_separator(["a,b", "x;y,1", "z;w,2"]) == ","
    assert guessed_separator(["name of it,b", "x y z,1"]) == ","


@pytest.mark.parametrize(("ending", "packed"), [(".tsv.gz", gzip), (".csv.bz2", bz2)])
def test_compressed_tables(folder, ending, packed):
    separator = "\t" if "tsv" in ending else ","
    Path(f"people{ending}").write_bytes(packed.compress(people().to_csv(index=False, sep=separator).encode()))
    dataset, text, rows = init(f"people{ending}", "--target", "repaid")
    assert dataset["reader"]["separator"] == separator and len(rows) == ROWS
    assert text.splitlines()[3] == "name: study" and dataset["title"] == "people"


def test_a_first_line_that_states_the_separator_is_skipped(folder):
    Path("people.csv").write_text("sep=;\n" + people().to_csv(index=False, sep=";"))
    dataset, _, rows = init("people.csv", "--target", "repaid")
    assert dataset["reader"]["skip_lines"] == {"all": 1} and dataset["reader"]["separator"] == ";" and len(rows) == ROWS


def test_amounts_that_differ_in_every_row_are_no_row_numbers(folder):
    rng = np.random.default_rng(3)
    amounts = rng.permutation(100_000)[:ROWS] + 1_000
    people(weight=amounts, personId=amounts * 7, rank=rng.permutation(ROWS)).to_csv("people.csv", index=False)
    dataset, text, _ = init("people.csv", "--target", "repaid")
    assert dataset["drop"] == ["personId", "rank"] and "weight" in dataset["inputs"]["numeric"]
    assert "CHECK: a different whole number in every row: drop it if it identifies" in comments(text, '- "weight"')[0]


@pytest.mark.parametrize(
    ("encoding", "job"), [("utf-8", "Büro €"), ("cp1252", "Büro €"), ("latin-1", "Büro"), ("utf-16", "a")]
)
def test_encodings_of_parts_are_found(folder, encoding, job):
    table = people(job=["office"] * (ROWS // 2) + [job, "trade"] * (ROWS // 4))
    Path("p").mkdir()
    for name, part in (("a", table[: ROWS // 2]), ("b", table[ROWS // 2 :])):
        (folder / "p" / f"{name}.csv").write_text(part.to_csv(index=False), encoding=encoding)
    dataset, _, rows = init("p", "--target", "repaid")
    assert dataset["reader"]["encoding"] == encoding and rows.levels["job"] == tuple(sorted(["office", job, "trade"]))


def parquet_folder(place, **columns):
    table = people(joined=pd.date_range("2020-01-01", periods=ROWS, freq="D"), member=[True, False] * (ROWS // 2))
    table = table.assign(**columns)
    for number in range(4):
        path = place / f"part-0000{number}-c000.snappy.parquet"
        path.parent.mkdir(exist_ok=True, parents=True)
        table[number * ROWS // 4 : (number + 1) * ROWS // 4].to_parquet(path, index=False)
    (place / "_SUCCESS").touch()
    return table


def test_a_folder_of_parquet(folder):
    table = parquet_folder(folder / "people", tags=[["a"]] * ROWS)
    dataset, text, rows = init("people", "--target", "repaid", "--groups", "sex", "age")
    assert dataset["reader"] == {"method": "parquet"} and dataset["files"] == {"all": {"sources": ["file:people"]}}
    assert dataset["inputs"] == {"numeric": ["income", "age", "joined", "member"], "categorical": ["job", "sex"]}
    assert "dates" not in dataset and dataset["drop"] == ["tags"] and "it holds a ndarray in each row" in text
    position = rows.numeric_names.index("income")
    assert np.allclose(rows.numeric[:, position], table["income"]) and len(rows) == ROWS


def test_a_label_of_parquet_that_is_a_boolean(folder):
    people(repaid=[True, False, True, True] * (ROWS // 4)).to_parquet("people.parquet", index=False)
    dataset, _, rows = init("people.parquet", "--target", "repaid")
    assert dataset["target"] == {"column": "repaid", "positive": "False"} and rows.classes == ("True", "False")


def test_a_folder_of_csv_in_partitions(folder):
    table = people()
    for sex, part in table.groupby("sex"):
        path = folder / "people" / f"sex={sex}" / "part-0.csv.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(part.drop(columns="sex").to_csv(index=False).encode()))
    dataset, text, rows = init("people", "--target", "repaid", "--groups", "sex")
    assert dataset["inputs"]["categorical"] == ["job"] and rows.group_levels == {"sex": ("f", "m")}
    assert int((rows.groups["sex"] == 0).sum()) == int((table["sex"] == "f").sum())
    dataset, text, _ = init("people", "--target", "repaid", output="without_groups.yaml")
    assert dataset["drop"] == ["sex"] and '- "sex"  # from the folder name; probably no input' in text


def test_the_name_of_a_table_is_that_of_its_file():
    names = ("a.csv", "a.data", "a.tsv.gz", "a.snappy.parquet", "a", "a.b.csv", "german.2020")
    assert [table_name(Path(name)) for name in names] == ["a", "a", "a", "a.snappy", "a", "a.b", "german"]


# ---- findings


def test_codes_that_differ_by_case_or_length_become_one_group(folder):
    sex = ["F", "f", "Female", "M", "male", "F", "Male", "Male"] * (ROWS // 8)
    people(sex=sex).to_csv("people.csv", index=False)
    dataset, text, rows = init("people.csv", "--target", "repaid", "--groups", "sex")
    assert dataset["groups"]["sex"]["merge"] == {"Female": ["F", "Female", "f"], "Male": ["M", "Male", "male"]}
    assert rows.group_levels["sex"] == ("Female", "Male") and "CHECK: are these one group? Female 200, Male 200" in text
    assert comments(text, '- "sex"')[0].endswith("an input only if the model may use it")
    assert "these may be one code, which models read as several: 'F', 'Female', 'f'" in text


def test_codes_of_parquet_that_differ_by_blanks_become_one_group(folder):
    people(sex=["f", "f ", " m", "m"] * (ROWS // 4)).to_parquet("people.parquet", index=False)
    dataset, _, rows = init("people.parquet", "--target", "repaid", "--groups", "sex")
    assert {frozenset(codes) for codes in dataset["groups"]["sex"]["merge"].values()} == {
        frozenset(["f", "f "]),
        frozenset([" m", "m"]),
    }
    assert len(rows.group_levels["sex"]) == 2


@pytest.mark.parametrize(
    "codes", [["A", "B", "AB", "0"], ["1", "2", "10"], ["low", "high", "l o w 2"], ["-1", "1", "+1"]]
)
def test_codes_that_only_begin_alike_stay_apart(folder, codes):
    people(kind=[codes[i % len(codes)] for i in range(ROWS)]).to_csv("people.csv", index=False)
    dataset, _, _ = init("people.csv", "--target", "repaid", "--groups", "kind")
    assert "merge" not in dataset["groups"]["kind"]


def test_classes_that_may_be_one_are_marked(folder):
    people(repaid=["yes", "Yes", "no", "no"] * (ROWS // 4)).to_csv("people.csv", index=False)
    _, text, _ = init("people.csv", "--target", "repaid")
    assert "# CHECK: may be one class, to be written alike in the data: 'Yes' and 'yes'" in text


def test_sensitive_inputs_and_zip_codes_are_marked(folder):
    zips = [f"0{1000 + i % 40}" for i in range(ROWS)]
    code = [f"00{i % 30:02}" for i in range(ROWS)]
    people(zip_code=zips, dept=code).to_csv("people.csv", index=False)
    dataset, text, rows = init("people.csv", "--target", "repaid")
    assert "zip_code" in dataset["inputs"]["categorical"] and "01000" in rows.levels["zip_code"]
    assert "CHECK: zip codes are no quantity" in comments(text, '- "zip_code"')[0]
    assert "CHECK: sensitive: an input only if the model may use it" in comments(text, '- "age"')[0]
    assert "numbers with leading zeros: categorical if they are codes" in comments(text, '- "dept"')[0]
    assert "CHECK" not in comments(text, '- "job"')[0]


def test_copies_of_the_label_are_left_out_and_leaks_are_marked(folder):
    table = people()
    late = table["repaid"] == "no"
    table["paid_code"] = np.where(late, 7, 3)
    table["reminders"] = np.where(late, 3 + np.arange(ROWS) % 5, np.arange(ROWS) % 3)
    table["reason"] = np.where(late, np.where(np.arange(ROWS) % 2, "ill", "lost job"), "none")
    table.to_csv("people.csv", index=False)
    dataset, text, rows = init("people.csv", "--target", "repaid")
    assert dataset["drop"] == ["paid_code"] and "it says what the label says" in comments(text, "paid_code")[0]
    for leak in ("reminders", "reason"):
        assert "alone predicts the label (balanced accuracy 100.0%)" in comments(text, f'- "{leak}"')[0]
    assert not [line for line in comments(text, "alone predicts") if "income" in line or "job" in line]
    assert len(rows) == ROWS


def test_pictures_and_numbers_in_another_format_are_left_out_with_the_reason(folder):
    columns = {"photo": [f"img/{i}.JPG" for i in range(ROWS)], "rent": [f"{i}.234,5" for i in range(1, ROWS + 1)]}
    people(**columns).to_csv("people.csv", index=False)
    dataset, text, _ = init("people.csv", "--target", "repaid")
    assert dataset["drop"] == ["photo", "rent"] and "paths of pictures" in comments(text, "photo")[0]
    assert "numbers with another decimal mark than other columns" in comments(text, "rent")[0]


@pytest.mark.parametrize(
    "form",
    ["%d.%m.%Y", "%d %b %Y", "%b %d, %Y", "%d-%b-%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y%m%d", "%d. %B %Y"],
)
def test_dates_in_common_forms_are_days(folder, form):
    days = pd.date_range("2019-12-20", periods=ROWS, freq="D")
    people(joined=days.strftime(form)).to_csv("people.csv", index=False)
    dataset, text, rows = init("people.csv", "--target", "repaid")
    assert list(dataset["dates"]) == ["joined"] and "dates, as days since 1970-01-01" in text
    position = rows.numeric_names.index("joined")
    assert np.array_equal(np.diff(np.floor(rows.numeric[:, position])), np.ones(ROWS - 1))


def test_what_keeps_the_data_from_being_read_stands_above_the_study(folder):
    table = people(large=[2**53 + 1 + 2 * i for i in range(ROWS // 2)] * 2)
    table.to_csv("people.csv", index=False)
    main(["init", "people.csv", "--target", "repaid"])
    lines = Path("people.yaml").read_text().splitlines()
    above = " ".join(line.removeprefix("# ") for line in lines[: lines.index("name: people")])
    assert "CHECK: as it is, the data cannot be read: inputs: numeric: column 'large'" in above


# ---- mistakes

PEOPLE = people().to_csv(index=False)
HEADERLESS = people().to_csv(index=False, header=False)
MISTAKES = {
    "a target that does not exist": (
        {"p.csv": PEOPLE},
        ["p.csv", "--target", "repayed"],
        "--target: p.csv has no column 'repayed' (did you mean 'repaid'?)",
    ),
    "no header line": (
        {"p.csv": HEADERLESS},
        ["p.csv", "--target", "repaid"],
        "seems to be no header line",
        "name all columns with --names, or use --no-header, which names them column_1 to column_5",
    ),
    "no header line of texts": (
        {"p.csv": "".join(f"{'rd'[i % 2]},y,{'yn?'[i % 3]},?,?\n" for i in range(60))},
        ["p.csv", "--target", "party"],
        "the first line of p.csv seems to be no header line (r, y, y, ?, ?), and has no name 'party'",
    ),
    "a header line after all": (
        {"p.csv": PEOPLE},
        ["p.csv", "--target", "column_5", "--no-header"],
        "--no-header: the first line of p.csv looks like a header line (income, age, job, sex, repaid)",
    ),
    "too few names": (
        {"p.csv": HEADERLESS},
        ["p.csv", "--names", "a", "b", "--target", "b"],
        "--names: there are 2 names, and the first line of p.csv has 5 values",
    ),
    "a position beyond the last": (
        {"p.csv": HEADERLESS},
        ["p.csv", "--target", "column_9", "--no-header"],
        "no column 'column_9' (did you mean 'column_",
    ),
    "damaged gzip": ({"p.csv.gz": gzip.compress(PEOPLE.encode())[:-40]}, ["p.csv.gz", "--target", "b"], "is broken ("),
    "no gzip": ({"p.csv.gz": PEOPLE}, ["p.csv.gz", "--target", "b"], "is broken (Not a gzipped file"),
    "gzip without its ending": (
        {"p.csv": gzip.compress(PEOPLE.encode())},
        ["p.csv", "--target", "b"],
        "p.csv is packed (gzip)",
    ),
    "a sheet of text": (
        {"p.csv": PEOPLE},
        ["p.csv", "--target", "sex", "--sheet", "x"],
        "--sheet: p.csv is no workbook",
    ),
    "an empty file": ({"p.csv": ""}, ["p.csv", "--target", "b"], "p.csv is empty or not text"),
    "a blank file": ({"p.csv": "\n \n"}, ["p.csv", "--target", "b"], "p.csv is empty or not text"),
    "one column": ({"p.csv": "b\n" + "x\ny\n" * 30}, ["p.csv", "--target", "b"], "no column to learn from beside 'b'"),
    "other columns in a part": (
        {"p/a.csv": PEOPLE, "p/b.csv": PEOPLE.replace("income", "salary")},
        ["p", "--target", "repaid"],
        "file 'p/b.csv' has other columns than file 'p/a.csv': it lacks income and it also has salary",
    ),
    "two encodings": (
        {"p/a.csv": PEOPLE.replace("farm", "é"), "p/b.csv": PEOPLE.replace("farm", "é").encode("latin-1")},
        ["p", "--target", "repaid"],
        "the parts are written in different encodings (p/a.csv in utf-8 and p/b.csv in latin-1); convert all to UTF-8",
    ),
    "a folder of nothing": ({"p/_SUCCESS": ""}, ["p", "--target", "b"], "holds no parts of a table"),
    "a Delta table": (
        {"p/_delta_log/0.json": "{}", "p/a.parquet": "PAR1"},
        ["p", "--target", "b"],
        "p is a Delta table ('_delta_log')",
    ),
    "pictures": (
        {"p/cat/1.png": "x", "p/dog/2.png": "x"},
        ["p", "--target", "b"],
        "p is a folder of pictures",
        "read from IDX files only",
    ),
    "damaged Parquet": ({"p.parquet": "PAR1 no more"}, ["p.parquet", "--target", "b"], "is not a Parquet table"),
    "nothing there": ({}, ["p.csv", "--target", "b"], "there is no file p.csv"),
    "the target among the groups": (
        {"p.csv": PEOPLE},
        ["p.csv", "--target", "sex", "--groups", "sex"],
        "is the target",
    ),
    "a separator that is not there": (
        {"p.csv": PEOPLE},
        ["p.csv", "--target", "repaid", "--separator", "tab"],
        "line 1: the header has one column",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_writes_nothing(mistake, folder):
    files, arguments, *parts = MISTAKES[mistake]
    for name, content in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SystemExit) as caught:
        main(["init", *arguments])
    sentence = str(caught.value)
    assert all(part in sentence for part in parts) and "\n" not in sentence and len(sentence) < 420
    assert sentence.startswith("fairweight: init: ") and not list(folder.glob("*.yaml"))


def test_a_workbook_without_the_extra_is_refused_with_both_remedies(folder, monkeypatch):
    monkeypatch.setattr(components, "missing_extra", lambda *_: "excel")
    Path("p.xlsx").write_bytes(b"PK")
    with pytest.raises(
        SystemExit, match=r"p.xlsx is a workbook, which needs the extra 'excel' \(.*\); or save the sheet"
    ):
        main(["init", "p.xlsx", "--target", "b"])


def test_options_of_text_do_not_go_with_parquet(folder):
    people().to_parquet("p.parquet", index=False)
    with pytest.raises(
        SystemExit, match=r"p.parquet is a Parquet table, which knows its columns; leave out --separator"
    ):
        main(["init", "p.parquet", "--target", "repaid", "--no-header"])
