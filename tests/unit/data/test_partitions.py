"""Work in row blocks: the same result on any threads and partitions, few blocks in flight, nothing half-written."""

import dataclasses
import itertools
import threading
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_recipes import READER, dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import pictures, tabular

from fairweight.core import table as tables
from fairweight.core.artifacts import (
    read_augmented,
    read_json,
    read_split,
    read_table,
    write_split,
    write_table,
)
from fairweight.core.checksums import checksum
from fairweight.core.errors import InputError
from fairweight.core.random_streams import copies
from fairweight.data.augment import augment
from fairweight.data.column_statistics import Columns
from fairweight.data.partitions import AHEAD, workers
from fairweight.data.read import read

BLOCK = 64
JITTER = {"method": "jitter", "share": 0.5, "noise": 0.1, "swap": 0.3}
AFFINE = {"method": "affine_noise", "share": 0.5, "shift": 2, "rotate": 10, "scale": 0.1, "noise": 0.02}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(tables, "BLOCK_ROWS", BLOCK)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """A Dask cluster of two processes, reserved for the partitions; Dask's configuration names its certificates."""
    import dask
    from distributed import LocalCluster, Security

    folder, made = tmp_path_factory.mktemp("tls"), Security.temporary()
    (folder / "key.pem").write_text(made.tls_client_key)
    (folder / "cert.pem").write_text(made.tls_client_cert)
    tls = {"distributed.comm.tls.ca-file": str(folder / "cert.pem")}
    for role in ("client", "scheduler", "worker"):
        tls |= {f"distributed.comm.tls.{role}.{part}": str(folder / f"{part}.pem") for part in ("key", "cert")}
    with (
        dask.config.set(tls),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, security=Security(require_encryption=True)
        ) as cluster,
    ):
        yield cluster.scheduler_address


def square(number):
    return number**2


@settings(deadline=None, max_examples=50)
@given(count=st.integers(0, 40), threads=st.integers(1, 4), blocks=st.integers(1, 9))
def test_results_come_in_the_order_of_the_blocks(count, threads, blocks):
    with workers(threads, {"blocks": blocks, "scheduler": None}) as spread:
        assert list(spread.in_order(square, range(count))) == [n**2 for n in range(count)]


@pytest.mark.parametrize(("threads", "blocks"), [(1, 1), (3, 1), (2, 4)])
def test_few_blocks_are_in_flight_and_all_threads_work(threads, blocks):
    taken, names, given_back, most = 0, set(), 0, 0

    def source():
        nonlocal taken, most
        for number in range(60):
            taken += 1
            most = max(most, taken - given_back)
            yield number

    def work(number):
        names.add(threading.current_thread().name)
        time.sleep(0.005)
        return number

    with workers(threads, {"blocks": blocks, "scheduler": None}) as spread:
        for _ in spread.in_order(work, source()):
            given_back += 1
    assert most <= AHEAD * threads * blocks
    assert len(names) == threads and threading.current_thread().name not in names


def write_rows(folder, rows=500, **columns):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, rows).astype(str),
            "job": rng.choice(["b", "a", "?"], rows),
            "paid": rng.choice(["10", "2"], rows),
            "sex": rng.choice(["f", "m", ""], rows),
        }
    )
    frame = frame.assign(**columns)
    frame.iloc[:300].to_csv(folder / "train", index=False)
    frame.iloc[300:].to_csv(folder / "test", index=False)
    return {"train": str(folder / "train"), "test": str(folder / "test")}


RECIPE = dataset(
    reader={"method": "delimited"} | READER,
    groups={
        "sex": {"column": "sex"},
        "age": {"column": "age", "bins": [25, 60]},
        "part": {"file": "test", "ranges": {"first": [0, 10], "last": [50, 199]}},
    },
)


def run_read(folder, files, threads=1, blocks=1, scheduler=None, recipe=RECIPE):
    paths, partitions = (str(folder / "t.parquet"), str(folder / "c.json")), {"blocks": blocks, "scheduler": scheduler}
    read(files, *paths, name="d", recipe=recipe, given=["age"], threads=threads, partitions=partitions)
    return checksum(folder / "t.parquet"), read_json(folder / "c.json")


