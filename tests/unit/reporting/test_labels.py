"""Numbers beside coinciding points do not overlap and stay inside the frame; a line leads to a number that is far."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from fairweight.reporting.report.labels import HALF, MARKER, number_points, spread

FRAME = [(0.0, 0.0), (300.0, 200.0)]


@pytest.mark.parametrize(
    "places",
    [
        [(150.0, 100.0)] * 9,  # as dense and masked models, whose files have the same bytes
        [(299.0, 199.0)] * 4,  # in a corner
        [(20.0 + 3 * i, 100.0) for i in range(20)],
        [tuple(p) for p in np.random.default_rng(0).uniform(20, 180, (25, 2))],
    ],
)
def test_no_number_covers_another_or_a_point(places):
    offsets = spread(places, [2] * len(places), FRAME)
    at = [(x + dx, y + dy) for (x, y), (dx, dy) in zip(places, offsets, strict=True)]
    for (x, y), (other_x, other_y) in itertools.combinations(at, 2):
        assert abs(x - other_x) >= 4 * HALF[0] or abs(y - other_y) >= 2 * HALF[1]
    for (x, y), (point_x, point_y) in itertools.product(at, places):
        assert abs(x - point_x) >= 2 * HALF[0] + MARKER - 0.01 or abs(y - point_y) >= HALF[1] + MARKER - 0.01
    assert all(0 < x < 300 and 0 < y < 200 for x, y in at)


def test_numbers_are_written_beside_points_with_lines_to_those_far_away():
    figure = Figure(figsize=(4, 3), layout="constrained")
    axis = figure.subplots()
    axis.plot([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10], [1] * 10 + [2], "o")
    axis.set_xscale("log")
    number_points(figure, {axis: [(str(i + 1), 1.0 if i < 10 else 10.0, 1.0 if i < 10 else 2.0) for i in range(11)]})
    assert [t.get_text() for t in axis.texts] == [str(i + 1) for i in range(11)]
    assert axis.texts[0].arrow_patch is None and axis.texts[10].arrow_patch is None
    assert axis.texts[9].arrow_patch is not None
