"""Predictions of classes that a dataset does not have: wrong for every row, in every step after the import."""

import dataclasses

import numpy as np
import pytest
from imported_files import FLOAT, bring, linear, table, value
from onnx import helper
from trained_study import RECIPE

from fairweight.compression.distill import distill, file_loss
from fairweight.core.artifacts import read_frame, read_predictions, write_augmented
from fairweight.core.table import Augmented
from fairweight.evaluation.assess import assess
from fairweight.evaluation.compare import compare
from fairweight.inference.predict import predict
from fairweight.training.training_data import TrainingData


def four_classes():
    """Above 0 of the first number it is class 3, below class 0; classes 1 and 2 are never the largest."""
    proto = linear(classes=3)
    weights = [0.0, 0.0, 0.0, 4.0, 0, 0, 0, 0]
    proto.graph.initializer[0].CopyFrom(helper.make_tensor("W", FLOAT, [2, 4], weights))
    proto.graph.initializer[1].CopyFrom(helper.make_tensor("b", FLOAT, [4], [0.01, 0, 0, 0]))
    proto.graph.output[0].CopyFrom(value("probabilities", "n", 4))
    return proto


@pytest.fixture
def files(tmp_path):
    rows = table(rows=400, classes=4)
    rows = rows.take(np.flatnonzero(rows.label < 3))
    random = np.random.default_rng(0)
    rows = dataclasses.replace(
        rows,
        row=np.arange(len(rows)),
        classes=("0", "1", "2"),
        groups={"sex": random.integers(2, size=len(rows))},
        group_levels={"sex": ("f", "m")},
    )
    bring(tmp_path, rows, four_classes(), classes=[0, 1, 2, 3])
    for name in ("predictions", "again"):
        predict(
            model=str(tmp_path / "model.onnx"),
            table=str(tmp_path / "table.parquet"),
            split=str(tmp_path / "split.parquet"),
            destination=str(tmp_path / f"{name}.parquet"),
            checks=str(tmp_path / "checks.json"),
            engine="onnxruntime",
            batch_size=64,
            threads=1,
        )
    return tmp_path, rows


def right(rows):
    return np.where(rows.numeric[:, 0] > 0.0025, 3, 0) == rows.label


def test_predictions_and_metrics(files):
    folder, rows = files
    columns = read_predictions(folder / "predictions.parquet")[0]
    assert columns["probabilities"].shape[1] == 3
    predicted = rows.take(columns["row"])
    assert np.array_equal(columns["prediction"], np.where(predicted.numeric[:, 0] > 0.0025, 3, 0))
    assess(
        predictions=str(folder / "predictions.parquet"),
        baseline=None,
        table=str(folder / "table.parquet"),
        destination=str(folder / "assessment.parquet"),
        families=("agreement", "calibration", "fairness", "quality", "roc"),
        smallest_group=1,
        intersections=False,
    )
    rows_ = read_frame(folder / "assessment.parquet")
    test = rows_[(rows_["part"] == "test") & rows_["attribute"].isna()].set_index("metric")["value"]
    tested = rows.take(np.arange(2, len(rows), 3))
    assert test["accuracy"] == pytest.approx(right(tested).mean())
    recalls = [right(tested)[tested.label == code].mean() for code in range(3)]
    assert test["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    # F1 of class 0: its hits, labels and predictions; the other two have no predictions of their own
    hits, labels = right(tested).sum(), (tested.label == 0).sum()
    chosen = (tested.numeric[:, 0] <= 0.0025).sum()
    assert test["f1"] == pytest.approx(2 * hits / (labels + chosen) / 3)
    assert 0 <= test["calibration_error"] <= 1
    groups = rows_[(rows_["part"] == "test") & (rows_["group"] == "f") & (rows_["metric"] == "accuracy")]
    member = tested.groups["sex"] == 0
    assert groups.iloc[0]["value"] == pytest.approx(right(tested)[member].mean())


def test_comparisons(files):
    folder, rows = files
    about = [{"seed": 0, "augmentation": "none", "variant": name} for name in ("original", "small")]
    written = ("comparisons", "pairs", "replicates", "models")
    compare(
        predictions=[str(folder / "predictions.parquet"), str(folder / "again.parquet")],
        about=about,
        table=str(folder / "table.parquet"),
        augmentation="none",
        baselines={"small": ("none", "original")},
        smallest_group=1,
        intersections=False,
        **{name: str(folder / f"{name}.parquet") for name in written},
    )
    compared = read_frame(folder / "comparisons.parquet")
    accuracy = compared[(compared["metric"] == "accuracy") & compared["attribute"].isna()].iloc[0]
    tested = rows.take(np.arange(2, len(rows), 3))
    assert accuracy["value"] == 0
    assert accuracy["baseline_value"] == pytest.approx(right(tested).mean())
    models = read_frame(folder / "models.parquet").set_index("variant")
    assert models["predicted"].tolist() == ['["0", "another class (3)"]'] * 2
    assert models["hits"].tolist() == [right(tested).sum()] * 2 and models["same"].tolist() == [None, True]


def test_a_student_learns_the_classes_of_the_dataset(files):
    folder, rows = files
    training = rows.take(np.arange(0, len(rows), 3))
    write_augmented(folder / "augmented.parquet", [(Augmented.nothing(training), training.row)], training)
    data = {name: str(folder / f"{name}.parquet") for name in ("table", "split", "augmented")}
    recipe = {"method": "soft_labels", "temperature": 1.0, "teacher_share": 1.0, "finetune": {}}
    loss = file_loss(str(folder / "model.onnx"), TrainingData.read(*data.values()), recipe)
    import torch

    logits = torch.zeros(len(training), 3)
    mixed = loss(logits, logits, torch.tensor(0.0), torch.arange(len(training)))
    x = training.numeric[:, 0].astype(float)
    scores = np.stack([np.full(len(x), 0.01), np.zeros(len(x)), np.zeros(len(x))], axis=1)  # of the classes 0 to 2
    teacher = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    divergence = (teacher * (np.log(teacher) - np.log(1 / 3))).sum(axis=1).mean()
    assert float(mixed) == pytest.approx(divergence, abs=1e-5)
    distill(
        parent=str(folder / "model.onnx"),
        parent_about=None,
        **data,
        model=str(folder / "s.st"),
        about=str(folder / "s.json"),
        curve=str(folder / "s.parquet"),
        recipe=recipe | {"student": {"architecture": "mlp", "hidden": [4]}},
        finetune=RECIPE,
        seed=0,
        variant="student",
    )
    assert (folder / "s.st").is_file()
