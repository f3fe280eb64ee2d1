"""Thresholds by group are stored inside the file, and decide as Fairlearn does."""

import numpy as np
import pytest
from fairlearn.postprocessing import ThresholdOptimizer
from tables import tabular
from trained_study import Study

from fairweight.compression.adjust import adjust
from fairweight.compression.adjustments.threshold_optimizer import _Scores, fit
from fairweight.core.artifacts import read_json, read_predictions
from fairweight.core.errors import InputError
from fairweight.inference.predict import predict
from fairweight.inference.thresholds import Thresholds

RECIPE = {
    "method": "threshold_optimizer",
    "attribute": "sex",
    "constraint": "demographic_parity",
    "objective": "accuracy_score",
}


def scored(seed=0, rows=3000):
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(2, size=rows), rng.integers(2, size=rows)
    scores = np.clip(0.35 * labels + 0.2 * groups + rng.normal(0.2, 0.15, rows), 0, 1)
    return scores, labels, groups


@pytest.mark.parametrize("constraint", ["demographic_parity", "equalized_odds", "true_positive_rate_parity"])
def test_members_and_weights_are_fairlearns_mixture(constraint):
    scores, labels, groups = scored()
    mixtures = fit(scores, labels, groups, attribute="g", constraint=constraint, objective="accuracy_score")
    optimizer = ThresholdOptimizer(
        estimator=_Scores().fit(scores[:, None], labels),
        constraints=constraint,
        prefit=True,
        predict_method="predict_proba",
    ).fit(scores[:, None], labels, sensitive_features=groups)
    expected = optimizer._pmf_predict(scores[:, None], sensitive_features=groups)[:, 1]
    chance = np.zeros(len(scores))
    for code, members in mixtures.items():
        for m in members:
            hit = scores > m["above"] if "above" in m else scores < m["below"]
            chance += m["weight"] * hit * (groups == code)
    assert chance == pytest.approx(expected, abs=1e-9)


def test_single_precision_decides_as_double_precision_does():
    """Engines return float32 scores, which Fairlearn's hull does not accept under pandas 3."""
    scores, labels, groups = scored()
    single = scores.astype(np.float32)
    how = {"attribute": "g", "constraint": "equalized_odds", "objective": "accuracy_score"}
    assert fit(single, labels, groups, **how) == fit(single.astype(np.float64), labels, groups, **how)


@pytest.fixture
def study(tmp_path):
    table = tabular(2000)
    table.label[:] = np.where(
        (table.groups["sex"] == 1) & (np.random.default_rng(0).random(2000) < 0.4), 1, table.label
    )
    made = Study(tmp_path, table)
    made.train(epochs=6)
    made.export()
    return made


def adjusted(study, recipe=RECIPE, name="fair"):
    paths = {"destination": study.path(f"{name}.onnx"), "report": study.path(f"{name}.json")}
    adjust(
        parent=study.path("dense.onnx"),
        table=study.data["table"],
        split=study.data["split"],
        recipe=recipe,
        variant=name,
        seed=0,
        **paths,
    )
    return paths["destination"]


def predictions(study, model, name):
    predict(
        model=model,
        table=study.data["table"],
        split=study.data["split"],
        destination=study.path(f"{name}.predictions"),
        checks=study.path(f"{name}.checks"),
        engine="onnxruntime",
        batch_size=64,
        threads=1,
    )
    return read_predictions(study.path(f"{name}.predictions"))[0]


def test_the_file_decides_more_evenly_with_the_same_scores(study):
    plain, fair = predictions(study, study.path("dense.onnx"), "dense"), predictions(study, adjusted(study), "fair")
    assert np.array_equal(plain["score"], fair["score"])
    sex = study.table.groups["sex"][fair["row"]]
    validation = fair["part"] == 1
    gaps = [abs(np.subtract(*(p["prediction"][validation & (sex == g)].mean() for g in (0, 1)))) for p in (plain, fair)]
    assert gaps[1] < 0.5 * gaps[0]
    again = predictions(study, adjusted(study, name="fair"), "again")
    assert np.array_equal(fair["prediction"], again["prediction"])


def test_a_row_is_decided_alike_whatever_stands_beside_it(study):
    path = adjusted(study)
    rng = np.random.default_rng(1)
    scores, rows = rng.random(50), np.arange(100, 150)
    groups = {"sex": np.arange(50) % 2}
    levels = {"sex": ("f", "m")}
    whole = Thresholds.read(path).decisions(scores, rows, groups, levels)
    half = Thresholds.read(path).decisions(scores[25:], rows[25:], {"sex": groups["sex"][25:]}, levels)
    assert np.array_equal(whole[25:], half)
    in_blocks = Thresholds.read(path)
    blocks = [slice(0, 1), slice(1, 30), slice(30, 50)]
    parts = [in_blocks.decisions(scores[b], rows[b], {"sex": groups["sex"][b]}, levels) for b in blocks]
    assert np.array_equal(np.concatenate(parts), whole)
    assert Thresholds.read(study.path("dense.onnx")) is None


def test_rows_of_no_group_are_decided_at_one_half(study):
    path = adjusted(study)
    unknown = {"sex": np.array([-1, -1])}
    thresholds = Thresholds.read(path)
    assert thresholds.decisions(np.array([0.4, 0.6]), np.array([1, 2]), unknown, {"sex": ("f", "m")}).tolist() == [0, 1]


def test_what_ships_is_written_down(study):
    adjusted(study)
    about = read_json(study.path("fair.json"))
    assert about["attribute"] == "sex" and set(about["groups"]) == {"f", "m"}


def test_more_than_two_classes_are_refused(tmp_path):
    study = Study(tmp_path, tabular(600, classes=3))
    study.train(epochs=1)
    study.export()
    with pytest.raises(InputError, match="variants: fair: adjust: takes a binary label, not 3 classes"):
        adjusted(study)
