"""Recipes are chosen from training curves alone: no target is made from test rows."""

import sys
from pathlib import Path

import pytest

from fairweight.core.artifacts import write_rows
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.training.training_loop import CURVE

sys.path.insert(0, str(ROOT / "benchmarks" / "deep_compression"))
import recipes

STUDY = str(ROOT / "config/deep_compression_recipes.yaml")


def test_targets_are_the_curves_of_every_candidate_in_every_seed():
    targets = recipes.targets(STUDY)
    assert len(targets) == len(set(targets)) == 3 * 6 + 2 * 6
    assert {Path(path).name for path in targets} == {"curve.parquet"}
    assert "results/deep_compression_recipes/seed-1/mnist/none/lenet5/conv_pruned_5_stronger/curve.parquet" in targets


def test_rows_are_means_over_seeds_of_the_epoch_that_is_kept(tmp_path):
    for seed, accuracy in ((0, 0.99), (1, 0.98)):
        path = tmp_path / f"seed-{seed}/mnist/none/lenet5/conv/curve.parquet"
        path.parent.mkdir(parents=True)
        epochs = [(1, 0.5, 0.9, False), (2, 0.1 * (seed + 1), accuracy, True), (3, 0.05, 0.97, False)]
        entries = [
            dict(zip(CURVE, (epoch, 0.1, 0.0, loss, reached, 1.0, best), strict=True))
            for epoch, loss, reached, best in epochs
        ]
        write_rows(path, entries, CURVE)
    assert recipes.rows(tmp_path) == [["lenet5", "conv", "2", "1.50 (1.00, 2.00)", "0.1500"]]


@pytest.mark.parametrize("command", ["targets", "table"])
def test_it_prints(command, tmp_path, capsys):
    recipes.main(command, STUDY if command == "targets" else str(tmp_path))
    assert ("curve.parquet" if command == "targets" else "Validation error") in capsys.readouterr().out
