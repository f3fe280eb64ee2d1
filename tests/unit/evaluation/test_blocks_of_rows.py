"""Steps that count block by block: equal bytes for any row groups and any number of rows that are held at once."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from tables import tabular

from fairweight.core import artifacts
from fairweight.core.artifacts import PARTS, read_frame, read_predictions, write_predictions, write_table
from fairweight.evaluation.assess import assess
from fairweight.evaluation.compare import compare
from fairweight.evaluation.discover import discover_slices
from fairweight.statistics import comparison, crossed_uncertainty, rates
from fairweight.statistics.comparison import LabelScores
from fairweight.statistics.rates import Layout

ROWS, SEEDS, VARIANTS = 600, 2, ("dense", "half")
FAMILIES = ["quality", "calibration", "fairness", "roc", "agreement"]


def write_study(folder, classes):
    """A table and the predictions of all variants and seeds, of which the groups of "half" lose."""
    table = tabular(ROWS, classes=classes)
    write_table(folder / "table.parquet", table)
    rows = np.flatnonzero(np.arange(ROWS) % 5 < 3)
    part = np.where(rows % 5 < 2, PARTS.index("test"), PARTS.index("validation"))
    for number, variant in enumerate(VARIANTS):
        for seed in range(SEEDS):
            rng = np.random.default_rng([number, seed])
            logits = rng.normal(size=(len(rows), classes)) + 2 * np.eye(classes)[table.label[rows]]
            logits[:, 0] += (variant == "half") * (table.groups["sex"][rows] == 1)
            probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            columns = {
                "row": rows,
                "part": part,
                "label": table.label[rows],
                "prediction": probabilities.argmax(axis=1),
            }
            columns |= {"probabilities": probabilities.astype(np.float32)}
            if classes == 2:
                columns["score"] = probabilities[:, 1].astype(np.float32)
            write_predictions(folder / f"{variant}-{seed}.parquet", columns, {"engine": "onnxruntime"})


def results(folder):
    """Bytes of all files that are made from the files in a folder."""
    paths = [str(folder / f"{variant}-{seed}.parquet") for variant in VARIANTS for seed in range(SEEDS)]
    table, about = str(folder / "table.parquet"), [{"variant": v, "seed": s} for v in VARIANTS for s in range(SEEDS)]
    common = {"table": table, "smallest_group": 20}
    made = {
        name: str(folder / f"{name}.out") for name in ("assessment", "comparisons", "pairs", "replicates", "models")
    }
    made["slices"] = str(folder / "slices.out")
    names = ("comparisons", "pairs", "replicates", "models")
    assess(
        predictions=paths[SEEDS],
        baseline=paths[0],
        destination=made["assessment"],
        families=FAMILIES,
        intersections=True,
        **common,
    )
    compare(
        predictions=paths,
        about=[entry | {"augmentation": "none"} for entry in about],
        augmentation="none",
        baselines=dict.fromkeys(VARIANTS, ("none", "dense")),
        intersections=True,
        **common,
        **{name: made[name] for name in names},
    )
    baselines = dict.fromkeys(VARIANTS, "dense")
    discover_slices(
        predictions=paths, about=about, baselines=baselines, group_columns=[], destination=made["slices"], **common
    )
    return {name: (folder / f"{name}.out").read_bytes() for name in made}


@pytest.mark.parametrize("classes", [2, 3])
def test_row_groups_and_rows_held_at_once_do_not_change_a_byte(tmp_path, monkeypatch, classes):
    monkeypatch.setattr("fairweight.evaluation.compare.REPLICATES", 1300)
    write_study(tmp_path, classes)
    expected = results(tmp_path)
    assert len(read_frame(tmp_path / "slices.out")) > 0
    files = [path for path in tmp_path.iterdir() if path.suffix == ".parquet"]
    for number, size in enumerate((7, 150)):
        for path in files:
            # neighbours get other row groups, so that blocks of one file do not end where those of another do
            pq.write_table(pq.read_table(path), path, row_group_size=size + files.index(path))
        monkeypatch.setattr(crossed_uncertainty, "ROWS_AT_A_TIME", 41 + size)
        monkeypatch.setattr(crossed_uncertainty, "DRAWS_AT_A_TIME", 3000 * size)
        monkeypatch.setattr(artifacts, "BLOCK_ROWS", 29 + number)
        assert results(tmp_path) == expected


def test_parts_and_columns_of_predictions(tmp_path):
    write_study(tmp_path, 3)
    every, about = read_predictions(tmp_path / "half-1.parquet")
    test, _ = read_predictions(tmp_path / "half-1.parquet", ("row", "probabilities", "swapped"), "test")
    member = every["part"] == PARTS.index("test")
    assert list(test) == ["row", "probabilities"] and about == {"engine": "onnxruntime"}
    assert np.array_equal(test["row"], every["row"][member])
    assert np.array_equal(test["probabilities"], every["probabilities"][member])


@pytest.mark.parametrize("seeds", [1, 2, 9])
def test_values_by_group_are_those_of_whole_arrays(monkeypatch, seeds):
    """Means, intervals and the number of seeds of blocks equal NumPy's of all rows at once, to the last bit."""
    monkeypatch.setattr(crossed_uncertainty, "ROWS_AT_A_TIME", 100)
    rng = np.random.default_rng(3)
    labels, groups = rng.integers(4, size=901), rng.integers(-1, 2, size=901)
    layout = Layout.from_rows(labels, {"g": groups}, {"g": ("a", "b")}, 4)
    ours, theirs = rng.dirichlet(np.ones(4), size=(2, 901, seeds)).astype(np.float32)
    scores = [
        LabelScores(*np.stack([LabelScores.from_probabilities(s[:, k], labels) for k in range(seeds)], axis=-1))
        for s in (ours, theirs)
    ]
    none = np.zeros((901, seeds), int)
    pair = comparison.Pair(labels, none, none, *scores)
    rows = {(row["metric"], row["group"]): row for row in comparison.row_values(pair, layout, 1)}
    losses = [
        -np.log(np.take_along_axis(s, labels[:, None, None], axis=2)[..., 0].astype(float)) for s in (ours, theirs)
    ]
    changes = losses[0] - losses[1]
    for group, member in ((None, groups > -2), ("a", groups == 0), ("b", groups == 1)):
        row = rows["log_loss", group]
        assert row["value"] == float(changes[member].mean(axis=0).mean())
        assert row["baseline_value"] == float(losses[1][member].mean(axis=0).mean())
        variance = float(np.var(changes[member].mean(axis=1), ddof=1) / member.sum())
        assert row["row_error"] == float(np.sqrt(variance))
    assert crossed_uncertainty.effective_seeds(changes) == pytest.approx(1 if seeds == 1 else seeds, rel=0.2)


def test_combinations_are_sorted_whether_counted_or_not(monkeypatch):
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(3, size=300), {name: rng.integers(-1, 4, size=300) for name in "abc"}
    levels = dict.fromkeys("abc", tuple("wxyz"))
    kinds, strata = np.unique(np.stack([labels, *groups.values()]), axis=1, return_inverse=True)
    for most in (rates.MOST_COUNTERS, 5):
        monkeypatch.setattr(rates, "MOST_COUNTERS", most)
        layout = Layout.from_rows(labels, groups, levels, 3)
        assert np.array_equal(layout.strata, strata.reshape(-1)) and np.array_equal(layout.labels, kinds[0])
        assert np.array_equal(layout.member[6] > 0, kinds[2] == 1)
