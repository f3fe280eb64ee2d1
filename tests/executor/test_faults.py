"""Everything that can break: jobs, the worker, the fork server, the scheduler, Snakemake itself."""

import os
import signal
import time

import psutil
import pytest
from harness import eventually, fork_server_of, worker_of
from limits import memory_limit, no_limit

pytestmark = pytest.mark.workflow

ENDS = {
    "exception": ("exit status 1", "ValueError: what went wrong"),
    "interrupt": ("exit status 1", "KeyboardInterrupt"),
    "exit_code": ("exit status 7", "this is what it said"),
    "exit_message": ("exit status 1", "a last word"),
    "segfault": ("killed by SIGSEGV", "this is what it said"),
    "sigkill": ("killed by SIGKILL", "this is what it said"),
    "abort": ("killed by SIGABRT", "this is what it said"),
    "memory": ("exit status 1", "MemoryError"),
}


def test_a_failing_job_does_not_affect_other_jobs(workflow):
    run = workflow("faults")
    output = run.run("--keep-going", "--config", f"faults={','.join(ENDS)}", "count=3", "seconds=0.5", ok=False)
    assert sorted(p.name for p in (run.folder / "out").iterdir()) == ["good_0.txt", "good_1.txt", "good_2.txt"]
    entries = {e["wildcards"]["fault"]: e for e in run.ledger() if e["rule"] == "fault"}
    for fault, (ending, printed) in ENDS.items():
        assert ending in output and printed in output, fault
        assert entries[fault]["status"] == "failed" and entries[fault]["exit_code"] != 0
        assert entries[fault]["cpu_s"] > 0 and entries[fault]["peak_memory_bytes"] > 1e6
    assert entries["sigkill"]["exit_code"] == -signal.SIGKILL and entries["exit_code"]["exit_code"] == 7
    assert "3 jobs ran warm and 0 cold; 8 attempts failed" in output


@pytest.mark.skipif(bool(no_limit()), reason=no_limit())
def test_running_out_of_memory_kills_the_job_and_not_the_worker(workflow):
    run = workflow("faults")
    with memory_limit(1_200 * 2**20) as prefix:  # for Snakemake, the worker and the jobs together
        output = run.run("--keep-going", "--config", "faults=hoard", "count=3", "seconds=1", prefix=prefix, ok=False)
    assert "killed by SIGKILL (by a user, or because memory ran out)" in output
    assert not (run.folder / "pids/kept").exists()
    assert sorted(e["status"] for e in run.ledger()) == ["failed", "ok", "ok", "ok"]


def test_the_kernel_prefers_jobs_when_memory_runs_out(workflow):
    run = workflow("faults")
    process = run.start("--config", "faults=forever", "seconds=0.1")
    eventually((run.folder / "pids/forever").exists)
    scores = {p: int(_read(f"/proc/{p}/oom_score_adj")) for p in run.pids()}
    assert set(scores.values()) == {1000}
    assert int(_read(f"/proc/{worker_of(process).pid}/oom_score_adj")) < 1000
    process.send_signal(signal.SIGINT)
    run.finish(process)


def _read(path):
    with open(path) as file:
        return file.read()


def test_no_job_starts_after_a_failure(workflow):
    run = workflow("faults")
    run.run("--config", "faults=exception", "count=12", "seconds=1", ok=False)
    assert len([e for e in run.ledger() if e["status"] == "ok"]) <= 4


def test_retries_are_those_of_snakemake(workflow):
    run = workflow("faults")
    output = run.run("--config", "faults=flaky", "retries=2", "count=0")
    assert output.count("Trying to restart job") == 2
    assert [(e["attempt"], e["status"]) for e in run.ledger()] == [(1, "failed"), (2, "failed"), (3, "ok")]


def test_a_job_leaves_no_process_behind(workflow):
    run = workflow("faults")
    run.run("--config", "faults=orphans", "count=0")
    assert run.pids() == []


