"""Mini-batch training of tables larger than memory: blocks in files, with the bytes of training in memory."""

import resource
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tables import pictures, tabular
from trained_study import Study

from fairweight.core.artifacts import write_augmented
from fairweight.core.errors import InputError
from fairweight.core.table import Augmented
from fairweight.training import row_spool, training_data, training_loop
from fairweight.training.input_encoders import TabularEncoder
from fairweight.training.model import Model
from fairweight.training.signature import Signature
from fairweight.training.training_data import EncodedRows, TrainingData


@pytest.fixture
def out_of_memory(monkeypatch):
    """Treat every table as larger than memory."""

    def large():
        monkeypatch.setattr(row_spool, "HELD_BYTES", 0)
        monkeypatch.setattr(row_spool, "MAPPED_ROWS", 50)
        monkeypatch.setattr(training_data, "KEPT_BYTES", 0)
        monkeypatch.setattr(training_data, "PREDICTED_ROWS", 64)

    return large


def augment(study):
    """Make new rows, leave rows out and weigh others, in several parts."""
    rng, training = np.random.default_rng(3), study.training
    parts = []
    for rows in np.array_split(np.arange(len(training)), 3):
        some = training.take(rows)
        source = rng.integers(len(rows), size=17)
        made = some.take(source)
        weights = np.where(np.arange(len(rows)) % 3 == 0, 0, 1.5).astype(np.float32)
        parts.append((Augmented(source, made.numeric, made.categorical, made.images, weights, made.texts), some.row))
    write_augmented(study.data["augmented"], parts, training)


def values(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(("rows", "shuffle"), [(tabular, "rows"), (tabular, "blocks"), (pictures, "rows")])
def test_bytes_are_equal_in_and_out_of_memory(tmp_path, out_of_memory, rows, shuffle):
    study = Study(tmp_path, rows())
    augment(study)
    held, pruned = values(study.train(epochs=2, shuffle=shuffle)), values(study.prune(epochs=1))
    curve = Path(study.path("dense.json")).read_bytes()
    out_of_memory()
    for name in ("table", "augmented"):
        path = study.data[name]
        pq.write_table(pq.read_table(path), path, row_group_size=23)
    assert values(study.train(epochs=2, shuffle=shuffle)) == held
    assert values(study.prune(epochs=1)) == pruned
    assert Path(study.path("dense.json")).read_bytes() == curve


def test_rows_are_those_of_the_table_in_their_order(tmp_path, out_of_memory):
    study = Study(tmp_path, tabular(rows=300))
    augment(study)
    out_of_memory()
    pq.write_table(pq.read_table(study.data["table"]), study.data["table"], row_group_size=31)
    data = TrainingData.read(*(study.data[name] for name in ("table", "split", "augmented")))
    training = study.training
    weights = np.where(
        np.concatenate([np.arange(len(r)) for r in np.array_split(np.arange(len(training)), 3)]) % 3, 1.5, 0
    )
    assert data.row_weights.tolist() == weights.tolist() and len(data.sources) == 51
    model = Model({"signature": data.signature().to_dict(), "architecture": study.architecture})
    data.fit(model.encoder)
    used = training.take(np.flatnonzero(weights))
    encoded, held_out = data.encoded(model, "sex")
    assert torch.equal(encoded.features[: len(used)], model.encode(used)) and encoded.spool and held_out.spool
    assert torch.equal(encoded.at(torch.tensor([5, 2])), model.encode(used)[[5, 2]])
    assert encoded.labels.tolist() == [*used.label, *training.label[data.sources]]
    assert encoded.groups.tolist() == [*used.groups["sex"], *training.groups["sex"][data.sources]]
    assert encoded.weights.tolist() == [1.5] * len(used) + [1] * 51
    assert torch.equal(data.features(model, np.array([9, 0, 4])), model.encode(training.take(np.array([9, 0, 4]))))
    tables, _ = zip(*data.fitted(), strict=True)
    assert torch.equal(torch.cat([model.encode(table) for table in tables]), encoded.features)
    assert [len(table) for table in tables[:2]] == [64, len(used) - 64]


@pytest.mark.parametrize("columns", [1, 2, 20])
def test_statistics_of_blocks_are_those_of_numpy_to_the_bit(columns):
    rng = np.random.default_rng(columns)
    numeric = (1000 * rng.normal(size=(5000, columns))).astype(np.float32)
    numeric[rng.random(numeric.shape) < 0.1] = np.nan
    table = tabular(rows=2)
    names = tuple(f"x{i}" for i in range(columns))
    encoder = TabularEncoder(Signature(names, {}, None, table.classes))
    encoder.fit(lambda: np.array_split(numeric, 7))
    whole = numeric.astype(np.float64)
    assert encoder.mean.tolist() == np.nanmean(whole, axis=0).astype(np.float32).tolist()
    assert encoder.scale.tolist() == np.nanstd(whole, axis=0).astype(np.float32).tolist()


def test_blocks_are_shuffled_in_windows(monkeypatch):
    monkeypatch.setattr(training_loop, "block_rows", lambda _values: 10)
    monkeypatch.setattr(training_loop, "SHUFFLED_BLOCKS", 2)
    nothing = torch.empty(95)
    rows = EncodedRows(torch.empty(95, 3), nothing, nothing, nothing)
    order = training_loop._shuffled(rows, "blocks", torch.Generator().manual_seed(1))
    assert sorted(order.tolist()) == list(range(95))
    windows = [sorted({int(position) // 10 for position in part}) for part in (order[:15], order[-15:])]
    assert all(len(blocks) <= 2 for blocks in windows)
    assert order.tolist() == training_loop._shuffled(rows, "blocks", torch.Generator().manual_seed(1)).tolist()
    assert order.tolist() != training_loop._shuffled(rows, "blocks", torch.Generator().manual_seed(2)).tolist()


def test_a_full_disk_is_one_sentence_and_the_next_run_trains(tmp_path, out_of_memory):
    study = Study(tmp_path, tabular())
    out_of_memory()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"encoded rows cannot be written to .*; free space there, or set TMPDIR"):
            study.train(epochs=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not Path(study.path("dense.st")).exists()
    study.train(epochs=1)
