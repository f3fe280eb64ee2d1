"""A regression from its table to the gate: harm that is planted in the errors of one group is found and named."""

import json

import numpy as np
import pandas as pd
import pytest
from runs import LOCAL, Run

pytestmark = pytest.mark.workflow

STUDY = """
name: stay
seeds: 1
datasets:
  stay:
    task: regression
    reader: {method: delimited}
    files: {all: {sources: ["file:stay.csv"]}}
    inputs: {numeric: [age, score, special], categorical: [ward]}
    target: {column: days, unit: d}
    groups: {ward: {column: ward}}
    split: {test: 0.5, validation: 0.1}
models: {mlp: {architecture: mlp, hidden: [16]}}
training: {standard: {epochs: 20, batch_size: 64, learning_rate: 1.0e-2, schedule: cosine}}
variants:
  dense: {train: standard}
  int8: {from: dense, quantize: auto}
  harmed: {from: dense, prune: {method: "my_harm:prune"}}
criteria: {margins: {loss: {relative: 0.1}, bias: null}}
profile: {rounds: 2, seconds: 0.001}
grid:
  - {dataset: stay, models: [mlp], variants: [dense, int8, harmed]}
"""
HARM = '''
"""The input that only the ward c has is cut."""

import torch

OPTIONS = {}


def prune(weights):
    """Mask one column of the first layer."""
    first = next(iter(weights))
    mask = torch.ones_like(weights[first], dtype=torch.bool)
    mask[:, 2] = False
    return {first: mask}
'''


def write_stays(folder, rows=4_000):
    """Write the study, and a table in which one input counts in one ward only."""
    rng = np.random.default_rng(0)
    ward = rng.choice(["a", "b", "c"], rows, p=[0.5, 0.38, 0.12])
    age, score = rng.normal(60, 12, rows).round(1), rng.normal(size=rows).round(3)
    special = np.where(ward == "c", rng.normal(size=rows), 0).round(3)
    days = 8 + 0.1 * (age - 60) + 1.5 * score + 1.2 * special + rng.normal(size=rows)
    table = {"age": age, "score": score, "special": special, "ward": ward, "days": days.round(2)}
    pd.DataFrame(table).to_csv(folder / "stay.csv", index=False)
    (folder / "my_harm.py").write_text(HARM)
    (folder / "study.yaml").write_text(STUDY)


def test_a_regression_is_decided_from_its_table_to_the_gate(tmp_path):
    run = Run(tmp_path)
    write_stays(tmp_path)
    results = tmp_path / "results" / "stay"
    run.snakemake("study.yaml", *LOCAL, "decide", f"results/{results.name}/report/notebooks/numbers.ipynb")
    decisions = pd.read_parquet(results / "summary" / "decisions.parquet").set_index("variant")
    assert decisions["verdict"].dropna().to_dict() == {"int8": "proven", "harmed": "refuted"}
    assert decisions.loc["harmed", "reason"] == "group loss of c by ward is refuted"
    criteria = pd.read_parquet(results / "summary" / "criteria.parquet").set_index(["variant", "criterion"])
    assert criteria.loc[("harmed", "loss"), "verdict"] != "refuted"  # the mean of all rows hides it
    assessment = results / "seed-0" / "stay" / "none" / "mlp" / "int8" / "onnxruntime" / "assessment.parquet"
    rows = pd.read_parquet(assessment)
    coverage = rows[(rows["part"] == "test") & (rows["metric"] == "coverage") & rows["attribute"].isna()]
    assert 0.85 < coverage["value"].item() < 0.95
    shown = (results / "report" / "notebooks" / "numbers.ipynb").read_text()
    assert "Mean absolute error, d" in shown and "c (ward)" in shown
    run.snakemake("study.yaml", *LOCAL, "gate")
    assert [entry["variant"] for entry in json.loads((results / "summary" / "gate.json").read_text())["passed"]] == [
        "int8"
    ]
