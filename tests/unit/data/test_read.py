"""Raw rows are checked, typed and converted to codes; an unusable value gives one sentence."""

import struct

import numpy as np
import pandas as pd
import pytest
from dataset_recipes import READER, dataset

from fairweight.core.artifacts import read_json, read_table, write_table
from fairweight.core.errors import InputError
from fairweight.data.card import card as describe
from fairweight.data.card import write_card
from fairweight.data.categorical_codes import to_table
from fairweight.data.raw_rows import raw_blocks
from fairweight.data.read import read
from fairweight.data.readers import delimited, idx
from fairweight.data.survey import Survey, checked_categories, survey
from fairweight.data.tally import Tally, contents, tally


def rows(**columns):
    frame = pd.DataFrame(
        {
            "age": ["20", "30", "40", "50"],
            "job": ["a", None, "b", "a"],
            "paid": ["no", "yes", "no", "yes"],
            "sex": ["f", "m", "f", "m"],
        }
    ).astype(object)
    return frame.assign(**columns, __file__="train")


def build_table(frame, recipe, given):
    """Raw rows, checked and converted in one block."""
    (block,) = raw_blocks([frame], recipe["drop"])
    return to_table(block, checked_categories(survey(block, recipe, given), recipe), recipe, given)


def test_missing_categories_are_a_level_of_their_own():
    table = build_table(rows(), dataset(), [])
    assert table.classes == ("no", "yes")
    assert table.label.tolist() == [0, 1, 0, 1]
    assert table.levels == {"job": ("(missing)", "a", "b")}
    assert table.categorical[:, 0].tolist() == [1, 0, 2, 1]
    assert table.numeric[:, 0].tolist() == [20, 30, 40, 50]
    assert table.group_levels == {"sex": ("f", "m")}


def test_a_table_survives_its_file(tmp_path):
    images = np.arange(4 * 6, dtype=np.uint8).reshape(4, 1, 2, 3)
    for table in (
        build_table(rows(score=[1, 2, 3, 4]), dataset(), ["score"]),
        build_table(rows(image=list(images)), dataset(inputs={"image": "image"}), []),
    ):
        write_table(tmp_path / "t.parquet", table)
        read_back = read_table(tmp_path / "t.parquet")
        for name, value in vars(table).items():
            other = getattr(read_back, name)
            if isinstance(value, dict) and value and isinstance(next(iter(value.values())), np.ndarray):
                assert all(np.array_equal(value[k], other[k]) for k in value)
            elif isinstance(value, np.ndarray):
                assert np.array_equal(value, other)
            else:
                assert value == other


