"""The audit of membership, explanations and `fairweight purge`, through the real Snakefile."""

import random
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs import Run

pytestmark = pytest.mark.workflow

STUDY = """
name: private
seeds: 2
datasets:
  loans:
    title: Loans
    reader: {method: delimited}
    files: {table: {sources: ["file:loans.csv"]}}
    target: {column: repaid, positive: "yes"}
    groups: {town: {column: town}}
    inputs: {numeric: [a, b, c, d, e, f, g, h]}
    split: {test: 0.2, validation: 0.2}
models:
  mlp: {architecture: mlp, hidden: [128]}
augmentations:
  # the rows of one group are seen nine times as often, whose labels can only be learned by heart
  repeated: {method: balance_groups, attribute: town}
training:
  standard: {epochs: 30, batch_size: 16, learning_rate: 0.005, select: accuracy}
privacy_audit: {shadows: 8, variants: [int8]}
explain: {rows: 40, permutations: 3}
variants:
  dense: {train: standard}
  int8: {from: dense, quantize: dynamic}
profile: {seeds: 1, seconds: 0.01}
grid:
  - {dataset: loans, models: [mlp], augmentations: [repeated], variants: [dense, int8]}
"""
PLANTED = 7312.6875  # a number of one row, exact in float32


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """A study with an audit. The labels of the group "b" are drawn at random."""
    folder, rows = tmp_path_factory.mktemp("audited"), random.Random(5)
    lines = ["a,b,c,d,e,f,g,h,town,repaid", f"{PLANTED},0,0,0,0,0,0,0,a,no"]
    for _ in range(700):
        values = [rows.gauss(0, 1) for _ in range(8)]
        town = rows.choice("aaaaaab")
        repaid = values[0] > values[1] if town == "a" else rows.random() < 0.5
        lines.append(",".join([*(f"{value:.3f}" for value in values), town, "yes" if repaid else "no"]))
    (folder / "loans.csv").write_text("\n".join(lines) + "\n")
    (folder / "study.yaml").write_text(STUDY)
    run = Run(folder)
    run.snakemake("study.yaml")
    return run


def test_the_audit_names_the_group_that_is_known_by_heart(audited):
    rows = pd.read_parquet(audited.folder / "results/private/summary/privacy.parquet")
    areas = rows[(rows["measure"] == "auc") & (rows["attack"] == "lira") & (rows["variant"] == "dense")]
    easy = areas.set_index("group").loc["b"]
    assert easy["low"] > 0.5 and easy["gap"] > 0.03 and easy["gap_p_value"] <= 0.05
    rates = rows[rows["measure"] == "tpr_at_0.001"]
    assert rates["value"].isna().all() and rates["note"].str.contains("too few rows").all()
    page = (audited.folder / "results/private/report/report.html").read_text()
    assert "Rows of b (town) are easier to recognise than other rows" in page


def test_models_of_the_audit_are_in_no_other_result(audited):
    for name in ("assessments", "curves", "checks", "files"):
        table = pd.read_parquet(audited.folder / f"results/private/summary/{name}.parquet")
        assert set(table["seed"].dropna()) == {0, 1}


def test_reasons_of_an_int8_file_are_those_of_its_parent(audited):
    rows = pd.read_parquet(audited.folder / "results/private/summary/reasons.parquet")
    overall = rows[rows["group"].isna()].set_index(["variant", "measure"])["value"]
    assert overall["int8", "rank_correlation"] > 0.9 and overall["int8", "top_overlap"] > 0.9
    assert overall["dense", "deletion"] < overall["dense", "random"]
    shares = pd.read_parquet(audited.folder / "results/private/summary/importances.parquet")
    dense = shares[shares["variant"] == "dense"].set_index("input")["value"]
    assert set(dense.nlargest(2).index) == {"a", "b"} and dense.sum() == pytest.approx(1)
    page = (audited.folder / "results/private/report/report.html").read_text()
    assert "Whether variants decide for the same reasons" in page


def command(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", "from fairweight.cli.main import main; main()", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def holding(folder):
    """Files below a folder that hold the planted number, as text, as float32 or float64, or in a Parquet column."""
    needles = [str(PLANTED).encode(), np.float32(PLANTED).tobytes(), np.float64(PLANTED).tobytes()]
    paths = set()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        columns = pq.read_table(path).itercolumns() if path.suffix == ".parquet" else ()
        numbers = [column.to_numpy() for column in columns if pa.types.is_floating(column.type)]
        if any(n in content for n in needles) or any(np.isclose(n, PLANTED, rtol=1e-7).any() for n in numbers):
            paths.add(path)
    return paths


def test_a_purge_leaves_no_row_and_keeps_results_and_models(audited, tmp_path):
    folder = audited.copy(tmp_path).folder
    results = folder / "results/private"
    assert {path.name for path in holding(results)} == {"table", "table.parquet"}
    said = command(folder, "purge", "study.yaml")
    assert "Nothing is deleted yet" in said and holding(results)
    command(folder, "purge", "study.yaml", "--yes")
    assert holding(results) == set()
    left = {path.name for path in results.rglob("*") if path.is_file()}
    assert left >= {"model.onnx", "report.html", "decisions.parquet", "purged.json"}
    row_ids = {
        "table.parquet",
        "split.parquet",
        "predictions.parquet",
        "pool.parquet",
        "augmented.parquet",
        "explanations.parquet",
    }
    assert not left & row_ids
    assert "Loans, mlp: " in command(folder, "answer", "study.yaml")
    verified = command(folder, "verify", "study.yaml")
    assert "purged" in verified and "missing or damaged" not in verified
    assert "0 files" in " ".join(command(folder, "purge", "study.yaml").split())
