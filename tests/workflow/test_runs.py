"""The tiny study and its neighbours through the real Snakefile."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from runs import LOCAL, Run, write_scores

from fairweight.core.artifacts import atomic
from fairweight.core.components import WORKFLOW as ROOT
from fairweight.evaluation.metric_rows import SCHEMA

pytestmark = pytest.mark.workflow

# columns that measure time or energy, or the machine's load; all others must be equal in every run of a study
MEASURED = {
    "cpu_s", "wall_s", "peak_memory_bytes", "started", "host", "energy_j_low", "energy_j_central", "energy_j_high",
    "emissions_g", "latency_p50_ms", "disturbed_rounds", "latency_p95_ms", "cpu_s_per_1000", "calls", "load_before",
    "load_after",
}  # fmt: skip
TABLES = ("assessments", "checks", "steps", "curves", "profiles", "measures", "changes", "variants")
VARIANTS = "results/tiny/summary/variants.parquet"  # of the step that writes all of TABLES
TIMED = {"latency_p50_ms", "latency_p95_ms", "cpu_s_per_1000", "energy_j_per_1000", "making_cpu_s", "making_energy_j"}


def tables(run, study="tiny"):
    """Summary tables without what is measured again in every run."""
    frames = {}
    for name in TABLES:
        table = pd.read_parquet(run.folder / f"results/{study}/summary/{name}.parquet")
        if "measure" in table:
            table = table[~table["measure"].isin(TIMED)]
        frames[name] = table.drop(columns=[c for c in table if c in MEASURED]).reset_index(drop=True)
    return frames


def assert_equal(first, second):
    for name in TABLES:
        pd.testing.assert_frame_equal(first[name], second[name], check_exact=True, obj=name)


def test_it_makes_a_report_that_needs_nothing_else(finished):
    page = (finished.folder / "results/tiny/report/report.html").read_text()
    assert "Adult, first rows" in page and "pruned50" in page and "data:image/svg+xml" in page
    assert 'src="http' not in page and "<link" not in page
    assert "Traceback" not in page
    text = re.sub(r"<(pre|script)\b.*?</\1>", "", page, flags=re.S)
    assert not re.search(r">[^<]*\b(nan|None|NaT)\b", text)
    notebooks = list((finished.folder / "results/tiny/report/notebooks").glob("*.ipynb"))
    every = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name for path in notebooks} == every - {"language.ipynb", "numbers.ipynb"}  # of other tasks
    for path in notebooks:
        cells = json.loads(path.read_text())["cells"]
        assert all(cell.get("execution_count") for cell in cells if cell["cell_type"] == "code")


def test_its_progress_is_told(finished):
    output = (finished.folder / "output.txt").read_text()
    assert re.search(r"\n1 of (\d+) steps \(\d+%\) done, .*\n(.*\n)+\1 of \1 steps \(100%\) done", output)
    assert re.search(r" left: [A-Z]\w+ .*\(seed \d\)\n", output)  # the step that started last
    assert "ship " in output and "The report is results/tiny/report/report.html" in output


def test_a_second_run_has_nothing_to_do(finished):
    assert finished.jobs("study.yaml") == {}


def test_every_assessed_cell_is_tidy(finished):
    table = tables(finished)["assessments"]
    assert set(SCHEMA) <= set(table)
    assert not table.duplicated(
        [
            "seed",
            "dataset",
            "augmentation",
            "model",
            "variant",
            "engine",
            "part",
            "metric",
            "attribute",
            "group",
            "class",
        ]
    ).any()
    flips = table[(table["metric"] == "flips") & (table["part"] == "test") & table["group"].isna()]
    assert set(flips["variant"]) == {"pruned50", "int8"}


def test_what_is_written_is_what_was_asked(finished):
    folder = finished.folder / "results/tiny/seed-0/adult"
    assert json.loads((folder / "none/mlp/pruned50/model.json").read_text())["sparsity"]["all"] == pytest.approx(
        0.5, abs=1e-3
    )
    weights = pd.read_parquet(folder / "balanced/augmented.parquet")
    assert not weights["made"].any() and weights["weight"].ge(0).all()
    usage = json.loads((folder / "none/mlp/dense/train.usage.json").read_text())
    assert 0.01 < usage["cpu_s"] < 100 and usage["peak_memory_bytes"] > 1e8 and usage["threads"] == 1


def test_a_third_seed_runs_its_own_jobs_the_profile_and_the_summaries(scratch):
    jobs = scratch.jobs("study.yaml", "--config", "seeds=3")
    assert jobs == {
        "split": 1, "augment": 2, "train": 2, "prune": 1, "export": 3, "quantize": 1, "predict": 4, "assess": 4,
        "compare": 1, "discover": 1, "profile": 1, "summarize": 1, "what_if": 1, "decide": 1, "life_cycle": 1,
        "power": 1, "provenance": 1, "render_notebook": 7, "later_steps": 1, "report": 1,
    }  # fmt: skip


def test_beyond_the_profiled_seeds_the_profile_is_kept(scratch):
    study = scratch.study(profile={"rounds": 2, "seconds": 0.001, "seeds": 2})
    scratch.snakemake(study, "--config", "seeds=2", *LOCAL, "--", "results/tiny/profile/adult/mlp/onnxruntime.parquet")
    assert "profile" not in scratch.jobs(study, "--config", "seeds=3")


def test_changing_one_recipe_reruns_its_own_jobs_and_what_follows(scratch):
    study = scratch.study(
        variants__pruned50__prune={"method": "global_magnitude", "sparsity": 0.6, "finetune": {"epochs": 1}}
    )
    jobs = scratch.jobs(study)
    assert jobs["prune"] == jobs["predict"] == jobs["assess"] == jobs["export"] == 2
    assert not set(jobs) & {"fetch", "read", "split", "augment", "train", "quantize"}


def test_words_about_the_data_make_a_new_card_and_no_new_data(scratch):
    jobs = scratch.jobs(scratch.study(datasets__adult__title="Another title", cache="elsewhere"))
    assert jobs == {
        "card": 1,
        "summarize": 1,
        "what_if": 1,
        "decide": 1,
        "life_cycle": 1,
        "provenance": 1,
        "render_notebook": 7,
        "later_steps": 1,
        "report": 1,
    }


def test_a_killed_run_resumes_to_the_same_tables(finished, tmp_path):
    run = Run(tmp_path)
    study = run.study()
    command = [str(Path(sys.executable).with_name("fairweight")), "run", str(study), "--", VARIANTS]
    started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.time() + 300
    while len(list(tmp_path.glob("results/tiny/seed-*/adult/*/mlp/*/model.onnx"))) < 2:
        assert started.poll() is None and time.time() < deadline
        time.sleep(0.2)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    assert not (tmp_path / VARIANTS).exists()
    with pytest.raises(OSError, match="killed"), atomic(tmp_path / "results/tiny/seed-0/half.onnx") as half:
        half.write_bytes(b"half")
        half.with_name(half.name[:-8] + "0123abcd").write_bytes(b"half")  # what a kill leaves behind
        raise OSError("killed")
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=500)
    assert_equal(tables(run), tables(finished))
    assert not [p for p in tmp_path.rglob("results/**/.*") if p.is_file()]


def test_the_local_executor_makes_the_same_tables(finished, tmp_path):
    run = Run(tmp_path)
    # all rules but the page's own, which `verify-archive` runs with this executor
    page = "results/tiny/report/notebooks/answer.ipynb"
    output = run.snakemake(run.study(), *LOCAL, "--", page)
    assert "Dask" not in output
    assert_equal(tables(run), tables(finished))
    assert run.jobs("study.yaml", "--", page) == run.jobs("study.yaml", *LOCAL, "--", page) == {}


def test_every_step_runs_warm(finished):
    output = (finished.folder / "output.txt").read_text()
    assert re.search(r"Dask: \d+ jobs ran warm and 0 cold; 0 attempts failed, 0 were lost", output)


def test_a_run_that_ends_before_the_report_prints_no_answer(tmp_path):
    write_scores(tmp_path)
    output = Run(tmp_path).snakemake("study.yaml", "--until", "read", *LOCAL)
    assert (tmp_path / "results/scores/data/loans/table.parquet").is_file() and "The report is" not in output


def test_given_scores_reproduce_propublica(tmp_path):
    """Larson et al. 2016, "How We Analyzed the COMPAS Recidivism Algorithm", contingency tables by race."""
    run = Run(tmp_path)
    run.snakemake(run.study(base="compas.yaml"))
    table = pd.read_parquet(tmp_path / "results/compas/summary/assessments.parquet")
    values = table.set_index(["metric", "attribute", "group"])["value"]
    rows = table.set_index(["metric", "attribute", "group"])["n"]
    expected = {
        ("false_positive_rate", "race", "African-American"): 0.4485,
        ("false_positive_rate", "race", "Caucasian"): 0.2345,
        ("false_negative_rate", "race", "African-American"): 0.2799,
        ("false_negative_rate", "race", "Caucasian"): 0.4772,
    }
    for key, value in expected.items():
        assert round(values[key], 4) == value
    assert rows["false_positive_rate", "race", "African-American"] == 3696
    assert rows["false_positive_rate", "race", "Caucasian"] == 2454
    overall = table[table["attribute"].isna()].set_index("metric")["value"]
    assert round(overall["accuracy"], 4) == 0.6537
    compared = table[(table["attribute"] == "compared") & table["group"].isna()].set_index("metric")["value"]
    for metric, value in {
        "demographic_parity_difference": 0.240200,
        "demographic_parity_ratio": 0.591638,
        "equalized_odds_difference": 0.213925,
        "equalized_odds_difference_mean": 0.205649,
        "equal_opportunity_difference": 0.197373,
    }.items():
        assert compared[metric] == pytest.approx(value, abs=5e-7)
    assert compared["abroca"] == pytest.approx(0.01581, abs=5e-6)
    auc = table[(table["metric"] == "auc") & (table["attribute"] == "compared")].set_index("group")["value"]
    assert [round(v, 4) for v in auc] == [0.6918, 0.6931]
    assert rows["accuracy", "compared", "African-American"] == 3696
    card = (tmp_path / "results/compas/data/compas/card.json").read_text()
    assert json.loads(card)["rows"] == 7214 and "miguel hernandez" not in card
    for path in (tmp_path / "results/compas").rglob("*.parquet"):
        columns = {column.split(":")[-1] for column in pd.read_parquet(path)}
        assert not columns & {"name", "first", "last", "dob"}
        assert b"miguel" not in path.read_bytes()
