"""McNemar's exact test is SciPy's binomial test of the rows that only one of two models predicts right."""

import pytest
from scipy.stats import binomtest

from fairweight.statistics.significance import mcnemar


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 5), (2, 11), (4, 12), (30, 30), (300, 420)])
def test_counts(gained, lost):
    expected = binomtest(gained, gained + lost, alternative="less").pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected)


def test_means_over_models_are_rounded_towards_no_difference():
    assert mcnemar(2.1, 11.9) == mcnemar(3, 11) > mcnemar(2, 12)
