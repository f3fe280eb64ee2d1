"""Clusters of several hosts: workers that come, leave and lose the network."""

import signal
import time

import pytest
from harness import dask, end, eventually, free_port, scheduler
from hosts import hosts, missing

pytestmark = pytest.mark.workflow
several = pytest.mark.skipif(bool(missing()), reason=missing())
EXECUTOR = ["--executor", "dask", "--jobs", "unlimited", "--dask-ledger", "ledger"]
# time after which Dask gives up a silent connection; it accepts no less than 11 s
IMPATIENT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}


def registered(folder, count):
    eventually(lambda: (folder / "dask.txt").read_text().count("Registered to") >= count, 40, "the workers' start")


@several
def test_a_host_that_loses_the_network_stops_its_jobs_before_others_start_them(workflow):
    run = workflow("faults")
    with hosts(3) as (head, kept, lost_host):
        address = f"tls://{head.address}:8786"
        # these services cannot be reached from outside the hosts
        started = [
            dask("scheduler", "--host", address, "--no-dashboard", folder=run.folder, prefix=head.prefix, **IMPATIENT)
        ]
        try:
            for host in (kept, lost_host):
                arguments = ["worker", address, "--no-dashboard", "--nthreads", "1", "--host", host.address]
                started.append(dask(*arguments, folder=run.folder, prefix=host.prefix, **IMPATIENT))
            registered(run.folder, 2)
            arguments = ["--dask-scheduler", address, "--config", "count=3", "seconds=14"]
            process = run.start(*arguments, executor=EXECUTOR, prefix=head.prefix, **IMPATIENT)
            eventually(lambda: len(run.pids()) == 2, 40, "the start of both jobs")
            lost_host.cut()
            cut = time.time()
            eventually(lambda: len(run.pids()) == 1, 11, "the end of the job on the host without network")
            stopped = time.time()
            code, output = run.finish(process, 120)
        finally:
            end(*started)
    assert code == 0, output[-4000:]
    (lost,) = [e for e in run.ledger() if e["status"] == "lost"]
    assert lost["worker"].startswith(f"tls://{lost_host.address}")
    (again,) = [e for e in run.ledger() if e["output"] == lost["output"] and e["status"] == "ok"]
    assert again["worker"].startswith(f"tls://{kept.address}") and cut < stopped < again["started"]
    assert [e["status"] for e in run.ledger()].count("ok") == 3


@several
def test_a_short_break_of_the_network_is_survived(workflow):
    run = workflow("faults")
    with hosts(2) as (head, other):
        address = f"tls://{head.address}:8786"
        started = [dask("scheduler", "--host", address, "--no-dashboard", folder=run.folder, prefix=head.prefix)]
        try:
            arguments = ["worker", address, "--no-dashboard", "--nthreads", "2", "--host", other.address]
            started.append(dask(*arguments, folder=run.folder, prefix=other.prefix))
            registered(run.folder, 1)
            process = run.start(
                "--dask-scheduler", address, "--config", "count=2", "seconds=8", executor=EXECUTOR, prefix=head.prefix
            )
            eventually(lambda: len(run.pids()) == 2, 40, "the start of both jobs")
            other.cut()
            time.sleep(4)
            other.join()
            code, output = run.finish(process, 90)
        finally:
            end(*started)
    assert code == 0, output[-4000:]
    assert [e["status"] for e in run.ledger()] == ["ok", "ok"]


def test_a_scheduler_that_dies_ends_the_run_and_its_jobs(workflow):
    run = workflow("faults")
    address = f"tls://127.0.0.1:{free_port()}"
    started = [dask("scheduler", "--host", address, "--no-dashboard", folder=run.folder)]
    try:
        started.append(dask("worker", address, "--no-dashboard", "--nthreads", "2", folder=run.folder))
        registered(run.folder, 1)
        process = run.start(
            "--dask-scheduler", address, "--config", "faults=forever", "count=2", "seconds=60", executor=EXECUTOR
        )
        eventually(
            lambda: (run.folder / "pids/forever").exists() and len(run.pids()) == 3, 40, "the start of both jobs"
        )
        started[0].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        code, output = run.finish(process, 30)
        eventually(lambda: not run.pids(), 5 - (time.monotonic() - killed), "the end of its jobs")
    finally:
        end(*started)
    assert code != 0 and "the connection to the Dask scheduler was lost; run again to resume" in output
    assert not (run.folder / "out").exists() or not list((run.folder / "out").iterdir())
    assert {e["status"] for e in run.ledger()} == {"lost"}


def test_workers_may_come_late_and_go_early(workflow):
    run = workflow("faults")
    with scheduler(run.folder) as address:
        process = run.start("--dask-scheduler", address, "--config", "count=8", "seconds=2", executor=EXECUTOR)
        time.sleep(4)  # the run starts before any worker
        workers = [dask("worker", address, "--no-dashboard", "--nthreads", "1", folder=run.folder)]
        try:
            eventually(lambda: len(run.pids()) == 1, 40, "the first job")
            workers.append(dask("worker", address, "--no-dashboard", "--nthreads", "2", folder=run.folder))
            eventually(lambda: len(run.pids()) == 3, 20, "jobs on the worker that came late")
            workers[0].send_signal(signal.SIGTERM)  # as on a node that is preempted
            code, output = run.finish(process, 60)
        finally:
            end(*workers)
    assert code == 0, output[-4000:]
    statuses = [e["status"] for e in run.ledger()]
    assert statuses.count("ok") == 8 and statuses.count("lost") == 1
    assert len({e["worker"] for e in run.ledger()}) == 2


def test_a_run_without_workers_ends_after_the_timeout(workflow):
    run = workflow("faults")
    with scheduler(run.folder) as address:
        output = run.run(
            "--dask-scheduler", address, "--dask-worker-timeout", "3", executor=EXECUTOR, ok=False, seconds=40
        )
    assert "no Dask worker has come within 3 seconds" in output


def test_two_runs_share_a_scheduler(workflow):
    runs = [workflow("faults", name) for name in ("one", "two")]
    with scheduler(runs[0].folder, "--nthreads", "2") as address:
        started = [
            run.start("--dask-scheduler", address, "--config", "count=3", "seconds=0.5", executor=EXECUTOR)
            for run in runs
        ]
        for run, process in zip(runs, started, strict=True):
            code, output = run.finish(process)
            assert code == 0, output[-4000:]
            assert "3 jobs ran warm" in output
