"""Agreement of explanations against scipy's Spearman and hand-made rows."""

import numpy as np
import pytest
from scipy import stats

from fairweight.statistics.attribution_agreement import importance, rank_correlation, sign_agreement, top_overlap


def test_rank_correlation_is_scipys():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(20, 7)), np.round(rng.normal(size=(20, 7)), 1)
    expected = [stats.spearmanr(np.abs(a), np.abs(b)).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlation(first, second), expected)
    assert np.isnan(rank_correlation(np.zeros((1, 3)), first[:1, :3])).all()


def test_top_inputs_and_signs_by_hand():
    first = np.array([[5.0, -4.0, 3.0, 0.1, 0.0]])
    second = np.array([[-5.0, -4.0, 0.1, 3.0, 0.0]])
    assert top_overlap(first, second).item() == pytest.approx(2 / 3)
    assert sign_agreement(first, second).item() == pytest.approx(2 / 3)
    assert top_overlap(first[:, :2], second[:, :2]).item() == 1  # fewer inputs than are compared


def test_importance_is_a_share():
    np.testing.assert_allclose(importance(np.array([[1.0, -3.0], [3.0, 1.0]])), [0.5, 0.5])
    assert np.isnan(importance(np.zeros((2, 2)))).all()
