"""Students of ONNX files from elsewhere: what they learn from, and which rows cannot be distilled."""

import numpy as np
import pytest
import torch
from imported_files import bring, labels_of, linear, only_labels, run, table
from scipy.special import softmax
from tables import comments
from trained_study import RECIPE

from fairweight.compression.distill import distill, file_loss
from fairweight.core.artifacts import read_split, read_table, write_augmented, write_split, write_table
from fairweight.core.errors import InputError
from fairweight.core.table import Augmented
from fairweight.training.model import Model
from fairweight.training.training_data import TrainingData

METHOD = {"method": "soft_labels", "temperature": 1.0, "teacher_share": 1.0, "finetune": {}}


@pytest.fixture
def data(tmp_path):
    """Files of a study whose parent is an imported linear model with its classes reversed."""

    def make(rows, proto, **options):
        bring(tmp_path, rows, proto, **options)
        training = rows.take(read_split(str(tmp_path / "split.parquet"))["train"])
        write_augmented(tmp_path / "augmented.parquet", [(Augmented.nothing(training), training.row)], training)
        return {name: str(tmp_path / f"{name}.parquet") for name in ("table", "split", "augmented")}, training

    return make


@pytest.mark.parametrize("ending", ["Softmax", None])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_loss_is_the_divergence_from_the_file_in_the_order_of_the_classes(tmp_path, data, ending, classes):
    order = [1, 0] if classes == 2 else [2, 0, 1]
    paths, training = data(table(classes=classes), linear(classes=classes, ending=ending, order=order), classes=order)
    loss = file_loss(str(tmp_path / "model.onnx"), TrainingData.read(*paths.values()), METHOD)
    positions = torch.tensor([5, 0, 17])
    logits = torch.randn(3, classes, generator=torch.Generator().manual_seed(0))
    teacher = run(tmp_path, training)[positions.numpy()].astype(float)
    student = softmax(logits.numpy().astype(float), axis=1)
    divergence = (teacher * (np.log(teacher) - np.log(student))).sum(axis=1).mean()
    assert float(loss(logits, logits, torch.tensor(0.0), positions)) == pytest.approx(divergence, rel=1e-4)


def test_a_probability_of_zero_has_a_finite_loss(tmp_path, data):
    paths, _ = data(table(), only_labels(labels_of(linear())))
    loss = file_loss(str(tmp_path / "model.onnx"), TrainingData.read(*paths.values()), METHOD)
    value = loss(torch.zeros(2, 2), torch.zeros(2, 2), torch.tensor(0.0), torch.tensor([0, 1]))
    assert torch.isfinite(value)


def test_a_student_comes_near_to_the_file(tmp_path, data):
    paths, training = data(table(), linear())
    distill(
        parent=str(tmp_path / "model.onnx"),
        parent_about=None,
        **paths,
        model=str(tmp_path / "student.st"),
        about=str(tmp_path / "student.json"),
        curve=str(tmp_path / "student.parquet"),
        recipe=METHOD | {"student": {"architecture": "mlp", "hidden": [16]}},
        finetune=RECIPE | {"epochs": 60},
        seed=0,
        variant="student",
    )
    student = Model.load(str(tmp_path / "student.st"), str(tmp_path / "student.json"))
    with torch.no_grad():
        predicted = student.body(student.encode(training)).argmax(dim=1).numpy()
    assert (predicted == run(tmp_path, training).argmax(axis=1)).mean() > 0.95


def test_texts_are_refused(tmp_path):
    rows = comments()
    write_table(tmp_path / "table.parquet", rows)
    write_split(tmp_path / "split.parquet", rows.row, np.arange(len(rows)) % 3)
    training = read_table(str(tmp_path / "table.parquet")).take(np.arange(0, len(rows), 3))
    write_augmented(tmp_path / "augmented.parquet", [(Augmented.nothing(training), training.row)], training)
    with pytest.raises(
        InputError, match=r"variants: student: distill: a student of an ONNX file takes numbers, .* not"
    ):
        distill(
            parent="none.onnx",
            parent_about=None,
            **{name: str(tmp_path / f"{name}.parquet") for name in ("table", "split", "augmented")},
            model="",
            about="",
            curve="",
            recipe=METHOD | {"student": {"architecture": "mlp", "hidden": [16]}},
            finetune=RECIPE,
            seed=0,
            variant="student",
        )
