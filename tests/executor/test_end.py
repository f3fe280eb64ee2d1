"""What a run prints when it ends."""

import time

import pytest
from distributed import Client, LocalCluster, Nanny
from distributed.comm.core import CommClosedError

from snakemake_executor_plugin_dask.worker import WorkerPlugin


async def lose_a_heartbeat(dask_worker):
    """Fail a heartbeat, as when the scheduler closes while the worker waits for its answer."""

    async def closed(**_):
        raise CommClosedError("Stream is closed")

    kept, dask_worker.scheduler.heartbeat_worker = dask_worker.scheduler.heartbeat_worker, closed
    await dask_worker.heartbeat()
    dask_worker.scheduler.heartbeat_worker = kept


@pytest.mark.parametrize(("local", "logged"), [(True, False), (False, True)])
def test_a_last_heartbeat_that_fails_is_logged_only_if_the_scheduler_is_elsewhere(capfd, local, logged):
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, worker_class=Nanny) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(WorkerPlugin("end", [], local=local))
        client.run(lose_a_heartbeat)
        time.sleep(0.2)  # its log line passes through the worker's standard error
    assert ("Failed to communicate with scheduler" in capfd.readouterr().err) == logged
