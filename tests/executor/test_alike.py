"""A job sees the same in a fork, in a new Snakemake process, and under the local executor."""

import json
import re
import threading
import time

import psutil
import pytest
from harness import DASK, WORKFLOWS, files_of, scheduler

from snakemake_executor_plugin_dask.request import Request
from snakemake_executor_plugin_dask.worker import _still_missing

pytestmark = pytest.mark.workflow
HERE = DASK[: DASK.index("--cores")]
LEDGER = ["--dask-ledger", "ledger"]
SHELLS = re.findall(r"^rule (shell_\w+):", (WORKFLOWS / "alike" / "shells.smk").read_text(), re.MULTILINE)
# jobs with different texts as resources cannot be grouped
GROUPED = [*(rule for rule in SHELLS if rule != "shell_sh"), "m_shell_module"]
IN_A_GROUP = ["--groups", *(f"{rule}=cold" for rule in GROUPED), "--group-components", "cold=100"]


@pytest.fixture
def outcomes(workflow):
    """Outputs of the workflow by the local executor and by Dask, with a number of cores, and its folders."""

    def run(cores, *arguments, executors=None, **environment):
        outputs, runs = {}, {}
        for name, options in (executors or {"local": ["--executor", "local"], "dask": [*HERE, *LEDGER]}).items():
            runs[name] = workflow("alike", f"{name}/run")
            runs[name].run(*arguments, executor=[*options, "--cores", str(cores)], seconds=150, **environment)
            outputs[name] = files_of(runs[name].folder, "out")
        return outputs, runs

    return run


@pytest.mark.parametrize("cores", [1, psutil.cpu_count() + 1])
def test_configs_params_threads_and_environments_are_alike(outcomes, cores):
    made, runs = outcomes(cores, REMOVED_BY_SNAKEFILE="1")
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
    because = {entry["rule"]: entry["cold_because"] for entry in runs["dask"].ledger()}
    assert {because[rule] for rule in ("tmpdir", "m_config", *SHELLS, "m_shell_module")} == {None}
    assert dask["out/shell_own_tmpdir.txt"] == "own tmpdir own tmpdir\nown tmpdir\n"
    assert "y\n141 0\n" in dask["out/shell_options.txt"] and "FROM_SNAKEFILE=set" in dask["out/shell_environment.txt"]
    assert dask["out/shell_repeated.txt"] == "0\n1\n2\n" and dask["out/shell_retried.txt"] == "3\n"
    folder = runs["dask"].folder
    assert len((folder / "benchmark/shell_repeated.tsv").read_text().splitlines()) == 4
    assert not (folder / "left_behind").exists() and not list((folder / ".snakemake").glob("shell_tmp.*"))


def test_shells_in_a_new_snakemake_process_are_alike(outcomes):
    """A group runs cold."""
    executors = {"local": ["--executor", "local"], "cold": [*HERE, *LEDGER, *IN_A_GROUP]}
    made, runs = outcomes(2, "out/shells.txt", executors=executors)
    (grouped,) = (entry for entry in runs["cold"].ledger() if entry["cold_because"] == "a group job")
    assert grouped["status"] == "ok" and made["cold"] == made["local"]


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


FAILING = """
calls = []

def only_once():
    calls.append(1)
    return " " if len(calls) == 1 else {}["later"]

rule all:
    input: "strict.txt", "code.txt", "unset.txt", "second.txt", "killed.txt", "updated.txt", "no_shell.txt"

rule strict:
    output: "strict.txt"
    shell: "false | true; touch {output}"

rule code:
    output: "code.txt"
    benchmark: repeat("code.tsv", 2)
    shell: "echo what went wrong >&2; exit 3{bench_iteration}"

rule unset:
    output: "unset.txt"
    shell: "echo $NOWHERE > {output}"

rule second:
    output: "second.txt"
    shell:
        "touch {output}" + only_once()

rule killed:
    output: "killed.txt"
    shell: "kill -9 $$"

rule updated:
    output: update("updated.txt")
    shell: "echo broken >> {output}; exit 1"

rule no_shell:
    output: "no_shell.txt"
    resources: shell_exec="no-such-shell"
    shell: "touch {output}"
"""


