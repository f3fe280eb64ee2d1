"""Values keep their meaning on the way into the table: numbers, dates and categories of text and of typed columns."""

import datetime as dt
import random
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_recipes import dataset
from hypothesis import given
from hypothesis import strategies as st

from fairweight.core import table as tables
from fairweight.core.artifacts import read_json, read_table
from fairweight.core.errors import InputError
from fairweight.data.card import warnings
from fairweight.data.named_values import resolved
from fairweight.data.narrowing import MOST_DISTINCT, Range
from fairweight.data.read import read
from fairweight.data.split import test_rows as split_test_rows
from fairweight.data.unseen import unseen_categories
from fairweight.data.value_formats import PLAIN, Formats, _short_numbers, in_order, name_of, numbers, spellings, texts

DAY = 1_700_000_000 // 86_400  # 2023-11-14


def read_files(folder, files, given_columns=(), **changes):
    """(table, contents) of files that are CSV text or Arrow tables; column `y` is the label."""
    keys = {"inputs": {"numeric": ["x"]}, "target": {"column": "y"}, "groups": {}, "split": {"test": 0.5}}
    paths = {}
    for name, content in files.items():
        paths[name] = str(folder / name)
        if isinstance(content, str):
            (folder / name).write_text(content, encoding="utf-8")
        else:
            pq.write_table(content, folder / name)
    method = "delimited" if all(isinstance(content, str) for content in files.values()) else "parquet"
    sources = {name: {"sources": [f"file:{path}"]} for name, path in paths.items()}
    recipe = dataset(**(keys | {"reader": {"method": method}, "files": sources} | changes))
    outputs = str(folder / "table.parquet"), str(folder / "contents.json")
    read(paths, *outputs, name="d", recipe=recipe, given=list(given_columns))
    return read_table(outputs[0]), read_json(outputs[1])


def csv(**columns):
    """CSV text; the label `y` alternates in pairs, so that no other column equals it."""
    size = len(next(iter(columns.values())))
    labels = [("no", "no", "yes", "yes")[i % 4] for i in range(size)]
    return pd.DataFrame(columns | {"y": labels}).to_csv(index=False)


def arrow(size=40, **columns):
    return pa.table(columns | {"y": [("no", "no", "yes", "yes")[i % 4] for i in range(size)]})


# ---- missing time stamps and other typed columns


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
def test_a_missing_time_stamp_is_missing_in_any_unit_and_time_zone(tmp_path, unit, zone):
    stamps = [dt.datetime(2023, 11, 14) + dt.timedelta(days=i) for i in range(40)]
    stamps[3] = None
    files = {"all": arrow(x=pa.array(stamps, pa.timestamp(unit, zone)))}
    with pytest.raises(InputError, match=r"1 of 40 values are missing \(first in data row 4 of file 'all'\)"):
        read_files(tmp_path, files)
    groups = {"late": {"column": "x", "bins": [DAY + 20]}}
    table, contents = read_files(tmp_path, files, inputs={"numeric": ["x"], "missing_numeric": "mean"}, groups=groups)
    assert np.isnan(table.numeric[3, 0]) and contents["missing"] == {"x": 1}
    assert np.nanmin(table.numeric) == DAY and np.nanmax(table.numeric) == DAY + 39
    assert table.groups["late"].tolist() == [0, 0, 0, -1] + [0] * 16 + [1] * 20


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (pa.date32(), [dt.date(1970, 1, 11), None], 10),
        (pa.date64(), [dt.date(1970, 1, 11), None], 10),
        (pa.duration("s"), [dt.timedelta(days=1.5), None], 1.5),
        (pa.duration("ns"), [dt.timedelta(days=1.5), None], 1.5),
        (pa.time32("s"), [dt.time(6), None], 0.25),
        (pa.time64("us"), [dt.time(6), None], 0.25),
        (pa.timestamp("s"), [dt.datetime(1969, 12, 31, 12), None], -0.5),
        (pa.decimal128(20, 2), [Decimal("1.50"), None], 1.5),
        (pa.bool_(), [True, None], 1),
        (pa.uint64(), [2**63, None], 2.0**63),
        (pa.float16(), [np.float16(0.5), None], 0.5),
        (pa.large_string(), ["1.5", None], 1.5),
        (pa.string_view(), [" 1.5 ", None], 1.5),
        (pa.binary(), [b"1.5", None], 1.5),
        (pa.dictionary(pa.int32(), pa.string()), ["1.5", None], 1.5),
        (pa.dictionary(pa.int8(), pa.int64()), [7, None], 7),
    ],
)
def test_every_type_of_parquet_becomes_a_number_and_its_gap_stays_one(kind, values, expected):
    column = pa.table({"x": pa.array(values, kind)}).to_pandas()["x"]
    first, gap = numbers(column, "x", PLAIN)
    assert first == expected and np.isnan(gap)
    assert texts(column).isna().tolist() == [False, True]


