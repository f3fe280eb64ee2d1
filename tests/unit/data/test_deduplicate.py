"""Labels and values are compared as the table holds them, wherever rows are chosen or removed."""

import numpy as np
import pandas as pd
import pytest
from dataset_recipes import dataset

from fairweight.core.artifacts import read_json, read_table
from fairweight.core.errors import InputError
from fairweight.data.deduplicate import removal
from fairweight.data.read import read

ADULT = {"column": "y", "strip": "."}


@pytest.fixture
def adult(tmp_path):
    """40 distinct training rows, and 40 test rows of which 20 repeat training rows; test labels end in a dot."""
    lines = [f"{age},job{age % 3},{'>50K' if age % 2 else '<=50K'}" for age in range(60)]
    train, test = lines[:40], [f"{line}." for line in lines[20:]]
    paths = {}
    for name, rows in (("train", train), ("test", test)):
        paths[name] = str(tmp_path / name)
        (tmp_path / name).write_text("x,c,y\n" + "\n".join(rows) + "\n")
    return paths


def read_adult(tmp_path, files, **changes):
    recipe = dataset(
        reader={"method": "delimited"},
        inputs={"numeric": ["x"], "categorical": ["c"]},
        groups={"c": {"column": "c"}},
        files={name: {"sources": [f"file:{path}"]} for name, path in files.items()},
        **changes,
    )
    table, contents = str(tmp_path / "table.parquet"), str(tmp_path / "contents.json")
    read(files, table, contents, name="d", recipe=recipe, given=[])
    return read_table(table), read_json(contents)


def test_characters_to_strip_are_ignored_by_repeated_rows(tmp_path, adult):
    table, contents = read_adult(tmp_path, adult, target=ADULT, repeated="remove")
    assert contents["removed"] == {"repeated": 20}
    assert len(table) == 60 and table.classes == ("<=50K", ">50K")


@pytest.mark.parametrize("only", [["<=50K", ">50K"], ["<=50K.", ">50K."]])
def test_characters_to_strip_are_ignored_by_the_labels_to_keep(tmp_path, adult, only):
    target = ADULT | {"only": only, "positive": ">50K."}
    table, contents = read_adult(tmp_path, adult, target=target)
    assert contents["removed"] == {} and len(table) == 80
    assert table.classes == ("<=50K", ">50K")


def test_only_keeps_and_counts(tmp_path, adult):
    with open(adult["test"], "a", encoding="utf-8") as file:
        file.write("1,job1,unknown.\n2,job1,\n")
    table, contents = read_adult(tmp_path, adult, target=ADULT | {"only": ["<=50K", ">50K"]})
    assert contents["removed"] == {"with another label": 2} and len(table) == 80


def test_a_label_to_keep_that_does_not_occur_is_refused(tmp_path, adult):
    with pytest.raises(InputError, match=r"only: '>50k' does not occur .did you mean '>50K'.*: <=50K, >50K\.$"):
        read_adult(tmp_path, adult, target=ADULT | {"only": ["<=50K", ">50k"]})


def frame(**columns):
    return pd.DataFrame(columns, dtype=object).assign(__file__="train")


def counts(rows, **changes):
    keys = {"inputs": {"numeric": ["x"], "categorical": ["c"]}, "target": ADULT, "repeated": "remove", "groups": {}}
    return dict(removal(lambda: [rows], dataset(**keys | changes)).counts)


def test_numbers_are_compared_as_numbers():
    rows = frame(x=["1", "1.0", "1e0", "-0.0", "0"], c=["a"] * 5, y=["no"] * 5)
    assert counts(rows) == {"repeated": 3}


def test_equal_inputs_with_two_labels_leave_no_row():
    rows = frame(x=["1", "1", "2"], c=["a", "a", "b"], y=["no", "yes.", "no."])
    assert counts(rows) == {"with two labels": 2}
    with pytest.raises(InputError, match=r"no row is left of 2 with two labels"):
        counts(rows.iloc[:2])


def test_a_missing_label_is_no_second_label():
    rows = frame(x=["1", "1", "2"], c=["a", "a", "b"], y=["no", None, "None"])
    assert counts(rows) == {"repeated": 1}


def test_a_label_of_which_nothing_is_left_is_missing(tmp_path, adult):
    with open(adult["test"], "a", encoding="utf-8") as file:
        file.write("99,job1, . .\n")
    with pytest.raises(InputError, match=r"1 labels are missing \(first in data row 41 of file 'test'\)"):
        read_adult(tmp_path, adult, target=ADULT)


def test_labels_of_all_readers_lose_white_space():
    rows = frame(x=["1", "1"], c=["a", "a"], y=["no", " no . ."])
    assert counts(rows) == {"repeated": 1}


def test_images_and_texts_are_compared_whole():
    image = np.zeros((1, 2, 2), np.uint8)
    rows = frame(image=[image, image.copy(), image + 1], y=["a", "a", "b"])
    assert counts(rows, inputs={"image": "image"}) == {"repeated": 1}
    texts = frame(text=["One two", "one  TWO ", "two one"], y=["a", "a", "b"])
    assert counts(texts, inputs={"text": "text"}) == {"repeated": 1}
