"""An input that alone predicts the label is found; one that is only related to it is not."""

import numpy as np
import pytest

from fairweight.statistics.lone_predictors import ALMOST, lone_accuracy

ROWS = 2_000
RNG = np.random.default_rng(0)
LABEL = (RNG.random(ROWS) < 0.05).astype(int)
NOISE = RNG.normal(size=ROWS)

LEAKS = {
    "a code for each class": LABEL + 5,
    "several codes for each class": LABEL * 5 + RNG.integers(5, size=ROWS),
    "a number above a threshold": np.where(LABEL == 1, 100 + NOISE, NOISE),
    "a number between two": np.where(LABEL == 1, NOISE / 10, np.sign(NOISE) * (5 + np.abs(NOISE))),
    "missing for one class": np.where(LABEL == 1, np.nan, NOISE),
    "wrong in one row of 200": np.where(np.arange(ROWS) % 200 == 7, 1 - LABEL, LABEL),
}
OTHERS = {
    "noise": NOISE,
    "a constant": np.zeros(ROWS),
    "related": NOISE + 2 * LABEL,
    "a different code in every row": np.arange(ROWS),
    "wrong in one row of ten": np.where(np.arange(ROWS) % 10 == 7, 1 - LABEL, LABEL),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_what_predicts_the_label_alone(kind):
    assert lone_accuracy(LEAKS[kind], LABEL) >= ALMOST


@pytest.mark.parametrize("kind", OTHERS)
def test_what_does_not(kind):
    assert (lone_accuracy(OTHERS[kind], LABEL) or 0) < ALMOST


def test_few_rows_say_nothing():
    assert lone_accuracy(np.arange(8) % 2, np.arange(8) % 2) is None
    assert lone_accuracy(np.array([]), np.array([], int)) is None


def test_of_a_constant_half_of_two_classes_is_right():
    assert lone_accuracy(np.zeros(100), np.arange(100) // 50) == 0.5
