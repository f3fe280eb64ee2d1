"""Tables of a given number of rows, and what the recipe of `init` and a logistic regression learn from them."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from trained_study import RECIPE

from fairweight.cli.study_text import learning_recipe
from fairweight.core.artifacts import PARTS, write_augmented, write_split, write_table
from fairweight.core.table import Augmented, Table
from fairweight.training.model import Model
from fairweight.training.train import train


def credit(rows, seed):
    """Rows like those of German credit: 7 numbers and 13 codes, a label that depends on them weakly."""
    recipe, rng = np.random.default_rng(7), np.random.default_rng(seed)
    levels = recipe.integers(3, 10, size=13)
    numeric = rng.normal(size=(rows, 7)).astype(np.float32)
    categorical = np.stack([rng.integers(number, size=rows) for number in levels], axis=1)
    logit = numeric @ recipe.normal(0, 0.35, 7) + 1.6
    for position, number in enumerate(levels):
        logit += recipe.normal(0, 0.45, number)[categorical[:, position]]
    label = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    names = {f"c{n}": tuple(map(str, range(number))) for n, number in enumerate(levels)}
    return tabular_rows(numeric, categorical, label, ("bad", "good"), names)


def tabular_rows(numeric, categorical, label, classes, levels):
    """A table of numbers (n, k), codes (n, c) and labels (n,)."""
    return Table(
        row=np.arange(len(label)),
        file=np.full(len(label), "all", dtype=object),
        label=label,
        classes=classes,
        numeric=numeric,
        numeric_names=tuple(f"x{number}" for number in range(numeric.shape[1])),
        categorical=categorical,
        levels=levels,
        images=None,
    )


def accuracies(folder, table, rows, seed):
    """Of the recipe of `init`, of a logistic regression, and of the larger class, on rows that neither has seen.

    The first `rows` rows are for training and validation, the others for the test.
    """
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
    mean, scale = fitted.numeric.mean(axis=0), fitted.numeric.std(axis=0) + 1e-9
    inputs, unseen = (_inputs(part, mean, scale) for part in (fitted, tested))
    linear = LogisticRegression(max_iter=1_000).fit(inputs, fitted.label).score(unseen, tested.label)
    return ours, linear, np.bincount(tested.label).max() / len(tested)


def _inputs(table, mean, scale):
    codes = [np.eye(len(names))[table.categorical[:, n]] for n, names in enumerate(table.levels.values())]
    return np.concatenate([(table.numeric - mean) / scale, *codes], axis=1, dtype=np.float32)