def test_shells_fail_with_the_same_words_as_locally(workflow):
    said, files = {}, {}
    for name, options in {"local": ["--executor", "local"], "dask": [*HERE, *LEDGER]}.items():
        run = workflow("alike", f"{name}/run")
        (run.folder / "Snakefile").write_text(FAILING)
        (run.folder / "updated.txt").write_text("earlier\n")
        output = run.run("--keep-going", "--forcerun", "updated", executor=[*options, "--cores", "2"], ok=False)
        errors = re.findall(r"^RuleException:\n(\w+ in file .*\n.*)$", output, re.MULTILINE)
        said[name] = sorted(error.replace(str(run.folder), "") for error in errors)
        files[name] = files_of(run.folder, ".")
        files[name] = sorted(file for file in files[name] if file.endswith(".txt")), files[name]["updated.txt"]
    assert said["dask"] == said["local"] and len(said["local"]) == 7
    assert 'CalledProcessError in file "/Snakefile", line 18:' in "\n".join(said["dask"])
    assert files["dask"] == files["local"] and files["dask"][1] == "earlier\n"
    exits = {entry["rule"]: entry["exit_code"] for entry in run.ledger()}
    assert exits == {"strict": 1, "code": 30, "unset": 1, "killed": -9, "updated": 1}
    assert "exit status 30 on" in output and "what went wrong" in output


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
    input: "warm.txt", "cold.txt", "shell.txt", "tmpdir.txt", "own.txt", "params.txt"

os.environ["FROM_SNAKEFILE"] = "set"

rule warm:
    input: "config.yaml"
    output: "warm.txt"
    script: "scripts/threads.py"

rule cold:
    input: "config.yaml", "m.smk"
    output: "cold.txt"
    run:
        (names,) = Path(".snakemake/dask_logs").glob("cold-*.files")
        Path(output[0]).write_text(names.read_text())

rule shell:
    input: "config.yaml"
    output: "shell.txt"
    shell: "echo $TMPDIR $FROM_SNAKEFILE > {output}"

rule tmpdir:
    output: "tmpdir.txt"
    shell: "echo {resources.tmpdir} > {output}"

rule own:
    output: "own.txt"
    resources: tmpdir=lambda wildcards: "own"
    shell: "echo $TMPDIR > {output}"

rule params:
    output: "params.txt"
    params: path=lambda wildcards, resources: resources.tmpdir + "/x"
    shell: "echo {params.path} > {output}"
"""
UNKNOWN = ", which only the worker knows"


def test_jobs_elsewhere_wait_for_their_files_and_know_their_tmpdir(workflow, tmp_path):
    run = workflow("alike")
    (run.folder / "Snakefile").write_text("import os\nfrom pathlib import Path\n" + AWAITED)
    own, of_cluster = tmp_path / "own", tmp_path / "cluster"
    own.mkdir(), of_cluster.mkdir()
    with scheduler(run.folder, "--nthreads", "2", TMPDIR=str(of_cluster)) as address:
        executor = ["--executor", "dask", "--jobs", "4", *LEDGER]
        run.run("--dask-scheduler", address, executor=executor, TMPDIR=str(own))
    assert (run.folder / "cold.txt").read_text() == "config.yaml\nm.smk\n"
    made = {name: (run.folder / f"{name}.txt").read_text() for name in ("shell", "tmpdir", "own", "params")}
    assert made == {
        "shell": f"{of_cluster} set\n",
        "tmpdir": f"{of_cluster}\n",
        "own": "own\n",
        "params": f"{of_cluster}/x\n",
    }
    assert {entry["rule"]: entry["cold_because"] for entry in run.ledger()} == {
        "warm": None,
        "cold": "run: directive",
        "shell": None,
        "tmpdir": f"a command made of tmpdir{UNKNOWN}",
        "own": f"a tmpdir of its own{UNKNOWN}",
        "params": f"params made of tmpdir{UNKNOWN}",
    }


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
