"""The simple model is the logistic regression that scikit-learn's own pipeline fits, with bounded rows and inputs."""

import dataclasses

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tables import comments, pictures, tabular

from fairweight.core.artifacts import PARTS, read_predictions, write_split, write_table
from fairweight.evaluation import simple_model as module
from fairweight.evaluation.simple_accuracy import simple_row
from fairweight.evaluation.simple_model import simple_model


def fitted(folder, table, test=0.25):
    """Predictions of the test rows with their description, and the training and test rows."""
    part = np.full(len(table), PARTS.index("train"))
    drawn = np.random.default_rng(0).permutation(len(table))
    part[drawn[: int(test * len(table))]] = PARTS.index("test")
    part[drawn[-len(table) // 10 :]] = PARTS.index("validation") if test < 0.9 else PARTS.index("test")
    write_table(folder / "table.parquet", table)
    write_split(folder / "split.parquet", table.row, part)
    paths = {name: str(folder / f"{name}.parquet") for name in ("table", "split")}
    simple_model(**paths, destination=str(folder / "simple.parquet"))
    columns, about = read_predictions(folder / "simple.parquet")
    return columns, about, *(table.take(np.flatnonzero(part == PARTS.index(name))) for name in ("train", "test"))


@pytest.mark.parametrize("classes", [2, 4])
def test_numbers_and_levels_are_encoded_as_scikit_learn_does(tmp_path, classes):
    table = tabular(rows=1_200, classes=classes)
    columns, about, training, test = fitted(tmp_path, table)
    encoder = ColumnTransformer([("n", StandardScaler(), [0, 1]), ("c", OneHotEncoder(), [2, 3])])
    pipeline = make_pipeline(encoder, LogisticRegression())
    inputs = [np.concatenate([rows.numeric, rows.categorical], axis=1) for rows in (training, test)]
    expected = pipeline.fit(inputs[0], training.label).predict(inputs[1])
    assert (columns["prediction"] == expected).mean() > 0.995
    assert (columns["row"] == test.row).all() and (columns["label"] == test.label).all()
    assert about["fitted_rows"] == about["training_rows"] == len(training) and about["features"] == 2 + 3 + 4


def test_pixels_are_the_inputs_and_large_images_are_averaged(tmp_path, monkeypatch):
    table = pictures(rows=300)
    columns, about, training, test = fitted(tmp_path, table)
    small, tested = (rows.images.reshape(len(rows), -1) / 255 for rows in (training, test))
    expected = LogisticRegression().fit(small, training.label).predict(tested)
    assert (columns["prediction"] == expected).all() and about["features"] == 784
    monkeypatch.setattr(module, "MOST_PIXELS", 200)  # 28 x 28 become 14 x 14
    columns, about, _, test = fitted(tmp_path, table)
    assert about["features"] == 196 and (columns["prediction"] == test.label).mean() > 0.95
    images = np.arange(2 * 6 * 4).reshape(1, 2, 6, 4).astype(np.uint8)
    monkeypatch.setattr(module, "MOST_PIXELS", 12)
    averaged = module._pixels(images)[0] * 255
    assert averaged == pytest.approx(images.reshape(2, 3, 2, 2, 2).mean(axis=(2, 4)).reshape(-1))


def test_words_of_texts_are_the_inputs(tmp_path, monkeypatch):
    table = comments(rows=600)
    columns, _, training, test = fitted(tmp_path, table)
    words = HashingVectorizer(n_features=2**16, alternate_sign=False)
    model = LogisticRegression().fit(words.transform(training.texts), training.label)
    assert (columns["prediction"] == model.predict(words.transform(test.texts))).all()
    assert (columns["prediction"] == test.label).mean() > 0.9
    monkeypatch.setattr(module, "MOST_WEIGHTS", 2_000)  # two classes
    assert fitted(tmp_path, table)[1]["features"] == 1_000


def test_missing_numbers_levels_that_training_rows_lack_and_empty_columns_are_taken(tmp_path):
    table = tabular(rows=800)
    numeric, categorical = np.column_stack([table.numeric, np.full(800, np.nan, np.float32)]), table.categorical.copy()
    numeric[::7, 0], numeric[3, 1], categorical[::11, 1] = np.nan, np.inf, -1
    names, levels = ("x", "age", "empty"), table.levels | {"town": ("k", "l", "m", "n", "nowhere")}
    rows = dataclasses.replace(table, numeric=numeric, numeric_names=names, categorical=categorical, levels=levels)
    columns, about, _, test = fitted(tmp_path, rows)
    assert (columns["prediction"] == test.label).mean() > 0.75 and about["features"] == 3 + 3 + 4


def test_rows_and_levels_are_bounded_and_the_same_in_every_call(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 300)
    monkeypatch.setattr(module, "FEWEST_ROWS", 10)
    table = tabular(rows=2_000)
    first, about, training, _ = fitted(tmp_path, table)
    again = fitted(tmp_path, table)[0]
    assert about["fitted_rows"] == 300 and about["training_rows"] == len(training)
    assert (first["prediction"] == again["prediction"]).all()
    monkeypatch.setattr(module, "MOST_PRODUCTS", 4 * 50)  # four values a row
    assert fitted(tmp_path, table)[1]["fitted_rows"] == 50
    monkeypatch.setattr(module, "MOST_WEIGHTS", 10)  # two classes, two numbers: three levels
    assert fitted(tmp_path, table)[1]["features"] == 2 + 3


def test_row_blocks_make_no_difference(tmp_path, monkeypatch):
    table = tabular(rows=1_000)
    whole = fitted(tmp_path, table)[0]
    monkeypatch.setattr("fairweight.core.table.BLOCK_ROWS", 64)
    blocks = fitted(tmp_path, table)[0]
    assert len(whole["row"]) == 250
    assert all((whole[name] == blocks[name]).all() for name in ("row", "label", "prediction"))


def test_without_training_rows_or_inputs_there_is_no_model_and_the_majority_is_known(tmp_path):
    table = tabular(rows=400)
    columns, about, *_ = fitted(tmp_path, table, test=1.0)
    assert about["reason"] == "the dataset has no training rows" and (columns["prediction"] == -1).all()
    row = simple_row("d", str(tmp_path / "simple.parquet"))
    share = np.bincount(table.label).max() / 400
    assert row["majority_share"] == share and row["accuracy"] is None and row["fitted_rows"] == 0
    scores = {"numeric": np.empty((400, 0), np.float32), "categorical": np.empty((400, 0), np.int64)}
    none = dataclasses.replace(table, **scores, numeric_names=(), levels={})
    assert fitted(tmp_path, none)[1]["reason"] == "the dataset has no inputs"
    empty = dataclasses.replace(none, categorical=np.full((400, 1), -1), levels={"job": ("a", "b")})
    columns, *_ = fitted(tmp_path, empty)
    assert len(np.unique(columns["prediction"])) == 1  # the larger class of the training rows


def test_accuracy_and_majority_of_the_test_rows(tmp_path):
    columns, *_ = fitted(tmp_path, tabular(rows=800, classes=3))
    row = simple_row("d", str(tmp_path / "simple.parquet"))
    hits = (columns["prediction"] == columns["label"]).mean()
    assert row["dataset"] == "d" and row["rows"] == 200 and row["reason"] is None
    assert row["low"] < row["accuracy"] == hits < row["high"]
    assert row["majority_share"] == np.bincount(columns["label"]).max() / 200
    assert row["majority_class"] == f"class {np.bincount(columns['label']).argmax()}"
