"""What `fairweight energy` says and writes, from the files of a run."""

import json

import pandas as pd
import pytest
import yaml
from studies import tiny

from fairweight import intensity, schema
from fairweight.accounting import account, repayments

RECIPE = schema.resolve(tiny())["energy"] | {
    "watts_per_core": {"low": 5, "central": 10, "high": 20},
    "watts_per_gb": {"low": 0, "central": 0, "high": 0},
    "pue": 1,
    "country": "DEU",
}
CELL = {"dataset": "d", "augmentation": "none", "model": "m", "variant": "int8", "engine": "onnxruntime"}


def changes(made, used):
    rows = [{**CELL, "seed": s, "measure": "making_cpu_s", "batch_size": pd.NA, "value": v} for s, v in enumerate(made)]
    rows += [{**CELL, "seed": s, "measure": "cpu_s_per_1000", "batch_size": 1, "value": v} for s, v in enumerate(used)]
    return pd.DataFrame(rows).astype({"batch_size": "Int64"})


def test_a_repayment_is_what_making_cost_more_over_what_a_prediction_saves():
    (row,) = repayments(changes([2.0, 2.1, 1.9], [-0.010, -0.0101, -0.0099])).to_dict("records")
    assert row["status"] == "after" and row["predictions"] == pytest.approx(2.0 / 0.00001)  # 0.01 CPU-s a thousand
    assert row["batch_size"] == 1 and row["low"] < row["predictions"] < row["high"]


def test_a_variant_that_is_slower_never_repays():
    (row,) = repayments(changes([2.0, 2.1], [0.010, 0.0101])).to_dict("records")
    assert row["status"] == "never"


def test_a_run_of_the_local_executor_is_accounted_for_and_says_what_is_not_known(tmp_path):
    results = tmp_path / "results" / "mine"
    (results / "summary").mkdir(parents=True)
    cost = {"cpu_s": 36.0, "wall_s": 40.0, "started": 1.0, "peak_memory_bytes": 10**9, "threads": 1, "host": "here"}
    (results / "train.cost.json").write_text(json.dumps(cost))
    changes([2.0, 2.1], [0.010, 0.0101]).to_parquet(results / "summary" / "changes.parquet")
    said = account(results, RECIPE | {"elsewhere": ["POL", "FRA"]})
    assert "360 (180 to 720)" in said and "by Green Algorithms (wall time x cores held, all busy): 400 J" in said
    assert "1 steps are known from their cost files only" in said and "What Snakemake used itself is not known" in said
    assert said.index("France") < said.index("Poland") and "never" in said
    card = yaml.safe_load((results / "summary" / "carbon.yaml").read_text())["co2_eq_emissions"]
    assert card["emissions"] == pytest.approx(360 / 3.6e6 * intensity.country("DEU").g_per_kwh, abs=1e-4)
    assert "operational only" in card["source"] and card["geographical_location"] == "Germany"
    assert pd.read_parquet(results / "summary" / "ledger.parquet")["recorded_by"].tolist() == ["step"]