def test_dates_beyond_the_range_of_nanoseconds_are_read():
    dates = pd.Series(["0001-01-01", "9999-12-31", "2020-01-01T00:00:00.123456789", "2020-01-01T12:00+02:00"])
    assert numbers(dates, "x", Formats(dates={"x": "iso"})) == pytest.approx([-719162, 2932896, 18262, 18262 + 10 / 24])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_dates_of_text_are_days_and_other_texts_are_refused(tmp_path, form):
    dates = [f"{1 + i % 28:02}.11.2023" for i in range(40)]
    recipe = {"dates": {"x": "%d.%m.%Y"}, "groups": {"late": {"column": "x", "bins": [DAY + 1]}}}
    build = (lambda x: {"all": csv(x=x)}) if form == "csv" else (lambda x: {"all": arrow(x=x)})
    table, _ = read_files(tmp_path, build(dates), **recipe)
    assert table.numeric[:, 0].tolist() == [DAY - 13 + i % 28 for i in range(40)]
    assert table.groups["late"].tolist() == [int(i % 28 >= 14) for i in range(40)]
    dates[5] = "31.11.2023"
    with pytest.raises(InputError, match=r"'31.11.2023' in data row 6 of file 'all' is not a date like '%d.%m.%Y'"):
        read_files(tmp_path, build(dates), **recipe)


@pytest.mark.parametrize(
    ("dates", "form", "remedy"),
    [
        ([f"{1 + i % 28:02}.11.2011" for i in range(40)], "%Y-%m-%d", "change the format .* 'dates' .* to '%d.%m.%Y'"),
        ([f"{1 + i % 28}/{1 + i % 12}/2011" for i in range(40)], "iso", "change the format .* to '%d/%m/%Y'"),
        # a value that is no date at all hides no format
        ([f"{1 + i % 28:02}.11.2011" for i in range(39)] + ["?"], "%d/%m/%Y", "change the format .* to '%d.%m.%Y'"),
        ([f"2011-11-{1 + i % 28:02}" for i in range(40)], "%d.%m.%Y", "change the format .* to 'iso'"),
        (["2011-11-01"] * 37 + ["15.11.2011"] * 3, "%Y-%m-%d", "it is like '%d.%m.%Y': write it like the other"),
        (["2011-11-01"] * 37 + ["unknown"] * 3, "%Y-%m-%d", "fix the value, list it under the reader's 'missing'"),
        ([f"{1 + i % 28:02}.11.2011" for i in range(40)], None, "if it is a date, set '%d.%m.%Y' for the column under"),
    ],
)
def test_dates_in_another_format_name_the_format_that_fits(tmp_path, dates, form, remedy):
    recipe = {} if form is None else {"dates": {"x": form}}
    with pytest.raises(InputError, match=remedy):
        read_files(tmp_path, {"all": csv(x=dates)}, **recipe)


# ---- float32


def test_time_stamps_in_seconds_stay_distinct(tmp_path):
    seconds = [1_700_000_000 + i for i in range(40)]
    table, _ = read_files(tmp_path, {"all": csv(x=seconds)})
    assert len(np.unique(table.numeric)) == 40
    raw = table.numeric.astype(np.float64)[:, 0] + table.origins["x"]
    assert raw.tolist() == seconds