MISTAKES = {
    "absent target": (dict(target={"column": "pait"}), {}, ["target", "'pait'", "did you mean 'paid'", "age, job"]),
    "absent input": (dict(inputs={"numeric": ["weight"]}), {}, ["inputs: numeric", "'weight'", "the columns are"]),
    "one class": ({}, {"paid": "no"}, ["target", "'no'", "two classes"]),
    "missing label": (
        {},
        {"paid": ["no", None, "no", "yes"]},
        ["target", "1 labels are missing", "data row 2 of file 'train'"],
    ),
    "constant group": ({}, {"sex": "f"}, ["groups: sex", "only the group f"]),
    "no number": ({}, {"age": ["20", "old", "40", "50"]}, ["'old'", "data row 2 of file 'train'", "not a number"]),
    "text for a number": (
        {},
        {"age": ["20", "words that may offend " * 5, "40", "50"]},
        ["a text of 110 characters", "data row 2 of file 'train'", "not a number"],
    ),
    "missing number": ({}, {"age": ["20", None, "40", "50"]}, ["1 of 4 values are missing", "missing_numeric: mean"]),
    "NaN": ({}, {"age": ["20", "nan", "40", "50"]}, ["1 of 4 values are missing"]),
    "infinity": ({}, {"age": ["20", "inf", "-inf", "50"]}, ["2 values are infinite", "data row 2 of file 'train'"]),
    "unknown positive": (dict(target={"column": "paid", "positive": "maybe"}), {}, ["'maybe'", "no, yes"]),
    "unknown group value": (
        dict(groups={"sex": {"column": "sex", "values": ["f", "x"]}}),
        {},
        ["groups: sex: values", "'x'", "f, m"],
    ),
    "text for a group": (
        dict(groups={"sex": {"column": "sex", "values": ["f", "x"]}}),
        {"sex": ["f", "m", "words that may offend " * 5, "f"]},
        ["'x' does not occur", "f, m, a text of 110 characters"],
    ),
    "unknown drop": (dict(drop=["surname"]), {}, ["drop", "'surname'"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_bad_rows_give_one_sentence(mistake):
    changes, columns, parts = MISTAKES[mistake]
    with pytest.raises(InputError) as caught:
        build_table(rows(**columns), dataset(**changes), [])
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_a_group_column_of_50_000_values_is_refused():
    size = 50_000
    frame = pd.DataFrame(
        {"age": 1.0, "job": "a", "paid": ["no", "yes"] * (size // 2), "sex": [f"s{i}" for i in range(size)]}
    )
    with pytest.raises(InputError, match=r"50,000 distinct values.*give 'bins'"):
        build_table(frame.assign(__file__="train"), dataset(), [])


def test_a_missing_number_can_take_the_mean():
    recipe = dataset(inputs={"numeric": ["age"], "missing_numeric": "mean"})
    assert np.isnan(build_table(rows(age=["20", None, "40", "50"]), recipe, []).numeric[1, 0])


def test_bins_ranges_and_selected_groups():
    recipe = dataset(
        groups={
            "age": {"column": "age", "bins": [25, 45]},
            "half": {"file": "train", "ranges": {"first": [0, 1], "third": [2, 2]}},
            "job": {"column": "job", "values": ["b", "a"]},
        }
    )
    table = build_table(rows(), recipe, [])
    assert table.group_levels["age"] == ("<25", "25-44", ">=45")
    assert table.groups["age"].tolist() == [0, 1, 1, 2]
    assert table.groups["half"].tolist() == [0, 0, 1, -1]
    assert table.groups["job"].tolist() == [1, -1, 0, 1]
    fractions = build_table(rows(age=["20.5", "30", "40", "50"]), recipe, [])
    assert fractions.group_levels["age"] == ("<25", "25-45", ">=45")


def test_identifying_columns_reach_neither_table_nor_card(tmp_path):
    raw = tmp_path / "raw.csv"
    raw.write_text("name,age,job,paid,sex\nAda,1,a,no,f\nBob,2,b,yes,m\n")
    recipe = dataset(drop=["name"], reader="delimited", files={"test": {"sources": [f"file:{raw}"]}})
    read({"test": str(raw)}, str(tmp_path / "t.parquet"), str(tmp_path / "c.json"), name="d", recipe=recipe, given=[])
    for file in ("t.parquet", "c.json"):
        data = (tmp_path / file).read_bytes()
        assert b"Ada" not in data and b"Bob" not in data


def test_delimited_reads_adult_as_it_is(tmp_path):
    train, test = tmp_path / "a", tmp_path / "b"
    train.write_text("39, State-gov, <=50K\n50, ?, >50K\n\n")
    test.write_text("|1x3 Cross validator\n25, Private, <=50K.\n")
    options = READER | {"columns": ["age", "work", "income"], "skip_lines": {"test": 1}}
    frame = pd.concat(delimited.read({"train": train, "test": test}, **options), ignore_index=True)
    assert frame["work"].fillna("(none)").tolist() == ["State-gov", "(none)", "Private"]
    assert frame["income"].tolist() == ["<=50K", ">50K", "<=50K."]
    recipe = dataset(inputs={"numeric": ["age"]}, target={"column": "income", "strip": "."}, groups={})
    assert build_table(frame, recipe, []).classes == ("<=50K", ">50K")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b\n", "has no rows"),
        ('a,b\n"1,2\n', "line 2: the value in quotes that begins here has no closing quote"),
        ("a,b\n\xe9,2\n", "is not utf-8"),
    ],
)
def test_delimited_refuses_what_it_cannot_read(tmp_path, text, message):
    path = tmp_path / "x"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        list(delimited.read({"x": path}, **READER))


def write_idx(path, array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())
    return path


def test_idx_reads_pairs_and_refuses_truncated_files(tmp_path):
    images = write_idx(tmp_path / "i", np.arange(12).reshape(3, 2, 2))
    labels = write_idx(tmp_path / "l", np.array([1, 0, 1]))
    frame = idx.read({"train-images": images, "train-labels": labels}, rows=None)
    assert frame["label"].tolist() == [1, 0, 1] and frame["image"][2].tolist() == [[[8, 9], [10, 11]]]
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(InputError, match="holds 11 values where its header says 12"):
        idx.read({"train-images": images, "train-labels": labels}, rows=None)
    with pytest.raises(InputError, match="pairs"):
        idx.read({"train": images}, rows=None)


def card(frame=None, block=None, **changes):
    """The card of a frame, counted in blocks of `block` rows."""
    frame = rows() if frame is None else frame
    recipe = dataset(**changes)
    size = block or len(frame)
    parts = [frame.iloc[start : start + size].reset_index(drop=True) for start in range(0, len(frame), size)]
    totals, counts = Survey(), Tally()
    for raw in raw_blocks(parts, recipe["drop"]):
        totals += survey(raw, recipe, [])
    categories = checked_categories(totals, recipe)
    for raw in raw_blocks(parts, recipe["drop"]):
        table = to_table(raw, categories, recipe, [])
        counts += tally(raw, table, recipe, categories)
    about = contents(table, counts, totals, recipe, {"train": "0" * 64}, {})
    return describe(about, {}, table.levels, name="adult", recipe=recipe)


@pytest.mark.parametrize("block", [1, 2, 3])
def test_a_card_is_the_same_whatever_the_blocks(block):
    groups = {"sex": {"column": "sex"}, "work": {"column": "job"}}
    whole = card(groups=groups)
    assert "sex x work" in whole["intersections"] and whole["identifying"] == []
    assert card(block=block, groups=groups) == whole


def test_a_card_counts_what_is_there():
    about = card()
    assert about["rows"] == 4 and about["missing"] == {"age": 0, "job": 1} and about["label"] == {"no": 2, "yes": 2}
    assert about["groups"]["sex"] == [
        {"group": "f", "rows": 2, "share": 0.5, "base_rate": 0.0, "reference": None},
        {"group": "m", "rows": 2, "share": 0.5, "base_rate": 1.0, "reference": None},
    ]
    assert about["missing_by_group"] == [
        {"column": "job", "attribute": "sex", "group": "f", "share": 0.0},
        {"column": "job", "attribute": "sex", "group": "m", "share": 0.5},
    ]
    assert about["entropy"]["sex"] == pytest.approx(1.0)
    assert "f (sex) has only 2 rows: its rates are uncertain." in about["warnings"]


def test_a_card_warns_of_groups_with_few_rows_or_few_rows_of_a_class():
    frame = pd.concat([rows(), *[rows(paid="no")] * 49], ignore_index=True)
    assert card(frame)["warnings"] == [
        "f (sex) has only 0 rows of class yes: its rates are uncertain.",
        "m (sex) has only 2 rows of class yes: its rates are uncertain.",
    ]
    alone = pd.concat([rows(sex="f"), rows(sex=["m", None, None, None])], ignore_index=True)
    assert "m (sex) has only 1 row: its rates are uncertain." in card(alone)["warnings"]


def test_a_card_warns_of_names_that_people_cannot_tell_apart():
    frame = pd.concat([rows(sex=sex) for sex in ("male", "m\u0430le", "male\u200b", "\u202ef", "ж")], ignore_index=True)
    frame = pd.concat([frame, rows(job=["b\u043ess", "boss", "β-tester", "東京 Tokyo"])], ignore_index=True)
    sentences = [s for s in card(frame)["warnings"] if "rates are uncertain" not in s and "no other row" not in s]
    assert sentences == [
        "job: names that look alike count as different: 'boss' and 'b\\u043ess'.",
        "job: names with hidden characters or foreign letters: 'b\u043ess' has U+043E cyrillic small letter o.",
        "sex: names that look alike count as different: 'f' and '\\u202ef'; 'male' and 'male\\u200b' and 'm\\u0430le'.",
        "sex: names with hidden characters or foreign letters: 'male\\u200b' has U+200B zero width space; "
        "'m\u0430le' has U+0430 cyrillic small letter a; '\\u202ef' has U+202E right-to-left override.",
    ]


def test_warnings_stand_in_the_card_above_what_it_is_made_from_and_nowhere_else(tmp_path):
    raw = tmp_path / "raw.csv"
    raw.write_text("age,job,paid,sex\n1,a,no,f\n2,b,yes,m\n")
    recipe = dataset(reader="delimited", files={"test": {"sources": [f"file:{raw}"]}})
    table, counts, destination = (str(tmp_path / name) for name in ("t.parquet", "contents.json", "card.json"))
    read({"test": str(raw)}, table, counts, name="d", recipe=recipe, given=[])
    write_card(counts, table, destination, name="d", recipe=recipe)
    assert "warnings" not in read_json(counts)
    assert list(read_json(destination))[-4:] == ["unseen", "warnings", "sha256", "removed"]


def test_a_card_compares_groups_with_a_reference_population():
    about = card(groups={"sex": {"column": "sex", "reference": {"f": 0.51, "m": 0.49}}})
    assert [entry["reference"] for entry in about["groups"]["sex"]] == [0.51, 0.49]
    with pytest.raises(InputError, match="reference: 'x' is not a group; there are: f, m"):
        card(groups={"sex": {"column": "sex", "reference": {"x": 0.5}}})


def test_a_card_finds_duplicates_across_the_official_parts():
    frame = rows()
    frame["__file__"] = ["train", "train", "train", "test"]
    frame.loc[3] = frame.loc[0].to_dict() | {"__file__": "test"}
    assert card(frame)["duplicates"] == {"rows": 2, "test_rows_in_training": 1}


def test_a_card_reports_k_anonymity():
    frame = rows(sex=["f", "f", "f", "m"])
    anonymity = card(frame)["k_anonymity"]
    assert {key: anonymity[key] for key in ("columns", "k", "unique")} == {"columns": ["sex"], "k": 1, "unique": 0.25}
    assert card(frame, quasi_identifiers=["sex", "job"])["k_anonymity"]["unique"] == 1.0
    with pytest.raises(InputError, match="quasi_identifiers: column 'town' is not in the data"):
        card(frame, quasi_identifiers=["town"])


def test_a_card_points_at_columns_that_identify_unless_they_are_dropped():
    text = [f"person {i} of many" for i in range(60)]
    frame = pd.concat([rows()] * 15, ignore_index=True)
    frame = frame.assign(last_name="x", contact=[f"{i}@mail.org" for i in range(60)], remark=text)
    reasons = {entry["column"]: entry["reason"] for entry in card(frame)["identifying"]}
    assert reasons == {
        "last_name": "its name",
        "contact": "its values look like e-mail addresses",
        "remark": "60 of 60 values are distinct",
    }
    assert {e["column"] for e in card(frame, drop=["last_name", "contact"])["identifying"]} == {"remark"}


def test_what_is_too_large_for_a_float_counts_as_infinite():
    with pytest.raises(InputError, match="1 values are infinite"):
        build_table(rows(age=["1", "1e39", "2", "3"]), dataset(), [])


def test_a_categorical_column_of_parquet_may_have_missing_values():
    frame = rows(job=pd.Categorical(["a", None, "b", "a"]))
    assert build_table(frame, dataset(), []).levels == {"job": ("(missing)", "a", "b")}


@pytest.mark.parametrize(
    ("ranges", "message"),
    [({"a": [0, 2], "b": [1, 3]}, "overlaps"), ({"a": [0, 1], "b": [2, 9]}, "not within the file's rows 0 to 3")],
)
def test_ranges_that_overlap_or_leave_the_file_are_refused(ranges, message):
    with pytest.raises(InputError, match=message):
        build_table(rows(), dataset(groups={"g": {"file": "train", "ranges": ranges}}), [])


def test_surplus_values_and_long_separators(tmp_path):
    path = tmp_path / "x"
    path.write_text("name,age\nDoe, John,34\n")
    with pytest.raises(InputError, match="more values than columns"):
        list(delimited.read({"x": path}, **READER))
    path.write_text("a||b\n1||2\n")
    (frame,) = delimited.read({"x": path}, **(READER | {"separator": "||"}))
    assert frame["b"].tolist() == ["2"]
    with pytest.raises(InputError, match="'utf8x' is not known"):
        list(delimited.read({"x": path}, **(READER | {"encoding": "utf8x"})))


@pytest.mark.parametrize(
    "values", [["a", "b"], [None, None], [np.zeros((2, 2), np.uint8)] * 2, [np.zeros((1, 2, 2))] * 2]
)
def test_what_is_no_image_is_refused(values):
    frame = pd.DataFrame({"image": pd.Series(values, dtype=object), "paid": ["no", "yes"], "__file__": "train"})
    with pytest.raises(InputError, match=r"column 'image': the value in data row 1 of file 'train' is no image"):
        build_table(frame, dataset(inputs={"image": "image"}, groups={}), [])


def test_bytes_that_are_no_text_are_no_numbers():
    with pytest.raises(InputError, match=r"in data row 1 of file 'train' is not a number"):
        build_table(rows(age=[b"\xff"] * 4), dataset(), [])


def test_outputs_of_a_model_may_be_in_some_files_alone(tmp_path):
    """Training rows on which methods calibrate have no outputs of the original."""
    rows = "".join(f"{20 + i},{'ab'[i % 2]},{'yes' if i % 3 else 'no'},{'fm'[i % 2]}" + "{0}" + "\n" for i in range(30))
    (tmp_path / "train").write_text("age,job,paid,sex\n" + rows.format(""))
    (tmp_path / "test").write_text("age,job,paid,sex,p,named\n" + rows.format(",.5,yes"))
    files = {name: {"sources": ["file:x"]} for name in ("train", "test")}
    options = {"method": "delimited", "optional": ["p", "named"]}
    paths = {name: str(tmp_path / name) for name in files}

    def read_with(reader, given):
        recipe = dataset(reader=reader, files=files)
        table, contents = str(tmp_path / "table"), str(tmp_path / "contents")
        read(paths, table, contents, name="d", recipe=recipe, given=given, predicted=["named"])
        return read_table(table)

    table = read_with(options, ["p"])
    assert np.isnan(table.given["p"][:30]).all() and (table.given["p"][30:] == 0.5).all()
    assert (table.given["named"][:30] == -1).all() and set(table.given["named"][30:]) == {1.0}
    (tmp_path / "test").write_text("age,job,paid,sex,p,named\n20,a,yes,f,,yes\n" + rows.format(",.5,yes"))
    (tmp_path / "train").write_text("age,job,paid,sex,p,named\n" + rows.format(",.5,yes"))
    with pytest.raises(InputError, match=r"given: column 'p': 1 of 61 values are missing .*fix the data"):
        read_with({"method": "delimited"}, ["p"])
