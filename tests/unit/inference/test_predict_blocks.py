"""Rows by position, and predictions that are written while a file runs: the same for any row groups and blocks."""

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest
from tables import comments, pictures, tabular
from trained_study import Study

from fairweight.core import artifacts, table
from fairweight.core.artifacts import read_labels, read_predictions, read_rows, read_split, read_table, write_table
from fairweight.inference import predicted_rows
from fairweight.inference.predict import predict
from fairweight.inference.predicted_rows import PredictedRows


def equal(first, second):
    """Whether two tables hold the same, in arrays of the same types."""
    for field in dataclasses.fields(first):
        ours, theirs = getattr(first, field.name), getattr(second, field.name)
        pairs = [(ours, theirs)] if not isinstance(ours, dict) else [(ours[key], theirs[key]) for key in ours]
        for a, b in pairs:
            assert getattr(a, "dtype", None) == getattr(b, "dtype", None), field.name
            assert np.array_equal(a, b, equal_nan=False) if isinstance(a, np.ndarray) else a == b, field.name
    return True


@pytest.mark.parametrize("make", [tabular, pictures, comments])
@pytest.mark.parametrize("size", [None, 7])
def test_rows_by_position_are_those_of_the_table(tmp_path, make, size):
    path = tmp_path / "t.parquet"
    write_table(path, make(90))
    if size:
        pq.write_table(pq.read_table(path), path, row_group_size=size)
    whole = read_table(path)
    for positions in ([], [4], [3, 4, 5, 60], [80, 2, 2, 41], range(90)):
        rows = np.array(positions, np.int64)
        assert equal(read_rows(path, rows), whole.take(rows))
        labels = read_labels(path, rows)
        assert np.array_equal(labels.label, whole.label[rows]) and labels.label.dtype == np.int8
        assert np.array_equal(np.array(labels.files, object)[labels.file], whole.file[rows])
        assert all(np.array_equal(labels.groups[name], codes[rows]) for name, codes in whole.groups.items())
    some = read_rows(path, np.array([8, 1]), inputs=False)
    assert np.array_equal(some.row, whole.row[[8, 1]]) and not some.numeric_names and some.images is None


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = Study(tmp_path_factory.mktemp("study"), tabular(500))
    made.train(epochs=1)
    made.export("dense")
    return made


def predicted(study, name, batch_size):
    paths = {kind: study.path(f"{name}.{kind}") for kind in ("predictions", "checks")}
    predict(
        model=study.path("dense.onnx"),
        table=study.data["table"],
        split=study.data["split"],
        destination=paths["predictions"],
        checks=paths["checks"],
        engine="onnxruntime",
        batch_size=batch_size,
        threads=1,
    )
    return paths["predictions"]


@pytest.mark.parametrize("batch_size", [1, 32])
def test_predictions_are_the_same_bytes_for_any_blocks(study, monkeypatch, batch_size):
    monkeypatch.setattr(artifacts, "BLOCK_ROWS", 64)
    whole = predicted(study, "whole", batch_size)
    assert pq.read_metadata(whole).num_row_groups == 3  # of 180 rows
    for fewest, size in ((10, 13), (40, 64), (1024, 50)):
        monkeypatch.setattr(predicted_rows, "FEWEST_ROWS", fewest)
        monkeypatch.setattr(table, "BLOCK_ROWS", size)
        blocks = predicted(study, "blocks", batch_size)
        with open(whole, "rb") as first, open(blocks, "rb") as second:
            assert first.read() == second.read()


def test_blocks_hold_whole_batches_and_every_row_once(study, monkeypatch):
    monkeypatch.setattr(predicted_rows, "FEWEST_ROWS", 1)
    monkeypatch.setattr(table, "BLOCK_ROWS", 30)
    blocks = list(PredictedRows(study.data["table"], study.data["split"]).blocks(batch_size=16))
    assert [len(rows) for rows, _ in blocks] == [32] * 5 + [20]
    positions, every = read_split(study.data["split"]), np.concatenate([rows.row for rows, _ in blocks])
    assert np.array_equal(every, np.sort(np.concatenate([positions["validation"], positions["test"]])))
    part = np.concatenate([part for _, part in blocks])
    assert np.array_equal(every[part == 2], positions["test"])
    assert np.array_equal(read_predictions(predicted(study, "p", 16))[0]["part"], part)
