"""Runs in one folder: they see each other, a clock that went back loses nothing, and findings are printed each time."""

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from runs import LOCAL, Run

from fairweight.core.run_lock import LOCK

pytestmark = pytest.mark.workflow
TABLE = "results/tiny/data/people/table.parquet"
HOUR = 3600


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path)
    rows = [f"{20 + i % 40},{'yes' if i % 3 else 'no'},{'f' if i % 2 else 'm'}" for i in range(60)]
    (tmp_path / "people.csv").write_text("\n".join(["age,paid,sex", *rows]) + "\n")
    people = {
        "reader": "delimited",
        "files": {"all": {"sources": ["file:people.csv"]}},
        "inputs": {"numeric": ["age"]},
        "target": {"column": "paid"},
        "groups": {"sex": {"column": "sex"}},
        "split": {"test": 0.3},
    }
    grid = [{"dataset": "people", "models": ["mlp"], "variants": ["dense"]}]
    run.study(datasets={"people": people}, grid=grid, seeds=1)
    return run


def fairweight(run, *arguments, **options):
    start = "from fairweight.cli.main import main; main()"
    command = [sys.executable, "-c", start, "run", "study.yaml", "--", "--cores", "2", *LOCAL, *arguments]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=run.folder, **output, **options)


def test_snakemake_and_fairweight_see_each_other(run):
    run.snakemake("study.yaml", "--dry-run", TABLE)  # makes the lock
    with (run.folder / LOCK).open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_SH)  # as a run that is under way, and each of its jobs
        refused = run.snakemake("study.yaml", *LOCAL, TABLE, ok=False)
        assert "another run uses this folder; wait until it has ended." in refused and "Traceback" not in refused
        assert not (run.folder / "results").exists()
        assert run.jobs("study.yaml", TABLE) == {"fetch": 1, "read": 1}  # a dry run is free
        waiting = fairweight(run, TABLE)
        assert "waiting for a run in this folder" in waiting.stdout.readline()
    output, _ = waiting.communicate(timeout=300)
    assert waiting.returncode == 0 and (run.folder / TABLE).is_file(), output
    assert run.jobs("study.yaml", TABLE) == {}


def test_after_the_clock_went_back_nothing_is_lost_and_a_source_of_the_future_is_refused(run):
    run.snakemake("study.yaml", *LOCAL, TABLE)
    later = time.time() + HOUR
    for path in (run.folder / "results").rglob("*"):
        if path.is_file():
            os.utime(path, (later, later))
    changed = fairweight(run, TABLE, "results/tiny/seed-0/people/split.parquet")
    output, _ = changed.communicate(timeout=300)
    assert changed.returncode == 0 and "the clock went back" in output, output
    assert "older modification time" not in output and "rule read" not in output
    assert run.jobs("study.yaml", TABLE) == {}
    with (run.folder / "people.csv").open("a") as file:
        file.write("41,yes,f\n")
    os.utime(run.folder / "people.csv", (later, later))
    before = {path: path.stat().st_mtime_ns for path in (run.folder / "results").rglob("*.parquet")}
    refused = run.snakemake("study.yaml", *LOCAL, TABLE, ok=False)
    assert "people.csv is dated" in refused and "'touch'; nothing was started." in refused
    assert {path: path.stat().st_mtime_ns for path in (run.folder / "results").rglob("*.parquet")} == before


def test_the_power_statement_is_printed_again_where_nothing_has_to_run(run):
    first, second = (run.snakemake("study.yaml", *LOCAL, "power") for _ in range(2))
    assert "Nothing to be done" in second and "Nothing to be done" not in first
    for output in (first, second):
        assert output.count("people, 1 seed: losses that are found with probability 0.8") == 1
        assert output.count("  accuracy, all test rows: ") == 1
    assert "all test rows" not in run.snakemake("study.yaml", "--dry-run", "power")


@pytest.mark.parametrize("moment", ["energy", "Building DAG"])
def test_ctrl_c_before_the_first_step_leaves_no_traceback(run, moment):
    started = fairweight(run, TABLE, start_new_session=True)
    next(line for line in started.stdout if moment in line)
    os.killpg(started.pid, signal.SIGINT)
    output, _ = started.communicate(timeout=300)
    assert "Traceback" not in output


def test_a_second_ctrl_c_while_steps_run_leaves_no_traceback_and_the_run_resumes(run):
    started = fairweight(run, TABLE, start_new_session=True)
    next(line for line in started.stdout if "1 of 2 steps" in line)  # the second one begins
    for _ in range(3):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGINT)
        time.sleep(0.2)
    output, _ = started.communicate(timeout=300)
    assert started.returncode == 130 and output.startswith("fairweight: cancelled; run again to resume."), output
    assert not {"Traceback", "KeyboardInterrupt", "RuleException", "WorkflowError"} & set(re.findall(r"\w+", output))
    resumed = fairweight(run, TABLE)
    output, _ = resumed.communicate(timeout=300)
    assert resumed.returncode == 0 and (run.folder / TABLE).is_file(), output
    assert not list((run.folder / "results").rglob(".*unfinished*"))
