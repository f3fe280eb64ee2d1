"""Labels that are numbers: what reading refuses, how rows are divided, and what the data card says."""

import numpy as np
import pandas as pd
import pytest
from dataset_recipes import READER
from studies import tiny
from tables import tabular

from fairweight.core.artifacts import read_json, read_table
from fairweight.core.errors import InputError
from fairweight.data.card import write_card
from fairweight.data.read import read
from fairweight.data.split import parts
from fairweight.study.schema import resolve


def recipe(**changes):
    study = tiny(
        datasets__adult__task="regression",
        datasets__adult__target={"column": "paid", "unit": "EUR"},
        datasets__adult__inputs={"numeric": ["age"], "categorical": ["job"]},
        datasets__adult__groups={"sex": {"column": "sex"}},
    )
    return resolve(study)["datasets"]["adult"] | {"reader": {"method": "delimited", **READER}} | changes


def people(rows=60, **columns):
    rng = np.random.default_rng(0)
    age = rng.normal(40, 9, rows).round(2)
    sex = np.where(np.arange(rows) % 3, "m", "f")
    paid = (10 * rng.normal(size=rows) + np.where(sex == "f", 100, 200)).round(2)
    return pd.DataFrame({"age": age, "job": rng.choice(["a", "b"], rows), "sex": sex, "paid": paid} | columns)


def read_people(folder, frame, **changes):
    frame.to_csv(folder / "people.csv", index=False)
    paths = str(folder / "table.parquet"), str(folder / "contents.json")
    read({"all": str(folder / "people.csv")}, *paths, name="adult", recipe=recipe(**changes), given=[])
    return read_table(paths[0]), read_json(paths[1])


def test_numbers_are_kept_with_their_unit_range_and_mean_by_group(tmp_path):
    frame = people()
    table, contents = read_people(tmp_path, frame)
    assert table.label.tolist() == frame["paid"].tolist() and table.classes == ()
    numbers = contents["numbers"]
    assert (numbers["unit"], numbers["lowest"], numbers["highest"]) == ("EUR", frame["paid"].min(), frame["paid"].max())
    assert (numbers["mean"], numbers["sd"]) == pytest.approx((frame["paid"].mean(), frame["paid"].std(ddof=0)))
    means = {group["group"]: group["mean"] for group in contents["groups"]["sex"]}
    assert means == pytest.approx(frame.groupby("sex")["paid"].mean().to_dict())
    assert contents["label"] == {} and not contents["identifying"]


BAD = {
    "missing": ({"paid": [np.nan, *range(59)]}, "1 labels are missing (first in data row 1"),
    "no number": ({"paid": ["much", *range(59)]}, "'much' in data row 1 of file 'all' is not a number"),
    "one value": ({"paid": [7] * 60}, "all 60 labels are 7; a study needs labels that differ"),
}


@pytest.mark.parametrize("kind", BAD)
def test_labels_that_cannot_be_learned_are_refused_with_their_place(kind, tmp_path):
    columns, sentence = BAD[kind]
    with pytest.raises(InputError) as caught:
        read_people(tmp_path, people(**columns))
    assert sentence in str(caught.value) and "target: column 'paid'" in str(caught.value)


def test_repeated_rows_with_other_numbers_stay(tmp_path):
    frame = people()
    again = frame.iloc[[0, 1]].assign(paid=[frame["paid"].iloc[0], 1.0])
    table, contents = read_people(tmp_path, pd.concat([frame, again]), repeated="remove")
    assert contents["removed"] == {"repeated": 1} and len(table) == 61


def test_a_column_that_alone_gives_the_number_is_named_on_the_card(tmp_path):
    frame = people(rows=400)
    described = recipe(split={"test": 0.2, "validation": 0.1})
    described["inputs"]["numeric"].append("net")
    frame["net"] = frame["paid"] * 0.7 + 3
    frame.to_csv(tmp_path / "people.csv", index=False)
    paths = [str(tmp_path / name) for name in ("table.parquet", "contents.json", "card.json")]
    read({"all": str(tmp_path / "people.csv")}, *paths[:2], name="adult", recipe=described, given=[])
    write_card(paths[1], paths[0], paths[2], name="adult", recipe=described)
    (warning,) = [text for text in read_json(paths[2])["warnings"] if "alone predicts" in text]
    assert warning.startswith("net: this input alone predicts the label, with R2 0.99")


def test_rows_are_divided_by_tenths_of_the_numbers():
    table = tabular(1_000)
    label = np.random.default_rng(0).lognormal(size=1_000)
    table = type(table)(**{**table.__dict__, "label": label, "classes": ()})
    part = parts(table, name="d", recipe={"test": 0.2, "validation": 0.25}, seed=0)
    assert np.bincount(part).tolist() == [600, 200, 200]
    tenth = np.searchsorted(np.quantile(label, np.arange(1, 10) / 10), label)
    assert np.bincount(tenth[part == 2]).tolist() == [20] * 10
    few = table.take(np.arange(12))
    assert np.bincount(parts(few, name="d", recipe={"test": 0.25, "validation": 0.3}, seed=0)).tolist() == [6, 3, 3]