def as_parquet(folder, files):
    """The same rows as Parquet, with row groups of another size."""
    paths = {name: folder / f"{name}.parquet" for name in files}
    for name, path in files.items():
        pd.read_csv(path, dtype=str, na_values=["?"]).to_parquet(paths[name], row_group_size=77)
    return {name: str(path) for name, path in paths.items()}


def test_read_gives_the_same_table_on_any_threads_and_partitions(tmp_path):
    files = write_rows(tmp_path)
    expected = run_read(tmp_path, files)
    assert pq.read_metadata(tmp_path / "t.parquet").num_row_groups == -(-500 // BLOCK)
    for threads, blocks in ((2, 1), (4, 3), (1, 100)):
        assert run_read(tmp_path, files, threads, blocks) == expected


@pytest.mark.parametrize("form", ["delimited", "parquet"])
def test_read_gives_the_same_rows_in_blocks_of_any_size(tmp_path, monkeypatch, form):
    files = write_rows(tmp_path)
    recipe = RECIPE if form == "delimited" else RECIPE | {"reader": {"method": "parquet", "rows": None}}
    files = files if form == "delimited" else as_parquet(tmp_path, files)
    results = []
    for rows in (1_000, 64, 7, 1):
        monkeypatch.setattr(tables, "BLOCK_ROWS", rows)
        _, contents = run_read(tmp_path, files, recipe=recipe)
        contents.pop("sha256")
        results.append((contents, read_table(tmp_path / "t.parquet")))
    (first_contents, first_table), *others = results
    for contents, table in others:
        assert contents == first_contents
        assert_equal(table, first_table)
    assert first_contents["rows_by_file"] == {"train": 300, "test": 200} and first_contents["classes"] == ["2", "10"]


def assert_equal(left, right):
    for name, value in vars(left).items():
        other = getattr(right, name)
        if isinstance(value, np.ndarray):
            assert value.dtype == other.dtype and np.array_equal(value, other), name
        elif isinstance(value, dict):
            assert list(value) == list(other)
            assert all(np.array_equal(value[key], other[key]) for key in value), name
        else:
            assert value == other, name


def test_a_gap_in_a_column_of_parquet_changes_no_other_value(tmp_path):
    job = pa.array([9007199254740993, 9007199254740992] * 249 + [1, None], pa.int64())  # two ids that one float64 holds
    table = pa.table({"age": [1] * 500, "job": job, "paid": ["a", "b"] * 250})
    pq.write_table(table, tmp_path / "all")
    recipe = RECIPE | {"reader": {"method": "parquet", "rows": None}, "groups": {}}
    run_read(tmp_path, {"all": str(tmp_path / "all")}, recipe=recipe)
    levels = ("(missing)", "1", "9007199254740992", "9007199254740993")
    assert read_table(tmp_path / "t.parquet").levels == {"job": levels}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"age": ["20"] * 430 + ["old"] + ["30"] * 69},
            "column 'age': 'old' in data row 131 of file 'test' is not a number",
        ),
        (
            {"age": ["20"] * 70 + ["", ""] + ["30"] * 428},
            "2 of 500 values are missing (first in data row 71 of file 'train')",
        ),
        ({"paid": ["a", "b"] * 249 + ["", "b"]}, "1 labels are missing (first in data row 199 of file 'test')"),
    ],
)
def test_a_mistake_in_a_late_block_is_reported_with_its_data_row_and_leaves_nothing(tmp_path, columns, message):
    files = write_rows(tmp_path, **columns)
    with pytest.raises(InputError) as caught:
        run_read(tmp_path, files, threads=2)
    assert str(caught.value).startswith("datasets: d: ") and message in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["test", "train"]


