"""The training recipe that `init` writes learns what a logistic regression learns, from few rows as well."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from trained_study import RECIPE

from fairweight.cli.study_text import FEWEST_STEPS, learning_recipe
from fairweight.core.artifacts import PARTS, write_augmented, write_split, write_table
from fairweight.core.table import Augmented, Table
from fairweight.training.model import Model
from fairweight.training.train import train

UNSEEN = 4_000


def credit(rows, seed):
    """Rows like those of German credit: 7 numbers and 13 codes, a label that depends on them weakly."""
    recipe, rng = np.random.default_rng(7), np.random.default_rng(seed)
    levels = recipe.integers(3, 10, size=13)
    numeric = rng.normal(size=(rows, 7)).astype(np.float32)
    categorical = np.stack([rng.integers(number, size=rows) for number in levels], axis=1)
    logit = numeric @ recipe.normal(0, 0.35, 7) + 1.6
    for position, number in enumerate(levels):
        logit += recipe.normal(0, 0.45, number)[categorical[:, position]]
    return Table(
        row=np.arange(rows),
        file=np.full(rows, "all", dtype=object),
        label=(rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64),
        classes=("bad", "good"),
        numeric=numeric,
        numeric_names=tuple(f"x{number}" for number in range(7)),
        categorical=categorical,
        levels={f"c{n}": tuple(map(str, range(number))) for n, number in enumerate(levels)},
        images=None,
    )


def accuracies(folder, rows, seed):
    """Of the recipe, of a logistic regression, and of the larger class, on rows that neither has seen."""
    table = credit(rows + UNSEEN, seed)
    part = np.full(len(table), PARTS.index("train"))
    part[rows:] = PARTS.index("test")
    part[np.random.default_rng(seed).choice(rows, rows // 8, replace=False)] = PARTS.index("validation")
    fitted, tested = (table.take(np.flatnonzero(part == PARTS.index(name))) for name in ("train", "test"))
    write_table(folder / "table.parquet", table)
    write_split(folder / "split.parquet", table.row, part)
    write_augmented(folder / "augmented.parquet", [(Augmented.nothing(fitted), fitted.row)], fitted)
    train(
        **{name: str(folder / f"{name}.parquet") for name in ("table", "split", "augmented", "curve")},
        model=str(folder / "m.st"),
        about=str(folder / "m.json"),
        architecture={"architecture": "mlp", "hidden": [64, 32]},
        recipe=RECIPE | {"learning_rate": 1e-3, "schedule": "cosine"} | learning_recipe(rows),
        seed=seed,
        replicate=0,
    )
    model = Model.load(str(folder / "m.st"), str(folder / "m.json"))
    model.body.eval()
    ours = (model.body(model.encode(tested)).argmax(dim=1).numpy() == tested.label).mean()
    linear = LogisticRegression(max_iter=1_000).fit(inputs(fitted), fitted.label)
    return ours, linear.score(inputs(tested), tested.label), np.bincount(tested.label).max() / UNSEEN


def inputs(table):
    codes = [np.eye(len(names))[table.categorical[:, n]] for n, names in enumerate(table.levels.values())]
    return np.concatenate([table.numeric, *codes], axis=1)


@pytest.mark.parametrize("rows", [300, 1_000])
def test_a_few_rows_are_learned_as_well_as_a_logistic_regression_does(rows, tmp_path):
    """With ten epochs of batches of 128, the accuracy was that of the larger class."""
    ours, linear, larger = np.mean([accuracies(tmp_path, rows, seed) for seed in range(5)], axis=0)
    assert ours > linear - 0.015 and ours > larger + 0.02


@pytest.mark.parametrize("rows", [30, 300, 1_000, 5_000, 50_000, 1_000_000])
def test_there_are_enough_steps_whatever_the_number_of_rows(rows):
    recipe = learning_recipe(rows)
    steps = recipe["epochs"] * -(-int(0.7 * rows) // recipe["batch_size"])
    assert FEWEST_STEPS <= steps <= 10_000 and recipe["epochs"] >= 5
