"""Models of labels that are numbers: from training to the file that ships, in the unit of the label."""

import json

import numpy as np
import pytest
import torch
from tables import tabular
from trained_study import RECIPE, Study, run

from fairweight.compression.distill import distill
from fairweight.core import components
from fairweight.core.artifacts import read_frame, read_table
from fairweight.inference.onnx_file import read_signature
from fairweight.training.model import Model


def prices(rows=600):
    """Rows whose label is a number of thousands that can be predicted from the inputs."""
    table = tabular(rows)
    noise = np.random.default_rng(1).normal(size=rows)
    label = 200_000 + 30_000 * table.numeric[:, 0] + 10_000 * (table.categorical[:, 0] == 1) + 5_000 * noise
    return type(table)(**{**table.__dict__, "label": label.astype(np.float64), "classes": (), "unit": "EUR"})


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = Study(tmp_path_factory.mktemp("regression"), prices())
    made.train(epochs=30, task="regression")
    made.export()
    return made


def errors(study, name):
    """Mean absolute error on the validation and test rows, in standard deviations of the label."""
    rows = study.table
    return np.abs(run(study.path(name), rows)[:, 0] - rows.label).mean() / rows.label.std()


def test_the_file_that_ships_predicts_in_the_unit_of_the_label(study):
    assert errors(study, "dense.onnx") < 0.35
    label = read_signature(study.path("dense.onnx")).label
    assert label["unit"] == "EUR" and label["mean"] == pytest.approx(study.training.label.mean())
    model = Model.load(study.path("dense.st"), study.path("dense.json"))
    standardised = model.body(model.encode(study.table)).detach().numpy()[:, 0]
    shipped = run(study.path("dense.onnx"), study.table)[:, 0]
    assert shipped == pytest.approx(standardised * label["scale"] + label["mean"], rel=1e-4)


def test_the_best_epoch_is_that_of_the_lowest_validation_loss_and_there_is_no_accuracy(study):
    curve = read_frame(study.path("dense.parquet"))
    assert curve["validation_accuracy"].isna().all()
    assert curve.loc[curve["best"], "validation_loss"].item() == curve["validation_loss"].min()


def test_compressed_files_keep_the_unit(study):
    study.prune(sparsity=0.5)
    study.export("pruned")
    _, report = study.quantize(method="dynamic", per_channel=False, reduce_range=False)
    distill(
        parent=study.path("dense.st"),
        parent_about=study.path("dense.json"),
        **study.data,
        model=study.path("small.st"),
        about=study.path("small.json"),
        curve=study.path("small.parquet"),
        recipe={"method": "matched_outputs", "teacher_share": 0.7, "student": {"architecture": "mlp", "hidden": [8]}},
        finetune=RECIPE | {"epochs": 40},
        seed=0,
        variant="small",
    )
    study.export("small")
    assert all(errors(study, f"{name}.onnx") < 0.5 for name in ("pruned", "int8", "small"))
    assert report["integer_operators"] == 3 and report["output_change"] < 0.1
    assert read_signature(study.path("int8.onnx")).label == read_signature(study.path("dense.onnx")).label


@pytest.mark.parametrize(("quantile", "share"), [(0.2, 0.2), (0.8, 0.8)])
def test_the_quantile_loss_has_its_minimum_at_the_quantile(quantile, share):
    labels = torch.from_numpy(np.random.default_rng(0).normal(size=2_000).astype(np.float32))
    ones, groups = torch.ones(2_000), torch.zeros(2_000, dtype=torch.long)
    loss = components.load("objectives", "quantile")(labels, groups, ones, quantile=quantile)
    values = torch.linspace(-2, 2, 401)
    losses = [float(loss(value.expand(2_000, 1), labels, ones, groups)) for value in values]
    assert float((labels <= values[int(np.argmin(losses))]).float().mean()) == pytest.approx(share, abs=0.02)


def test_squared_and_absolute_error_are_weighted_means():
    labels, weights = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 3.0])
    outputs, groups = torch.tensor([[1.0], [0.0]]), torch.zeros(2, dtype=torch.long)
    for name, value in (("standard", (1 + 3 * 4) / 4), ("absolute_error", (1 + 3 * 2) / 4)):
        loss = components.load("objectives", name)(labels, groups, weights)
        assert float(loss(outputs, labels, weights, groups)) == pytest.approx(value)


def test_a_table_of_numbers_is_read_as_it_was_written(study):
    again = read_table(study.data["table"])
    assert again.measured and again.unit == "EUR" and np.array_equal(again.label, study.table.label)


def test_signatures_of_classes_have_no_scale(tmp_path):
    classes = Study(tmp_path, tabular(120))
    classes.train(epochs=1)
    with open(classes.path("dense.json")) as file:
        assert "label" not in json.load(file)["signature"]