@pytest.mark.parametrize(
    "values",
    [
        1.7e9 + np.arange(40),
        20240101 + np.arange(31.0),
        52.52 + np.arange(40) * 1e-6,
        1e15 + np.arange(40),
        -1.7e9 - np.arange(40),
        1.7e9 + np.arange(30) * 86_400 * 365 / 30,
    ],
)
def test_an_origin_makes_float32_enough(values):
    column = Range.from_numbers(values, False)
    assert column.origin != 0 and column.merged() is None
    assert len(np.unique((values - column.origin).astype(np.float32))) == len(values)


@pytest.mark.parametrize(
    "values", [[1990, 2023], [0.1, 0.2], 36.6 + np.arange(40) / 10, [0, 38_123_456], [5.0] * 9, [], [16_777_216]]
)
def test_ordinary_numbers_have_no_origin(values):
    column = Range.from_numbers(np.array(values, float), False)
    assert column.origin == 0 and column.merged() is None


@pytest.mark.parametrize("size", [40, 3 * MOST_DISTINCT])
def test_numbers_that_no_origin_keeps_apart_are_refused(tmp_path, size):
    values = [0, *(1_700_000_000 + i for i in range(size - 1))]
    with pytest.raises(InputError, match=r"column 'x': .* are one number in float32.*range from 0.0 to 17000"):
        read_files(tmp_path, {"all": csv(x=values)})


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), max_size=30), st.integers(0, 30))
def test_a_range_is_the_same_in_blocks_of_any_size(values, cut):
    values = np.array(values, float)
    whole = Range.from_numbers(values, False)
    parts = Range.from_numbers(values[:cut], False) + Range.from_numbers(values[cut:], False)
    assert vars(parts) | {"distinct": 0} == vars(whole) | {"distinct": 0}
    assert parts.distinct.tolist() == whole.distinct.tolist()


def test_whole_numbers_that_float64_cannot_hold_are_no_numbers(tmp_path):
    ids = [9_007_199_254_740_993 + i for i in range(40)]
    for name, file in (("csv", csv(x=ids)), ("parquet", arrow(x=ids))):
        with pytest.raises(InputError, match=r"9007199254740993 in data row 1 of file .* has more digits than float64"):
            read_files(tmp_path, {name: file})


# ---- categories written as numbers


def test_numbers_are_one_category_however_a_file_writes_them(tmp_path):
    train = csv(x=range(100), job=[["1.0", "2.0", "3.0", ""][i % 4] if i % 7 else "2.0" for i in range(100)])
    test = csv(x=range(100), job=[["1", "02", "3e0"][i % 3] for i in range(100)])
    inputs = {"numeric": ["x"], "categorical": ["job"]}
    groups = {"job": {"column": "job", "values": [3.0, "1"], "reference": {"3.00": 0.5}}}
    table, contents = read_files(tmp_path, {"train": train, "test": test}, inputs=inputs, groups=groups)
    assert table.levels == {"job": ("(missing)", "1", "2", "3")}
    assert table.categorical[100:, 0].tolist() == [1 + i % 3 for i in range(100)]
    assert table.group_levels == {"job": ("3", "1")}
    assert [entry["reference"] for entry in contents["groups"]["job"][:2]] == [0.5, None]
    assert unseen_categories(str(tmp_path / "table.parquet"), name="d", recipe={"test": "official"}) == {}
    assert contents["spellings"] == {"job": [["1", "1.0"], ["02", "2.0"], ["3.0", "3e0"]]}
    assert any("'1' and '1.0'" in sentence for sentence in warnings(contents, {}, {}))
    assert contents["k_anonymity"] | {"columns": ["job"], "k": 21, "unique": 0.0} == contents["k_anonymity"]


