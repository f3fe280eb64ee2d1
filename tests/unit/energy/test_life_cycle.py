"""The life cycle of a variant from the lines of a ledger: every CPU-second counts exactly once."""

import json
from pathlib import PurePosixPath

import pandas as pd
import pytest

from fairweight.energy.later_steps import later_steps
from fairweight.energy.ledger_entries import RUN
from fairweight.energy.life_cycle import _lineage, life_cycle
from fairweight.evaluation.summarize import _making, step_table

RECIPE = {
    "watts_per_core": {"low": 5, "central": 10, "high": 20},
    "watts_per_gb": {"low": 0, "central": 0, "high": 0},
    "processor": None,
    "g_per_kwh": 360,
    "pue": 1,
    "country": "DEU",
}
FACTORS = {
    "downloads": 1,
    "years": 1,
    "transfer_kwh_per_gb": {"low": 0.001, "central": 0.01, "high": 0.1},
    "storage_kwh_per_gb_year": {"low": 0.001, "central": 0.01, "high": 0.1},
}
CELL = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "onnxruntime"}
MADE = "results/mine/seed-{}/d/none/m/{}/{}"


def line(rule, output, cpu_s, status="ok"):
    time = {"started": 0.0, "ended": 1.0, "wall_s": 1.0, "cpu_s": cpu_s}
    place = {"peak_memory_bytes": 1e8, "threads": 1, "host": "h", "exit_code": 0}
    files = [output, str(PurePosixPath(output).with_name(f"{rule}.usage.json"))]
    return {"session": "s", "rule": rule, "output": files, "attempt": 1, "status": status, **time, **place}


LINES = [
    line("read", "results/mine/data/d/table.parquet", 4.0),
    *(line("split", f"results/mine/seed-{s}/d/split.parquet", 1.0) for s in (0, 1)),
    *(line("train", MADE.format(s, "dense", "model.safetensors"), 10.0 + s) for s in (0, 1)),
    *(line("export", MADE.format(s, "dense", "model.onnx"), 0.5) for s in (0, 1)),
    *(line("prune", MADE.format(s, "pruned", "model.safetensors"), 3.0) for s in (0, 1)),
    line("prune", MADE.format(1, "pruned", "model.safetensors"), 2.0, "failed"),
    line("train", MADE.format(0, "other", "model.safetensors"), 7.0),
    line("assess", MADE.format(0, "dense", "onnxruntime/assessment.parquet"), 0.25),
    line("summarize", "results/mine/summary/steps.parquet", 1.5),
    *(line("split", f"results/mine/seed-{s}/d/split.parquet", 1.0) for s in range(2, 7)),  # of models with more seeds
    line("train", "results/mine/seed-0/e/none/m/dense/model.safetensors", 100.0),  # of another dataset
]


RUN_CPU_S = 6.0  # of Snakemake and Dask, which two datasets share
LINEAGES = {"dense": ["dense"], "pruned": ["pruned", "dense"]}


