"""The training recipe that `init` writes learns what a logistic regression learns, from few rows as well."""

import numpy as np
import pytest
from credit_rows import accuracies, credit

from fairweight.cli.study_text import FEWEST_STEPS, learning_recipe

UNSEEN = 4_000


@pytest.mark.parametrize("rows", [300, 1_000])
def test_a_few_rows_are_learned_as_well_as_a_logistic_regression_does(rows, tmp_path):
    """With ten epochs of batches of 128, the accuracy was that of the larger class."""
    tables = [(credit(rows + UNSEEN, seed), seed) for seed in range(5)]
    ours, linear, larger = np.mean([accuracies(tmp_path, table, rows, seed) for table, seed in tables], axis=0)
    assert ours > linear - 0.015 and ours > larger + 0.02


@pytest.mark.parametrize("rows", [30, 300, 1_000, 5_000, 50_000, 1_000_000])
def test_there_are_enough_steps_whatever_the_number_of_rows(rows):
    recipe = learning_recipe(rows)
    steps = recipe["epochs"] * -(-int(0.7 * rows) // recipe["batch_size"])
    assert FEWEST_STEPS <= steps <= 10_000 and recipe["epochs"] >= 5
