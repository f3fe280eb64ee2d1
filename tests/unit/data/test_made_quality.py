"""Quality of generated rows: good, copied and shuffled rows are distinguished as their names say."""

import numpy as np
import pytest
from test_generation import people

from fairweight.core.table import Table
from fairweight.data.made_quality import quality


def measured(made):
    rows = quality(made, people(600, seed=2), people(800, seed=1), np.random.default_rng(0))
    return {(row["measure"], row["about"]): (row["value"], row["reference"]) for row in rows}


def test_rows_of_the_same_distribution_are_like_real_ones():
    measures = measured(people(600, seed=3))
    for (measure, _), (value, reference) in measures.items():
        if measure in ("column_distance", "dependence_distance"):
            assert value < 0.12 and value == pytest.approx(reference, abs=0.09), measure
    value, reference = measures["detection_auc", None]
    assert value == pytest.approx(0.5, abs=0.1) and reference == pytest.approx(0.5, abs=0.1)
    value, reference = measures["nearest_distance", None]
    assert value == pytest.approx(reference, rel=0.2)
    value, reference = measures["accuracy_of_made", None]
    assert value == pytest.approx(reference, abs=0.05)


def test_copies_are_found():
    copies = people(800, seed=1).take(np.arange(0, 800, 2))
    measures = measured(copies)
    assert measures["copies", None][0] == 1 and measures["copies", None][1] < 0.02
    assert measures["nearest_distance", None][0] == 0


def test_lost_dependence_is_found():
    """Each column is shuffled alone: distributions stay, what joins them is lost, and so is their use."""
    rows = people(600, seed=3)
    rng = np.random.default_rng(4)
    numeric = np.stack([rng.permutation(column) for column in rows.numeric.T], axis=1)
    job = np.stack([rng.permutation(rows.categorical[:, 0]), rows.categorical[:, 1]], axis=1)
    measures = measured(Table(**(vars(rows) | {"numeric": numeric, "categorical": job})))
    assert measures["dependence_distance", None][0] > 1.5 * measures["dependence_distance", None][1]
    assert measures["detection_auc", None][0] > 0.7
    assert measures["accuracy_of_made", None][0] < measures["accuracy_of_made", None][1] - 0.02


def test_a_group_that_is_filled_up_is_no_difference():
    rows = people(3000, seed=3)
    filled = np.concatenate([np.flatnonzero(rows.groups["town"] == 1), np.arange(200)])
    measures = measured(rows.take(filled))
    assert measures["column_distance", "town"][0] == 0
    assert ("accuracy_with_made", "b (town)") in measures