def usage_files(results):
    """The usage file of each step that succeeded: it is written before the end of the step, which takes longer."""
    paths = []
    for entry in LINES:
        if entry["status"] == "ok":
            paths.append(results.parents[1] / entry["output"][1])
            paths[-1].parent.mkdir(parents=True, exist_ok=True)
            own = {"cpu_s": entry["cpu_s"] - 0.02, "wall_s": 0.9, "peak_memory_bytes": 0.9e8, "started": 0.05}
            paths[-1].write_text(json.dumps(own | {"threads": 1, "host": "h", "cores": 2}))
    return [str(path) for path in paths if "summary" not in path.parts]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    results = tmp_path_factory.mktemp("life") / "results" / "mine"
    (results / "ledger").mkdir(parents=True)
    (results / "ledger" / "run.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in LINES))
    run = {"session": "s", "host": "h", "started": 0.0, "ended": 9.0, "wall_s": 9.0, "cpu_s": RUN_CPU_S}
    (results / "ledger" / "run.overhead.json").write_text(json.dumps(run | {"complete": False, "processes": []}))
    return results


@pytest.fixture(scope="module")
def written(folder):
    results = folder
    steps = step_table(usage_files(results), str(results), RECIPE)
    profiles = [
        {"variant": variant, "cpu_s_per_1000": cpu_s, "size_bytes": size, "transfer_bytes": size // 2}
        for variant, cpu_s, size in (("dense", 0.02, 4_000_000), ("pruned", 0.01, 2_000_000))
    ]
    profiles = pd.DataFrame([{**CELL, "seed": s, "batch_size": 1, **row} for s in (0, 1) for row in profiles])
    cell = {**CELL, "variant": "pruned"}
    changes = [{**cell, "seed": s, "batch_size": pd.NA, "measure": "making_cpu_s", "value": 3.5} for s in (0, 1)]
    ratio = {**cell, "batch_size": 1, "ratio": 0.5, "low": 0.4, "high": 0.6}
    took = [{**CELL, "variant": "dense", "seed": s, "measure": "making_cpu_s", "value": 11.5 + s} for s in (0, 1)]
    tables = {"profiles": profiles, "measures": pd.DataFrame(took), "changes": pd.DataFrame(changes)}
    tables |= {"steps": steps, "ratios": pd.DataFrame([ratio])}
    for name, table in tables.items():
        table.to_parquet(results / f"{name}.parquet")
    names = ("rules", "life_cycle", "break_even", "estimators")
    life_cycle(
        results=str(results),
        summary={name: str(results / f"{name}.parquet") for name in tables},
        recipe=RECIPE,
        factors=FACTORS,
        baselines={"dense": "dense", "pruned": "dense"},
        lineages=LINEAGES,
        destination={name: str(results / f"{name}.parquet") for name in names},
    )
    return {name: pd.read_parquet(results / f"{name}.parquet") for name in (*names, "steps")}


def stages(written, variant):
    return written["life_cycle"][written["life_cycle"]["variant"] == variant].set_index("stage")


def test_making_follows_the_lineage_and_is_the_mean_over_seeds(written):
    pruned = stages(written, "pruned")
    assert pruned.loc["data", "cpu_s"] == 4 + 1  # the table once, a split of each seed
    assert pruned.loc["training", "cpu_s"] == 10.5 and pruned.loc["pruning and finetuning", "cpu_s"] == 3
    assert pruned.loc["export", "cpu_s"] == 0.5
    assert "pruning and finetuning" not in stages(written, "dense").index


def test_failed_attempts_count_for_the_variants_that_needed_them(written):
    assert stages(written, "pruned").loc["failed attempts", "cpu_s"] == 1  # 2 CPU-seconds in one of two seeds
    assert stages(written, "dense").loc["failed attempts", "cpu_s"] == 0


@pytest.mark.parametrize("variant", ["dense", "pruned"])
def test_every_cpu_second_of_the_dataset_is_in_a_life_cycle_once(written, variant):
    # the summaries, Snakemake and Dask are shared by two datasets
    of_dataset = sum(entry["cpu_s"] for entry in LINES if "/d/" in entry["output"][0]) + (1.5 + RUN_CPU_S) / 2
    once = stages(written, variant).query("per == 'once'")
    assert once["cpu_s"].sum() == pytest.approx(of_dataset)
    assert once["energy_j_central"].sum() == pytest.approx(10 * of_dataset)


def test_use_storage_and_transfer_have_a_unit_each(written):
    pruned = stages(written, "pruned")
    assert pruned.loc["use", "energy_j_central"] == pytest.approx(0.1) and pruned.loc["use", "batch_size"] == 1
    assert pruned.loc["storage", "energy_j_central"] == pytest.approx(2e-3 * 0.01 * 3.6e6)
    assert pruned.loc["transfer", "energy_j_high"] == pytest.approx(1e-3 * 0.1 * 3.6e6)
    assert pruned.loc["transfer", "emissions_g"] == pytest.approx(1e-3 * 0.01 * 360)


def test_the_break_even_is_there_with_and_without_the_search(written):
    rows = written["break_even"].set_index("scope")
    # a smaller file saves 1 MB of transfer and 2 MB of storage, 108 J or 10.8 CPU-seconds: more than pruning took
    assert rows.loc["making", "predictions"] == 0 and rows.loc["making", "status"] == "after"
    study = sum(entry["cpu_s"] for entry in LINES if "/d/" in entry["output"][0]) + (1.5 + RUN_CPU_S) / 2
    assert rows.loc["making and search", "predictions"] == pytest.approx((study - 12 - 10.8) / 0.00001)


def test_rules_have_a_status_and_failed_attempts(written):
    rules = written["rules"].set_index("rule")
    assert rules.loc["prune", "failed"] == 1 and rules.loc["prune", "attempts"] == 3
    assert set(rules["status"]) == {"modelled"} and rules["metered_j"].isna().all()
    assert rules.loc[RUN, "cpu_s"] == RUN_CPU_S and rules["cpu_s"].sum() == pytest.approx(
        sum(entry["cpu_s"] for entry in LINES) + RUN_CPU_S
    )


@pytest.mark.parametrize("variant", LINEAGES)
def test_the_energy_of_making_is_the_same_in_all_tables(written, variant):
    """Steps account for themselves before their end; what the executor counts is a little more."""
    assessed = pd.DataFrame([{**CELL, "variant": variant, "seed": seed} for seed in (0, 1)])
    measures = _making(written["steps"], assessed, LINEAGES).groupby("measure")["value"].mean()
    once = stages(written, variant).query("per == 'once' and stage not in ('search', 'failed attempts')").sum()
    assert measures["making_cpu_s"] == pytest.approx(once["cpu_s"], rel=1e-12)
    assert measures["making_energy_j"] == pytest.approx(once["energy_j_central"], rel=1e-12)
    by_rule = written["rules"].set_index("rule")
    for rule, steps in written["steps"].groupby("rule"):  # of a rule without failed attempts
        if rule not in ("prune", "summarize"):
            assert steps["cpu_s"].sum() == pytest.approx(by_rule.loc[rule, "cpu_s"])
            assert steps["wall_s"].sum() == pytest.approx(by_rule.loc[rule, "wall_s"])


def test_the_usage_of_a_later_attempt_that_no_executor_recorded_is_its_own(folder):
    usage = folder / "data" / "d" / "read.usage.json"
    own = {"cpu_s": 9.0, "wall_s": 1.0, "peak_memory_bytes": 1e8, "started": 5000.0, "threads": 1, "host": "h"}
    before = usage.read_text()
    usage.write_text(json.dumps(own))
    assert step_table([str(usage)], str(folder), RECIPE)["cpu_s"].tolist() == [9.0]
    usage.write_text(before)
    assert step_table([str(usage)], str(folder), RECIPE)["cpu_s"].tolist() == [4.0]


def test_what_the_total_does_not_hold_is_counted(written, folder):
    """A section of the report, and Snakemake in the meantime, after the table by rule was made."""
    section = line("render_notebook", "results/mine/report/notebooks/data.ipynb", 2.5)
    (folder / "ledger" / "run.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in [*LINES, section]))
    run = folder / "ledger" / "run.overhead.json"
    run.write_text(json.dumps(json.loads(run.read_text()) | {"cpu_s": RUN_CPU_S + 0.5}))
    destination = folder / "later.json"
    later_steps(results=str(folder), rules=folder / "rules.parquet", recipe=RECIPE, destination=destination)
    later = json.loads(destination.read_text())
    assert later["cpu_s"] == pytest.approx(3) and later["rules"] == ["render_notebook"]
    assert [later[f"energy_j{bound}"] for bound in ("_low", "", "_high")] == pytest.approx([15, 30, 60])
    assert written["rules"]["cpu_s"].sum() + later["cpu_s"] == pytest.approx(
        sum(entry["cpu_s"] for entry in [*LINES, section]) + RUN_CPU_S + 0.5
    )


@pytest.mark.parametrize("prefix", ["results/mine", "../out", "/data/results", "elsewhere/data"])
def test_an_attempt_is_attributed_wherever_the_results_were(folder, prefix):
    (folder / "seed-1" / "d" / "none" / "m" / "dense").mkdir(parents=True, exist_ok=True)
    lineage = _lineage(f"{prefix}/seed-1/d/none/m/dense/model.safetensors", folder)
    assert lineage == {"seed": 1, "dataset": "d", "augmentation": "none", "model": "m", "variant": "dense"}
    assert _lineage(f"{prefix}/summary/measures.parquet", folder) == {} == _lineage(None, folder)
