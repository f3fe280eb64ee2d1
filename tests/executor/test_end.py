"""What a run prints when it ends, and when it cannot begin."""

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from distributed import Client, LocalCluster, Nanny
from distributed.comm.core import CommClosedError
from harness import eventually, worker_of

from snakemake_executor_plugin_dask.worker import WorkerPlugin


async def lose_a_heartbeat(dask_worker):
    """Fail a heartbeat, as when the scheduler closes while the worker waits for its answer."""

    async def closed(**_):
        raise CommClosedError("Stream is closed")

    kept, dask_worker.scheduler.heartbeat_worker = dask_worker.scheduler.heartbeat_worker, closed
    await dask_worker.heartbeat()
    dask_worker.scheduler.heartbeat_worker = kept


@pytest.mark.parametrize("own", [True, False])
def test_messages_of_a_worker_on_this_machine_go_to_a_file(tmp_path, capfd, own):
    file = tmp_path / "logs" / "dask.log"
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, worker_class=Nanny) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(WorkerPlugin("end", [], {}, log=str(file) if own else None))
        client.run(lose_a_heartbeat)
        time.sleep(0.2)  # its log line passes through the worker's standard error
    assert ("Failed to communicate with scheduler" in capfd.readouterr().err) != own
    assert own == (file.exists() and "Failed to communicate with scheduler" in file.read_text())


@pytest.mark.workflow
def test_a_worker_that_cannot_start_ends_the_run_in_a_sentence(workflow):
    run = workflow("faults")
    process = run.start("--config", "count=2", "seconds=1")
    while process.poll() is None:  # the first worker, before it has connected
        with contextlib.suppress(psutil.NoSuchProcess):
            for worker in process.tree():
                if "spawn_main" in " ".join(worker.cmdline()):
                    worker.kill()
    code, output = run.finish(process)
    assert code != 0 and "dask: the worker on this machine did not start (" in output
    assert "Traceback" not in output and "RuntimeError" not in output


@pytest.mark.workflow
def test_workers_that_are_killed_again_and_again_print_no_traceback(workflow):
    run = workflow("faults")
    process = run.start("--config", "count=30", "seconds=0.1")
    for count in (1, 4, 7):
        eventually(lambda count=count: len(run.ledger()) >= count)
        worker_of(process).kill()
    code, output = run.finish(process)
    assert code == 0, output[-4000:]
    assert "Traceback" not in output and "distributed" not in output
    assert "was lost; the job starts again" in output


@pytest.mark.workflow
def test_ctrl_c_while_the_cluster_starts_ends_the_run_in_a_sentence(workflow):
    run = workflow("faults")
    process = run.start("--config", "count=2", "seconds=1")
    worker_of(process)  # it has started, and has not connected
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it
    tree = process.tree()
    code, output = run.finish(process, 20)
    assert code != 0 and "dask: cancelled while the cluster started." in output
    assert "Traceback" not in output and "KeyboardInterrupt" not in output and "did not start" not in output
    assert run.pids() == [] and not (run.folder / "out").exists()
    eventually(lambda: not [p for p in tree if p.is_running()], 5, "the end of its processes")
    assert "good" in run.run("--nolock", "--config", "count=1", "seconds=0")


@pytest.mark.workflow
def _blocks(pid, number):
    """Whether a process blocks a signal."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":\t") for line in lines if ":\t" in line)
    return bool(int(fields["SigBlk"], 16) >> (number - 1) & 1)


def test_jobs_do_not_inherit_that_the_worker_started_with_ctrl_c_blocked(workflow):
    run = workflow("faults")
    process = run.start("--config", "faults=forever", "count=1", "seconds=60")
    pid = eventually(lambda: next(iter(run.pids()), None))
    try:
        # the C library blocks all signals for a moment while a process starts another one
        eventually(lambda: not _blocks(pid, signal.SIGINT), event="a job that can be interrupted")
    finally:
        run.kill(process)
