"""No row in two parts; test rows that no seed changes; every class in every part."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split
from tables import tabular

from fairweight.core.artifacts import read_split, write_split
from fairweight.core.errors import InputError
from fairweight.data.split import TEST, TRAIN, VALIDATION, _stratified, parts

DRAWN = {"test": 0.2, "validation": 0.25}


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), other=st.integers(0, 1000), classes=st.integers(2, 5))
def test_seeds_vary_validation_and_never_test(seed, other, classes):
    table = tabular(300, classes=classes)
    first, second = (parts(table, name="d", recipe=DRAWN, seed=s) for s in (seed, other))
    assert np.array_equal(first == TEST, second == TEST)
    assert seed == other or not np.array_equal(first == VALIDATION, second == VALIDATION)
    assert (first == TEST).sum() == 60 and (first == VALIDATION).sum() == 60 and (first == TRAIN).sum() == 180
    for part in (TRAIN, VALIDATION, TEST):  # stratified: within a row or two of proportional
        share = np.bincount(table.label[first == part], minlength=classes) / (first == part).sum()
        assert np.abs(share - np.bincount(table.label) / 300).max() < 0.03


def test_every_row_is_in_one_part_of_the_file(tmp_path):
    table = tabular()
    write_split(tmp_path / "s.parquet", table.row, parts(table, name="d", recipe=DRAWN, seed=1))
    positions = np.concatenate(list(read_split(tmp_path / "s.parquet").values()))
    assert sorted(positions) == list(range(len(table)))


def test_datasets_of_other_names_draw_other_test_rows():
    table = tabular()
    first, second = (parts(table, name=n, recipe=DRAWN, seed=0) for n in ("d", "e"))
    assert not np.array_equal(first == TEST, second == TEST)


def test_official_rows_are_the_test_rows_and_all_means_all():
    table = tabular()
    official = parts(table, name="d", recipe={"test": "official", "validation": 0.1}, seed=0)
    assert np.array_equal(official == TEST, table.file == "test")
    assert (parts(table, name="d", recipe={"test": "all", "validation": 0.1}, seed=0) == TEST).all()


def test_a_class_that_is_missing_from_a_part_is_reported():
    table = tabular()
    lonely = table.take(np.flatnonzero((table.label == 0) | (table.file == "test")))
    with pytest.raises(InputError, match="'class 1' has no train row"):
        parts(lonely, name="d", recipe={"test": "official", "validation": 0.1}, seed=0)
    few = table.take(np.concatenate([np.flatnonzero(table.label == 0), np.flatnonzero(table.label == 1)[:1]]))
    with pytest.raises(InputError, match="stratified share"):
        parts(few, name="d", recipe=DRAWN, seed=0)


def test_test_rows_are_those_of_the_named_files():
    table = tabular()
    object.__setattr__(table, "file", np.where(np.arange(len(table)) % 3 == 0, "later", "earlier").astype(object))
    recipe = {"test": ["later"], "validation": 0.25}
    part = parts(table, name="d", recipe=recipe, seed=0)
    np.testing.assert_array_equal(part == TEST, table.file == "later")
    assert (part == TRAIN).any() and (part == VALIDATION).any()
    for names, sentence in ((["latest"], "no row comes from"), (["later", "earlier"], "no training rows are left")):
        with pytest.raises(InputError, match=sentence):
            parts(table, name="d", recipe=recipe | {"test": names}, seed=0)


@pytest.mark.parametrize("share", [0.1, 0.37])
@pytest.mark.parametrize("counts", [(50, 50), (31, 2, 7, 400), (2, 2, 2, 2, 2, 2, 2, 2)])
def test_drawn_rows_are_those_of_scikit_learn(counts, share):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int8)
    rows = np.arange(len(labels)) * 3
    for seed in (0, 1, 2**32 - 1):
        try:
            _, expected = train_test_split(rows, test_size=share, stratify=labels, random_state=seed)
        except ValueError as error:
            with pytest.raises(ValueError, match=re.escape(str(error))):
                _stratified(labels, rows, share, seed)
        else:
            assert np.array_equal(_stratified(labels, rows, share, seed), np.sort(expected))