def test_an_error_while_blocks_are_written_leaves_nothing(tmp_path):
    def failing():
        yield tabular(300)
        raise InputError("the second portion cannot be made")

    with pytest.raises(InputError, match="second portion"):
        write_table(tmp_path / "t.parquet", failing())
    assert list(tmp_path.iterdir()) == []


def written(folder, table, share=0.7):
    write_table(folder / "table.parquet", table)
    part = (np.random.default_rng(1).random(len(table)) > share).astype(int)
    write_split(folder / "split.parquet", table.row, part)
    return table.take(np.flatnonzero(part == 0))


def run_augment(folder, recipe, threads=1, blocks=1, scheduler=None, seed=0):
    paths = [str(folder / f"{name}.parquet") for name in ("table", "split", "made")]
    partitions = {"blocks": blocks, "scheduler": scheduler}
    augment(*paths, name="a", recipe=recipe, seed=seed, threads=threads, partitions=partitions)
    return checksum(folder / "made.parquet")


@pytest.mark.parametrize(
    ("rows", "recipe"), [(tabular(500), JITTER), (pictures(200), AFFINE), (tabular(500), {"method": "none"})]
)
def test_augment_makes_the_same_rows_on_any_threads_and_partitions(tmp_path, rows, recipe):
    training = written(tmp_path, rows)
    expected = run_augment(tmp_path, recipe)
    for threads, blocks in ((1, 1), (2, 1), (4, 3), (1, 100)):
        assert run_augment(tmp_path, recipe, threads, blocks) == expected
    made = read_augmented(tmp_path / "made.parquet", training)
    assert len(made.source) == pytest.approx(recipe.get("share", 0) * len(training), abs=4)
    assert (run_augment(tmp_path, recipe, seed=1) == expected) == (recipe["method"] == "none")


def test_blocks_have_random_streams_of_their_own(tmp_path):
    twice = dataclasses.replace(tabular(BLOCK).take(np.tile(np.arange(BLOCK), 2)), row=np.arange(2 * BLOCK))
    write_table(tmp_path / "table.parquet", twice)
    write_split(tmp_path / "split.parquet", twice.row, np.zeros(len(twice), int))
    run_augment(tmp_path, JITTER | {"share": 1.0})
    made = read_augmented(tmp_path / "made.parquet", twice).numeric
    assert len(made) == 2 * BLOCK and not np.array_equal(np.sort(made[:BLOCK, 0]), np.sort(made[BLOCK:, 0]))


def test_made_rows_come_from_rows_of_their_own_block_and_categories_from_all(tmp_path):
    training = written(tmp_path, tabular(500))
    run_augment(tmp_path, JITTER | {"share": 20.0, "swap": 1.0, "noise": 0.0})
    made = read_augmented(tmp_path / "made.parquet", training)
    blocks = training.row[made.source] // BLOCK
    assert (np.diff(blocks) >= 0).all() and set(blocks) == set(range(8))
    for column in range(2):
        share = np.bincount(made.categorical[:, column]) / len(made.source)
        assert share == pytest.approx(np.bincount(training.categorical[:, column]) / len(training), abs=0.03)


def test_weights_of_a_method_that_takes_all_rows_survive(tmp_path):
    training = written(tmp_path, tabular(500))
    run_augment(tmp_path, {"method": "balance_groups", "attribute": "sex"})
    weights = read_augmented(tmp_path / "made.parquet", training).row_weights
    totals = np.bincount(training.groups["sex"] * 2 + training.label, weights=weights)
    assert np.ptp(totals) <= 1 and totals.sum() == len(training)