def test_a_killed_worker_is_replaced_and_its_jobs_start_again(workflow):
    run = workflow("faults")
    process = run.start("--config", "count=3", "seconds=3")
    eventually(lambda: len(run.pids()) == 2)
    killed = run.pids()
    worker_of(process).kill()
    eventually(lambda: not set(run.pids()) & set(killed), 5, "the end of the killed worker's jobs")
    code, output = run.finish(process)
    assert code == 0, output[-4000:]
    assert "its worker" not in output and "was lost; the job starts again" in output
    assert "Traceback" not in output and "Compute Failed" not in output
    statuses = [e["status"] for e in run.ledger()]
    assert statuses.count("ok") == 3 and statuses.count("lost") == 2
    assert all(e["cpu_s"] is None for e in run.ledger() if e["status"] == "lost")  # unknown, which is not 0


def test_a_ledger_that_is_taken_away_ends_the_run_in_one_sentence(workflow):
    run = workflow("faults")
    process = run.start("--config", "count=1", "seconds=3")
    eventually(lambda: len(run.pids()) == 1)
    (run.folder / "ledger").rename(run.folder / "elsewhere")
    code, output = run.finish(process)
    assert code != 0 and "Traceback" not in output, output[-4000:]
    assert "cannot be written (No such file or directory); if its folder was moved or removed, put it back" in output


def test_running_jobs_survive_a_killed_fork_server(workflow):
    run = workflow("faults")
    process = run.start("--config", "count=4", "seconds=2")
    eventually(lambda: len(run.pids()) == 2)
    fork_server_of(process).kill()
    code, output = run.finish(process)
    assert code == 0, output[-4000:]
    assert [e["status"] for e in run.ledger()] == ["ok"] * 4


def test_a_killed_supervisor_fails_its_job_only(workflow):
    run = workflow("faults")
    process = run.start("--config", "count=2", "seconds=3")
    pids = eventually(lambda: len(run.pids()) == 2 and run.pids())
    psutil.Process(pids[0]).parent().kill()
    eventually(lambda: pids[0] not in run.pids(), 5, "the end of its job")
    code, _ = run.finish(process)
    assert code != 0
    assert sorted(e["status"] for e in run.ledger()) == ["failed", "ok"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "sigkill"])
def test_all_processes_end_with_snakemake(workflow, number):
    run = workflow("faults")
    process = run.start("--config", "faults=forever", "count=3", "seconds=60")
    eventually(lambda: (run.folder / "pids/forever").exists() and len(run.pids()) == 3)
    tree = process.tree()
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal sends it, to all foreground processes
        time.sleep(0.2)
        os.killpg(process.pid, number)  # somebody who does not want to wait
    else:
        process.kill()
    start = time.monotonic()
    run.finish(process, 10)
    eventually(lambda: not run.pids(), 5 - (time.monotonic() - start), "the end of its jobs")
    eventually(lambda: not [p for p in tree if p.is_running()], 5, "the end of its processes")
    if number == signal.SIGINT:
        assert "Traceback" not in run.output()
        assert [e["status"] for e in run.ledger()] == ["cancelled"] * 4
    # incomplete files of the dead run are not used (Snakemake handles its own lock)
    run.run("--nolock", "--rerun-incomplete", "--config", "count=3", "seconds=0")
    assert {p.read_text() for p in (run.folder / "out").glob("good*")} == {"good\n"}


def test_running_jobs_finish_after_sigterm(workflow):
    run = workflow("faults")
    process = run.start("--config", "count=6", "seconds=2")
    eventually(lambda: len(run.pids()) == 2)
    process.send_signal(signal.SIGTERM)
    code, output = run.finish(process, 30)
    assert code != 0 and "Will exit after finishing currently running jobs" in output
    finished = {e["output"][0] for e in run.ledger() if e["status"] == "ok"}
    assert finished == {f"out/{p.name}" for p in (run.folder / "out").iterdir()}
    assert 2 <= len(finished) <= 4  # the running ones, and the next ones in the queue of Dask
    assert run.pids() == []
