"""A job sees the same in a fork, in a new Snakemake process, and under the local executor."""

import json
import threading
import time

import psutil
import pytest
from harness import DASK, files_of, scheduler

from snakemake_executor_plugin_dask.request import Request
from snakemake_executor_plugin_dask.worker import _still_missing

pytestmark = pytest.mark.workflow
HERE = DASK[: DASK.index("--cores")]
LEDGER = ["--dask-ledger", "ledger"]


@pytest.fixture
def outcomes(workflow):
    """Outputs of the workflow by the local executor and by Dask, with a number of cores."""

    def run(cores, *arguments, **environment):
        outputs = {}
        for name, options in {"local": ["--executor", "local"], "dask": [*HERE, *LEDGER]}.items():
            workflow_run = workflow("alike", name)
            workflow_run.run(*arguments, executor=[*options, "--cores", str(cores)], seconds=150, **environment)
            outputs[name] = files_of(workflow_run.folder, "out")
        return outputs, workflow_run

    return run


@pytest.mark.parametrize("cores", [1, psutil.cpu_count() + 1])
def test_configs_params_threads_and_environments_are_alike(outcomes, cores):
    made, run = outcomes(cores)
    local, dask = made["local"], made["dask"]
    assert json.loads(dask["out/m_config.json"]) == {"v": 7}
    assert dask["out/all_script.txt"].split()[0] == dask["out/all_run.txt"].split()[0] == str(cores)
    # the local executor limits the libraries of a script and not those of `run:`; here both have the job's threads
    for kind in ("script", "run", "grouped"):
        threads, limit = dask[f"out/threads_{kind}.txt"].split()
        assert threads == limit == str(min(2, cores))
    unlimited = {"out/threads_run.txt", "out/all_run.txt"}
    assert {k: v for k, v in dask.items() if k not in unlimited} == {
        k: v for k, v in local.items() if k not in unlimited
    }
    assert {k: dask[k].split()[0] for k in unlimited} == {k: local[k].split()[0] for k in unlimited}
    because = {entry["rule"]: entry["cold_because"] for entry in run.ledger()}
    assert "tmpdir" in because["tmpdir"] and because["m_config"] is None


def test_the_users_own_variables_reach_jobs(outcomes):
    made, _ = outcomes(2, "out/environment_script.txt", "out/environment_run.txt", PYTHONHASHSEED="5")
    assert made["dask"] == made["local"]
    assert made["dask"]["out/environment_script.txt"].startswith("['5', None")


def test_scripts_are_kept_on_request(workflow):
    run = workflow("alike")
    run.run("--skip-script-cleanup", "out/environment_script.txt", "out/m_config.json")
    kept = {path.name.split(".", 1)[1]: path.read_text() for path in (run.folder / ".snakemake/scripts").iterdir()}
    assert set(kept) == {"environment.py", "config.py"}
    assert "snakemake = pickle.loads(" in kept["config.py"] and "json.dump(snakemake.config" in kept["config.py"]


GROUPS = """
rule all:
    input: "failed.txt", "large.txt"

rule failing:
    output: "failed.txt"
    group: "one"
    shell: "echo what went wrong; exit 3"

rule large:
    output: "large.txt"
    group: "two"
    resources: mem_mb=10**9
    shell: "touch {output}"
"""


def test_a_group_that_fails_says_why(workflow):
    run = workflow("alike")
    (run.folder / "Snakefile").write_text(GROUPS)
    output = run.run("--keep-going", ok=False)
    assert "the group job one_failing" in output and "exit status 1" in output and "what went wrong" in output
    assert "the group job two_large" in output and "it needs 1000000000 MB of memory" in output
    assert "2 attempts failed" in output


AWAITED = """
rule all:
    input: "warm.txt", "cold.txt"

rule warm:
    input: "config.yaml"
    output: "warm.txt"
    script: "scripts/threads.py"

rule cold:
    input: "config.yaml", "m.smk"
    output: "cold.txt"
    shell: "cat {input} > {output}"
"""


def test_jobs_elsewhere_wait_for_their_files(workflow):
    run = workflow("alike")
    (run.folder / "Snakefile").write_text(AWAITED)
    with scheduler(run.folder, "--nthreads", "2") as address:
        run.run("--dask-scheduler", address, executor=["--executor", "dask", "--jobs", "4"])
    (names,) = (run.folder / ".snakemake/dask_logs").glob("cold-*.files")
    assert names.read_text() == "config.yaml\nm.smk\n"


@pytest.mark.parametrize("late", [True, False])
def test_a_file_that_a_network_file_system_shows_late_is_waited_for(tmp_path, late):
    request = Request("job", "true", str(tmp_path), {}, 1, "log", awaited=(str(tmp_path / "late"),), latency_s=2.0)
    timer = threading.Timer(0.7, (tmp_path / "late").touch)
    if late:
        timer.start()
    started = time.monotonic()
    assert _still_missing(request, lambda: True) == ("" if late else str(tmp_path / "late"))
    assert (time.monotonic() - started < 2.0) == late
    timer.cancel()