def test_a_users_own_augmentation_still_takes_all_training_rows(tmp_path, monkeypatch):
    (tmp_path / "mirrored.py").write_text(
        "import dataclasses, numpy as np\nfrom fairweight.core.table import Augmented\n\n"
        "def mirror(training, rng, *, sign=-1):\n"
        "    source = np.arange(len(training))[::-1].copy()\n"
        "    made = training.take(source)\n"
        "    nothing = Augmented.nothing(training)\n"
        "    return dataclasses.replace(nothing, source=source, numeric=sign * made.numeric, "
        "categorical=made.categorical)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    training = written(tmp_path, tabular(300))
    run_augment(tmp_path, {"method": "mirrored:mirror"})
    made = read_augmented(tmp_path / "made.parquet", training)
    assert np.array_equal(made.numeric, -training.numeric[::-1])


def test_an_augmentation_that_does_not_fit_gives_one_sentence_and_leaves_nothing(tmp_path):
    written(tmp_path, tabular(300))
    with pytest.raises(InputError, match=r"^augmentations: a: augmentation affine_noise is for images.*jitter\.$"):
        run_augment(tmp_path, AFFINE, threads=2)
    assert not [p for p in tmp_path.iterdir() if "made" in p.name]


@settings(deadline=None, max_examples=40)
@given(sizes=st.lists(st.integers(0, 30), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_statistics_of_blocks_add_up_to_those_of_all_rows(sizes, seed):
    table = tabular(max(1, sum(sizes)), seed)
    table.numeric[:, 0] += 1000
    table.numeric[np.random.default_rng(seed).random(len(table)) < 0.3, 0] = np.nan
    cuts = np.cumsum([0, *sizes])
    blocks = [table.take(np.arange(a, min(b, len(table)))) for a, b in itertools.pairwise(cuts)]
    blocks.append(table.take(np.arange(cuts[-1], len(table))))
    total = Columns.from_rows(blocks[0])
    for block in blocks[1:]:
        total = total + Columns.from_rows(block)
    numbers = [column[~np.isnan(column)] for column in table.numeric.astype(float).T]
    assert total.count.tolist() == [len(column) for column in numbers]
    assert total.spread == pytest.approx([column.std() if len(column) else 0 for column in numbers], abs=1e-9)
    assert [total.lowest[1], total.highest[1]] == [numbers[1].min(), numbers[1].max()]
    assert total.whole[1] and (not len(numbers[0]) or not total.whole[0])
    assert [levels.sum() for levels in total.levels] == [len(table)] * 2


@given(rows=st.integers(0, 50), share=st.floats(0, 5), seed=st.integers(0, 99))
def test_copies_are_as_many_as_the_share_says_and_even(rows, share, seed):
    drawn = copies(np.random.default_rng(seed), rows, share)
    assert abs(len(drawn) - share * rows) < 1
    assert not rows or np.ptp(np.bincount(drawn, minlength=rows)) <= 1


def test_split_positions_cover_the_blocks(tmp_path):
    training = written(tmp_path, tabular(500))
    assert np.array_equal(training.row, read_split(tmp_path / "split.parquet")["train"])


def test_a_reserved_cluster_gives_the_same_results(tmp_path, scheduler):
    files = write_rows(tmp_path)
    expected = run_read(tmp_path, files)
    written(tmp_path, tabular(500))
    made = run_augment(tmp_path, JITTER)
    for blocks in (1, 3):
        assert run_read(tmp_path, files, 1, blocks, scheduler) == expected
        assert run_augment(tmp_path, JITTER, 1, blocks, scheduler) == made


@pytest.mark.parametrize(
    ("scheduler", "allowed", "message"),
    [
        ("tcp://127.0.0.1:1", False, "no Dask scheduler answers at tcp://127.0.0.1:1 "),
        ("tcp://127.0.0.1:1", None, "the Dask scheduler at tcp://127.0.0.1:1 runs code from everyone who can reach it"),
        ("tls://127.0.0.1:1", None, "tls://127.0.0.1:1 needs certificates"),
    ],
)
def test_a_scheduler_that_cannot_be_used_is_reported(tmp_path, monkeypatch, scheduler, allowed, message):
    import dask

    monkeypatch.setattr("fairweight.data.partitions.CONNECT_S", 1)
    written(tmp_path, tabular(300))
    with (
        dask.config.set({"distributed.comm.require-encryption": allowed, "distributed.comm.tls.ca-file": None}),
        pytest.raises(InputError, match="^partitions: scheduler: " + message),
    ):
        run_augment(tmp_path, JITTER, scheduler=scheduler)
