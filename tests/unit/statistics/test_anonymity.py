"""k-anonymity, l-diversity and t-closeness of the tables of the papers, by hand."""

import numpy as np
import pytest

from fairweight.statistics.privacy import k_anonymity

# table 2 of Machanavajjhala et al. 2007: 4-anonymous, and the third group has one disease
KINDS = np.repeat([0, 1, 2], 4)
DISEASES = np.array([0, 0, 1, 1, 2, 0, 1, 1, 2, 2, 2, 2])


def test_a_group_with_one_disease_is_named():
    anonymity = k_anonymity(KINDS, DISEASES)
    assert anonymity["k"] == 4 and anonymity["unique"] == 0 and anonymity["distinct_labels"] == 1
    shares = np.bincount(DISEASES) / 12
    assert anonymity["largest_shift"] == pytest.approx(1 - shares[2])


def test_diverse_groups_are_close_to_all_rows():
    anonymity = k_anonymity(np.repeat([5, 9], 4), np.array([0, 1, 0, 1, 1, 0, 1, 0]))
    assert anonymity == {"k": 4, "unique": 0.0, "distinct_labels": 2, "largest_shift": 0.0}


def test_without_labels_there_is_no_diversity():
    assert k_anonymity(np.array([1, 1, 2])) == {"k": 1, "unique": pytest.approx(1 / 3)}
