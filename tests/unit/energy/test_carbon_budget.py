"""The budget gate stops before the step that would exceed the budget, predicted from earlier steps of its rule."""

import json

import pytest
from studies import tiny

from fairweight.cli.run import Options, _budget_options, _executor
from fairweight.core.errors import InputError
from fairweight.energy import carbon_budget, energy_model
from fairweight.study.schema import resolve

RECIPE = resolve(tiny(energy={"g_per_kwh": 1000}))["energy"]
G_A_CPU_S = energy_model.energy_j(1.0, RECIPE)["central"] / 3.6e6 * 1000


def entry(rule, cpu_s, **more):
    return {"rule": rule, "cpu_s": cpu_s, "started": 1.0, "wall_s": cpu_s, "peak_memory_bytes": 0, **more}


@pytest.fixture
def gate(tmp_path, monkeypatch):
    monkeypatch.setattr("time.process_time", lambda: 0.0)  # the time of this process counts as Snakemake's

    def made(cpu_s_worth, results=tmp_path):
        monkeypatch.setenv(carbon_budget.STATED, "")
        carbon_budget.state(cpu_s_worth * G_A_CPU_S, results, RECIPE)
        return carbon_budget.Gate()

    return made


def test_a_step_is_expected_to_emit_what_its_rule_did_on_average(gate):
    budget = gate(100)
    assert budget.before("train", []) is None  # nothing is known yet
    budget.after(entry("train", 30))
    budget.after(entry("train", 50, status="failed"))  # a failed attempt also emitted
    assert budget.before("assess", []) is not None  # 80 are spent, and any step took 40 on average
    budget.after(entry("assess", 2))
    assert budget.before("assess", []) is None  # 82 + 2
    sentence = budget.before("train", [])  # 82 + 40
    assert "train is expected to add" in sentence and "mean of 2 attempts; an estimate" in sentence
    assert "finished steps are kept" in sentence and "\n" not in sentence


def test_steps_under_way_are_counted(gate):
    budget = gate(100)
    budget.after(entry("train", 30))
    assert budget.before("train", ["train"]) is None and budget.before("train", ["train", "train"]) is not None


def test_lost_attempts_of_which_nothing_is_known_are_left_out(gate):
    budget = gate(100)
    budget.after({"rule": "train", "cpu_s": None, "started": None, "wall_s": None, "peak_memory_bytes": None})
    assert budget.before("train", []) is None


def test_a_budget_of_nothing_starts_nothing(gate):
    assert gate(0).before("fetch", []) is not None


def test_earlier_runs_count_and_a_larger_budget_continues(gate, tmp_path):
    (tmp_path / "ledger").mkdir()
    lines = [entry("train", 60, status="ok", session="a", output=["results/tiny/x"])]
    lines.append({"rule": "train", "status": "lost", "cpu_s": None, "output": []})
    (tmp_path / "ledger" / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    overhead = {"session": "a", "host": "h", "started": 1.0, "ended": 2.0, "cpu_s": 10.0}
    (tmp_path / "ledger" / "a.overhead.json").write_text(json.dumps(overhead))
    assert gate(129).before("train", []) is not None and gate(131).before("train", []) is None


def options(budget_g=None, further=()):
    return Options(None, budget_g, None, None, True, list(further))


def test_the_command_line_overrides_the_study(tmp_path, monkeypatch):
    monkeypatch.setenv(carbon_budget.STATED, "")
    energy = RECIPE | {"carbon_budget_g": 9}
    assert _budget_options(RECIPE, tmp_path, options()) == []
    assert _budget_options(energy, tmp_path, options()) == ["--dask-gate", "fairweight.energy.carbon_budget:Gate"]
    assert carbon_budget.Gate().budget_g == 9
    _budget_options(energy, tmp_path, options(0.5))
    assert carbon_budget.Gate().budget_g == 0.5


@pytest.mark.parametrize("further", [["--executor", "local"], ["--executor=slurm"], ["-e", "local"]])
def test_another_executor_would_not_keep_it(tmp_path, further):
    with pytest.raises(InputError, match="only the executor dask keeps a carbon budget, not"):
        _budget_options(RECIPE, tmp_path, options(1.0, further))


def test_the_executor_of_a_profile_is_found(tmp_path):
    (tmp_path / "config.yaml").write_text("executor: slurm\n")
    assert _executor(["--workflow-profile", str(tmp_path)]) == "slurm" and _executor(["--dry-run"]) == "dask"


def test_dask_and_the_launch_of_steps_count_in_this_run(gate, tmp_path):
    (tmp_path / "ledger").mkdir()
    budget = gate(100)
    budget.after(entry("train", 40, launch_cpu_s=15.0))
    assert budget.before("train", []) is None  # 40 + 15 + 40
    overhead = {"session": "now", "host": "h", "started": 1.0, "ended": 2.0, "cpu_s": 10.0, "complete": False}
    (tmp_path / "ledger" / "now.overhead.json").write_text(json.dumps(overhead))
    assert budget.before("train", []) is not None