def test_numbers_that_are_written_in_one_way_keep_their_names(tmp_path):
    jobs = ["01", "02", "10"]
    table, contents = read_files(
        tmp_path,
        {"all": csv(x=range(60), job=[jobs[i % 3] for i in range(60)])},
        inputs={"categorical": ["job"]},
        groups={"job": {"column": "job", "values": [1, 10]}},
    )
    assert table.levels == {"job": ("01", "02", "10")} and table.group_levels == {"job": ("01", "10")}
    assert contents["spellings"] == {}


def test_a_column_that_holds_other_texts_is_compared_as_text(tmp_path):
    codes = ["250.0", "250.00", "V45"]
    table, _ = read_files(
        tmp_path, {"all": csv(x=range(60), code=[codes[i % 3] for i in range(60)])}, inputs={"categorical": ["code"]}
    )
    assert table.levels == {"code": ("250.0", "250.00", "V45")}


def test_labels_that_are_numbers_are_compared_as_numbers(tmp_path):
    def file(labels):
        return pd.DataFrame({"x": range(40), "y": [labels[i % 4 // 2] for i in range(40)]}).to_csv(index=False)

    files = {"train": file(["0.0", "1.0"]), "test": file(["0", "1"])}
    for target in ({"positive": 0}, {"positive": "0.0", "only": [1, "0"]}, {"positive": 0.0, "only": ["1.0", 0.0]}):
        table, contents = read_files(tmp_path, files, target={"column": "y"} | target)
        assert table.classes == ("1", "0") and contents["removed"] == {}
        assert table.label.tolist() == [1, 1, 0, 0] * 20
    table, contents = read_files(tmp_path, files, repeated="remove")
    assert contents["removed"] == {"repeated": 40} and len(table) == 40


def test_labels_to_keep_are_numbers_beside_other_labels(tmp_path):
    labels = ["1.0", "0", "unknown", "1", "0.0"] * 8
    file = pd.DataFrame({"x": range(40), "y": labels}).to_csv(index=False)
    table, contents = read_files(tmp_path, {"all": file}, target={"column": "y", "only": [0, 1]})
    assert contents["removed"] == {"with another label": 8} and table.classes == ("0", "1")
    assert table.label.tolist() == [1, 0, 1, 0] * 8


def test_repeated_rows_may_write_a_category_in_another_way(tmp_path):
    files = {name: csv(x=range(40), job=jobs * 20) for name, jobs in (("train", ["1.0", "2.0"]), ("test", ["1", "2"]))}
    inputs = {"numeric": ["x"], "categorical": ["job"]}
    _, contents = read_files(tmp_path, files, inputs=inputs, repeated="remove")
    assert contents["removed"] == {"repeated": 40}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_ids_above_2_to_the_53_keep_their_identity_everywhere(tmp_path, form):
    first, second = 9_007_199_254_740_992, 9_007_199_254_740_993
    ids = [(first, second)[i % 2] for i in range(39)] + [None]
    file = arrow(x=range(40), id=pa.array(ids, pa.int64()), z=pa.array(ids, pa.int64()))
    if form == "csv":
        file = csv(x=range(40), id=[str(value or "") for value in ids], z=[str(value or "") for value in ids])
    groups = {
        "id": {"column": "id", "values": [second, first], "reference": {str(first): 0.5}},
        "late": {"column": "z", "bins": [second]},
    }
    table, contents = read_files(tmp_path, {"all": file}, inputs={"categorical": ["id"]}, groups=groups)
    assert table.levels == {"id": ("(missing)", str(first), str(second))}
    assert table.group_levels == {"id": (str(second), str(first)), "late": (f"<{second}", f">={second}")}
    assert table.groups["late"].tolist() == [0, 1] * 19 + [0, -1]
    assert contents["k_anonymity"]["columns"] == ["id", "z"] and contents["k_anonymity"]["k"] == 1
    labels = pa.table({"x": range(40), "y": pa.array([(first, second)[i % 4 // 2] for i in range(40)], pa.int64())})
    table, _ = read_files(tmp_path, {"labels": labels}, target={"column": "y", "positive": first})
    assert table.classes == (str(second), str(first))


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_a_category_of_a_narrow_float_is_as_short_as_in_a_text_file(tmp_path, kind):
    values = pa.array(np.array([0.5, 0.1, 2.0, 1.0] * 10, kind.to_pandas_dtype()), kind)
    table, _ = read_files(tmp_path, {"all": arrow(x=range(40), job=values)}, inputs={"categorical": ["job"]})
    assert table.levels == {"job": ("0.1", "0.5", "1.0", "2.0")}


def test_the_card_counts_test_rows_with_unseen_categories(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BLOCK_ROWS", 33)
    train = csv(x=range(100), job=["a", "b"] * 50, town=["k", "l", "m", "n"] * 25)
    test = csv(x=range(50), job=["a", "c", "d", "b", "c"] * 10, town=["k"] * 50)
    inputs = {"numeric": ["x"], "categorical": ["job", "town"]}
    _, contents = read_files(tmp_path, {"train": train, "test": test}, inputs=inputs)
    path = str(tmp_path / "table.parquet")
    unseen = unseen_categories(path, name="d", recipe={"test": "official"})
    assert unseen == {"job": {"rows": 30, "test_rows": 50, "categories": ["c", "d"]}}
    assert warnings(contents, unseen, {})[0] == (
        "job: 30 of 50 test rows (60.0%) have a category that no other row has and that a model reads as none: "
        "'c', 'd'."
    )
    assert unseen_categories(path, name="d", recipe={"test": "all"}) == {}


def test_test_rows_that_are_drawn_may_have_unseen_categories(tmp_path):
    jobs = ["a", "b"] * 30
    table, _ = read_files(tmp_path, {"all": csv(x=range(60), job=jobs)}, inputs={"categorical": ["job"]})
    drawn = split_test_rows(table, name="d", recipe={"test": 0.2})
    jobs = ["rare" if i in drawn[:3] else job for i, job in enumerate(jobs)]
    read_files(tmp_path, {"all": csv(x=range(60), job=jobs)}, inputs={"categorical": ["job"]})
    unseen = unseen_categories(str(tmp_path / "table.parquet"), name="d", recipe={"test": 0.2})
    assert unseen == {"job": {"rows": 3, "test_rows": 12, "categories": ["rare"]}}


# ---- numbers that cannot be read


BAD = [
    "20,5",
    "unknown",
    "45 years",
    ">90",
    "12%",
    "1 000",
    "1_000",
    "0x10",
    "True",
    "NA",
    "-",
    "1.234.5",
    "12.5.",
    "½",
]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("place", ["numeric", "bins", "given"])
def test_what_is_no_number_is_refused_wherever_a_number_is_wanted(tmp_path, value, place):
    ages = [value if i % 4 == 2 else str(20 + i) for i in range(40)]
    changes = {"reader": {"method": "delimited", "missing": [""]}}
    if place == "bins":
        changes["groups"] = {"age": {"column": "age", "bins": [30, 45]}}
    elif place == "numeric":
        changes["inputs"] = {"numeric": ["age"], "missing_numeric": "mean"}
    with pytest.raises(InputError) as caught:
        read_files(
            tmp_path, {"all": csv(x=range(40), age=ages)}, given_columns=["age"] if place == "given" else [], **changes
        )
    sentence = str(caught.value)
    assert f"column 'age': {value!r} in data row 3 of file 'all' is not a number (10 of 40 values are not)" in sentence
    assert ("decimal: ','" in sentence) == (value == "20,5")


@pytest.mark.parametrize(
    ("value", "marks"),
    [
        ("1.234,50", "decimal: ',' and thousands: '.'"),
        ("0,5", "decimal: ','"),
        ("0,0", "decimal: ','"),
        ("1,000", "decimal: ',' or thousands: ','"),  # a thousand, or one
        ("1,234.5", "thousands: ','"),
        ("1 234,5", "decimal: ',' and thousands: ' '"),
        ("1'234.50", 'thousands: "\'"'),
    ],
)
def test_a_number_in_another_notation_is_no_category(tmp_path, value, marks):
    ages = [value if i % 4 == 2 else str(20 + i) for i in range(40)]
    with pytest.raises(InputError) as caught:
        read_files(tmp_path, {"all": csv(x=range(40), age=ages)}, inputs={"numeric": ["age"]})
    assert str(caught.value).endswith(f"if it is one, set {marks} of the dataset.")
    assert "categorical" not in str(caught.value) and "missing" not in str(caught.value)


def test_infinite_and_missing_numbers_of_a_binned_group(tmp_path):
    groups = {"age": {"column": "age", "bins": [30]}}
    ages = ["20", "nan", "", "40"] * 10
    table, _ = read_files(tmp_path, {"all": csv(x=range(40), age=ages)}, groups=groups)
    assert table.groups["age"].tolist() == [0, -1, -1, 1] * 10
    with pytest.raises(InputError, match="groups: age: column 'age': 40 values are infinite"):
        read_files(tmp_path, {"all": csv(x=range(40), age=["inf", "-inf"] * 20)}, groups=groups)


@pytest.mark.parametrize(
    ("decimal", "thousands", "written", "expected"),
    [
        (",", None, ["20,5", "1e3", "-,5", "7,"], [20.5, 1000, -0.5, 7]),
        (",", ".", ["1.234,5", "1.234.567", "12", "-1.000"], [1234.5, 1234567, 12, -1000]),
        (".", ",", ["1,234.5", "12,34,567", "0.5", "+1,000"], [1234.5, 1234567, 0.5, 1000]),
        (",", " ", ["1 234,5", "1\u202f234\u00a0567", "1", "2"], [1234.5, 1234567, 1, 2]),
        (".", "'", ["1'234.5", "1\u2019234", "1", "2"], [1234.5, 1234, 1, 2]),
    ],
)
def test_decimal_marks_and_thousands(tmp_path, decimal, thousands, written, expected):
    formats = {"decimal": decimal, "thousands": thousands}
    groups = {"x": {"column": "x", "bins": [15]}}
    table, _ = read_files(tmp_path, {"all": csv(x=written * 10)}, groups=groups, **formats)
    assert table.numeric[:, 0].tolist() == expected * 10
    assert table.groups["x"].tolist() == [int(number >= 15) for number in expected] * 10


@pytest.mark.parametrize(
    ("formats", "value"),
    [
        (Formats(","), "20.5"),
        (Formats(",", "."), "1.23"),
        (Formats(",", "."), "1.234.5"),
        (Formats(".", ","), "1,2345"),
        (Formats(".", ","), ",5"),
        (Formats(".", ","), "0,125"),
        (Formats(".", " "), "1 0"),
        (PLAIN, "1,5"),
        (PLAIN, "\u0661"),
    ],
)
def test_marks_in_other_places_make_no_number(formats, value):
    assert formats.number(value) is None
    assert np.isnan(numbers(pd.Series([value, "1"]), "x", formats)).tolist() == [True, False]


def test_the_number_of_a_pair_is_whole_and_never_missing(tmp_path):
    recipe = {"task": "language_modelling", "target": None, "inputs": {"text": "t", "pair": "p"}}
    for pair, message in (("1.5", "must be whole"), ("", "1 of 2 values are missing"), ("a", "'a' .* is not a number")):
        with pytest.raises(InputError, match=message):
            read_files(tmp_path, {"all": f"t,p\none,-1\ntwo,{pair}\n"}, **recipe)


# ---- names of numbers


@given(st.integers(-(10**40), 10**40), st.sampled_from(["{}", "{}.0", "{}e0", "0{}", "{}.", "{}0e-1"]))
def test_every_spelling_of_a_whole_number_has_the_same_name(value, form):
    text = form.format(abs(value)) if value >= 0 else "-" + form.format(abs(value))
    number = PLAIN.number(text)
    assert number == PLAIN.number(str(value))
    assert Decimal(name_of(number)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_name_of_a_float_is_the_float(value):
    number = PLAIN.number(repr(value))
    assert number is not None and float(name_of(number)) == value


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3), unique=True, min_size=1))
def test_numbers_are_sorted_by_size(values):
    assert [Decimal(text) for text in in_order([str(v) for v in values], PLAIN)] == sorted(values)


def test_names_that_are_not_all_numbers_are_sorted_as_text():
    assert in_order(["10", "9", "b"], PLAIN) == ["10", "9", "b"] and in_order(["10", "9"], PLAIN) == ["9", "10"]
    assert spellings(["1", "1.0", "b"], PLAIN) == {} and resolved(1, ["1.0", "b"], PLAIN) == "1"


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_texts_of_every_type_are_texts(tmp_path, kind):
    words = [["yes please", "no \u00e4"][i % 2] for i in range(40)]
    values = [word.encode() for word in words] if kind == pa.binary() else words
    file = arrow(t=pa.array(values, kind))
    table, _ = read_files(tmp_path, {"all": file}, inputs={"text": "t"}, groups={"t": {"column": "t"}})
    assert table.texts.tolist() == words and table.group_levels == {"t": ("no \u00e4", "yes please")}


def test_one_group_named_twice_is_one_group(tmp_path):
    groups = {"job": {"column": "job", "values": [1, "1.0"]}}
    with pytest.raises(InputError, match=r"groups: job: has only the group 1\.0; a comparison needs two"):
        read_files(tmp_path, {"all": csv(x=range(40), job=["1.0", "2.0"] * 20)}, groups=groups)


# ---- a copy of the label


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_a_copy_of_the_label_among_the_inputs_is_refused(tmp_path, kind):
    copy = [(0, 0, 1, 1)[i % 4] for i in range(40)]
    with pytest.raises(InputError, match=rf"inputs: {kind}: column 'flag': it says in all 40 rows what the label says"):
        read_files(tmp_path, {"all": csv(x=range(40), flag=copy)}, inputs={kind: ["flag"]})
    gaps = ["" if value else "0" for value in copy]  # missing where the label is yes
    with pytest.raises(InputError, match="what the label says"):
        read_files(tmp_path, {"all": csv(x=range(40), flag=gaps)}, inputs={kind: ["flag"], "missing_numeric": "mean"})


def test_an_input_that_is_finer_than_the_label_or_differs_once_is_none_of_its_copies(tmp_path):
    finer, once = [i % 4 for i in range(40)], [(0, 0, 1, 1)[i % 4] for i in range(39)] + [0]
    table, _ = read_files(tmp_path, {"all": csv(finer=finer, once=once)}, inputs={"categorical": ["finer", "once"]})
    assert len(table) == 40


def test_numbers_of_text_are_those_of_pandas_to_the_bit():
    rng, used = random.Random(0), 0
    pieces = [
        "-0",
        "0",
        "-0.0",
        ".5",
        "1.",
        "-.5",
        "007",
        "1e5",
        "nan",
        "inf",
        "+1",
        " 1",
        "1_000",
        "x",
        "-",
        "1.2.3",
        "",
    ]
    for trial in range(1_500):
        written = [
            rng.choice(
                [
                    str(rng.randrange(-(10**17), 10 ** rng.randrange(1, 18))),
                    repr(rng.gauss(0, 1)),
                    f"{rng.gauss(0, 99):.3f}",
                ]
            )
            for _ in range(rng.randrange(1, 9))
        ]
        written = [text[: rng.choice([5, 16, 30])] for text in written] + [rng.choice([None, *pieces])] * (trial % 2)
        expected = pd.to_numeric(pd.Series(written, dtype=object), errors="coerce").to_numpy(float, na_value=np.nan)
        written_texts = pd.Series(written, dtype="str")
        assert np.array_equal(numbers(written_texts, "", PLAIN).view(int), expected.view(int)), written
        used += _short_numbers(pa.array(written_texts)) is not None
    assert 300 < used < 1_200
