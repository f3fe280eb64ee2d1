"""A variant that lost one input is named, and so is the input."""

import numpy as np
import pandas as pd
import pytest
from small_results import results_with

from fairweight.core.artifacts import INPUT, write_predictions, write_table
from fairweight.core.table import Table
from fairweight.evaluation.compare_explanations import compare_explanations
from fairweight.reporting.report import reasons

ROWS, SEEDS, INPUTS = 60, 6, ("age", "hours", "income", "rooms")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Explanations of a baseline, of one that is trained again, and of a variant without the input "age"."""
    folder = tmp_path_factory.mktemp("explained")
    rng = np.random.default_rng(0)
    town = np.arange(ROWS) % 2
    write_table(
        folder / "table.parquet",
        Table(
            row=np.arange(ROWS),
            file=np.array(["t"] * ROWS),
            label=town,
            classes=("no", "yes"),
            numeric=np.zeros((ROWS, 0), np.float32),
            numeric_names=(),
            categorical=np.empty((ROWS, 0), np.int64),
            levels={},
            images=None,
            groups={"town": town},
            group_levels={"town": ("north", "south")},
        ),
    )
    files, about = [], []
    for seed in range(SEEDS):
        dense = rng.normal(size=(ROWS, 4)) * [3, 2, 1, 0.5]
        lost = dense * [0, 1, 1, 1] + 0.05 * rng.normal(size=(ROWS, 4))
        made = {"dense": dense, "again": dense + 0.5 * rng.normal(size=(ROWS, 4)), "pruned": lost}
        for variant, values in made.items():
            path = folder / f"{variant}-{seed}.parquet"
            own = {"deletion": np.full(ROWS, 0.3), "random": np.full(ROWS, 0.6), "reliability": np.full(ROWS, 0.9)}
            columns = {"row": np.arange(ROWS), "part": np.full(ROWS, 2), "label": town, **own}
            columns |= {f"{INPUT}{name}": values[:, i] for i, name in enumerate(INPUTS)}
            write_predictions(path, columns, {})
            place = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "onnxruntime"}
            about.append(place | {"variant": variant, "baseline": "dense", "seed": seed})
            files.append(str(path))
    compare_explanations(
        explanations=files,
        about=about,
        tables={"d": str(folder / "table.parquet")},
        replicates=["again"],
        reasons=str(folder / "reasons.parquet"),
        importances=str(folder / "importances.parquet"),
    )
    return pd.read_parquet(folder / "reasons.parquet"), pd.read_parquet(folder / "importances.parquet")


def test_agreement_is_below_that_of_a_retraining(compared):
    rows = compared[0]
    rows = rows[(rows["measure"] == "rank_correlation") & rows["group"].isna()].set_index("variant")
    assert rows.loc["pruned", "value"] < 0.4
    assert rows.loc["again", "value"] == rows.loc["pruned", "floor"] > 0.7
    assert rows.loc["pruned", "p_value"] == pytest.approx(1 / 2**SEEDS)
    assert "dense" not in rows.index and np.isnan(rows.loc["again", "floor"])


def test_every_group_has_its_own_agreement(compared):
    rows = compared[0]
    groups = rows[(rows["measure"] == "top_overlap") & (rows["variant"] == "pruned") & rows["group"].notna()]
    assert set(groups["group"]) == {"north", "south"} and (groups["rows"] == ROWS / 2).all()


def test_the_lost_input_is_named(compared):
    shares = compared[1].set_index(["variant", "input"])
    assert shares.loc[("dense", "age"), "value"] > 0.4 and shares.loc[("pruned", "age"), "value"] < 0.05
    assert shares.loc[("pruned", "age"), "change_high"] < 0
    study = {"variants": {"dense": {}, "again": {"replicate": 1}, "pruned": {}}}
    results = results_with(study=study, curves=[{"variant": name} for name in study["variants"]])
    object.__setattr__(results, "reasons", compared[0])
    object.__setattr__(results, "importances", compared[1])
    text = reasons.agreement(results, "d")[0].data
    assert "<b>pruned</b>: agreement with dense" in text and "Share in the decisions: age from 4" in text
    assert "<b>again</b>" not in text
