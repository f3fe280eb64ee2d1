"""Shapley values by sampling, against exact ones by all coalitions, and a model whose values are known."""

import itertools
from math import factorial

import numpy as np
import pytest

from fairweight.core.artifacts import INPUT
from fairweight.core.table import Table
from fairweight.inference import shapley
from fairweight.inference.explain import Mixed, explained


def model(x):
    return 2 * x[:, 0] - x[:, 1] * x[:, 2] + np.maximum(x[:, 3], 0)


def value_of(rows, background):
    return lambda present, drawn: model(np.where(present, rows, background[drawn]))


def exact(row, background):
    """Shapley values of one row against the mean over background rows, by all coalitions."""
    inputs = len(row)
    values = np.zeros(inputs)
    for size in range(inputs):
        weight = factorial(size) * factorial(inputs - size - 1) / factorial(inputs)
        for player in range(inputs):
            for coalition in itertools.combinations([i for i in range(inputs) if i != player], size):
                present = np.isin(np.arange(inputs), coalition)
                without = model(np.where(present, row, background)).mean()
                present[player] = True
                values[player] += weight * (model(np.where(present, row, background)).mean() - without)
    return values


def test_sampled_values_are_those_of_all_coalitions():
    rng = np.random.default_rng(0)
    rows, background = rng.normal(size=(5, 4)), rng.normal(size=(20, 4))
    sampled = shapley.sampled(value_of(rows, background), 5, 4, background=20, pairs=4000, rng=rng).mean(axis=0)
    np.testing.assert_allclose(sampled, [exact(row, background) for row in rows], atol=0.08)


def test_values_of_a_linear_model_are_exact_with_one_pair_up_to_the_background():
    rng = np.random.default_rng(1)
    rows, background = rng.normal(size=(6, 3)), np.zeros((1, 3))
    weights = np.array([1.0, -2.0, 0.5])
    value = lambda present, drawn: np.where(present, rows, background[drawn]) @ weights  # noqa: E731
    sampled = shapley.sampled(value, 6, 3, background=1, pairs=1, rng=rng)[0]
    np.testing.assert_allclose(sampled, rows * weights, atol=1e-12)


def test_deletion_falls_fastest_in_the_order_of_importance():
    rows, weights = np.ones((1, 3)), np.array([3.0, 1.0, 2.0])
    value = lambda present, drawn: np.where(present, rows, 0) @ weights  # noqa: E731
    best = shapley.deletion(value, np.array([[0, 2, 1]]), np.zeros(1, int))
    worst = shapley.deletion(value, np.array([[1, 2, 0]]), np.zeros(1, int))
    assert best.item() == pytest.approx((6 / 2 + 3 + 1 + 0) / 3) and worst.item() == pytest.approx((3 + 5 + 3) / 3)


def rows_of(numeric, images=None):
    n = len(numeric)
    return Table(
        row=np.arange(n),
        file=np.array(["t"] * n),
        label=np.zeros(n, np.int64),
        classes=("no", "yes"),
        numeric=numeric.astype(np.float32),
        numeric_names=tuple("abc"[: numeric.shape[1]]),
        categorical=np.empty((n, 0), np.int64),
        levels={},
        images=images,
    )


def test_an_input_that_a_model_does_not_read_has_the_value_0():
    rng = np.random.default_rng(2)
    mixed = Mixed(rows_of(rng.normal(size=(30, 3))), rows_of(rng.normal(size=(40, 3))), 4)
    columns = explained(mixed, lambda t: 1 / (1 + np.exp(-2 * t.numeric[:, 0].astype(float))), "d", 4)
    assert np.abs(columns[f"{INPUT}a"]).mean() > 1 and (columns[f"{INPUT}b"] == 0).all()
    assert columns["deletion"].mean() < columns["random"].mean()
    assert np.nanmedian(columns["reliability"]) > 0.9


def test_patches_of_an_image_are_exchanged_whole():
    images, others = np.ones((2, 1, 4, 6), np.uint8), np.zeros((3, 1, 4, 6), np.uint8)
    mixed = Mixed(rows_of(np.empty((2, 0)), images), rows_of(np.empty((3, 0)), others), 2)
    assert mixed.inputs == ["patch 1, 1", "patch 1, 2", "patch 2, 1", "patch 2, 2"]
    present = np.array([[True, False, False, True], [False, True, True, True]])
    made = mixed.table(present, np.zeros(2, int)).images[:, 0]
    assert made[0, :2, :3].all() and not made[0, :2, 3:].any() and made[0, 2:, 3:].all()
    assert not made[1, :2, :3].any() and made[1, 2:, :3].all()
