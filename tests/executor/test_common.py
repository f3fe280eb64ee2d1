"""Tests of the executor that need no Snakemake process."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from snakemake_executor_plugin_dask import resources
from snakemake_executor_plugin_dask.forkserver import ForkServer
from snakemake_executor_plugin_dask.request import Request


def test_snakemake_finds_the_plugin_and_every_setting_has_a_help_text():
    plugin = ExecutorPluginRegistry().get_plugin("dask")
    assert all(len(info["help"]) > 20 and info["cliarg"].startswith("--dask-") for info in plugin.get_settings_info())


@pytest.mark.parametrize(
    ("threads", "reserved", "expected"),
    [
        (2, {}, {"cores": 2, "share": 1}),
        (0, {"mem_mb": 500, "gpu": 1}, {"memory": 500, "gpus": 1, "share": 1}),
        (8, {"exclusive": 1}, {"cores": 1, "share": resources.WHOLE}),
        (1, {"mem_mb": "<TBD>", "exclusive": 0}, {"cores": 1, "share": 1}),
    ],
)
def test_a_job_reserves_its_threads_and_resources(threads, reserved, expected):
    names = {"cores": resources.CORES, "memory": resources.MEMORY, "gpus": resources.GPUS, "share": resources.SHARE}
    assert resources.needed(threads, reserved) == {names[name]: amount for name, amount in expected.items()}


def test_why_no_worker_is_large_enough():
    small = resources.offered(threads=2, memory_bytes=8 * 10**9, gpus=0)
    large = resources.offered(threads=8, memory_bytes=2 * 10**9, gpus=0)
    assert resources.shortcoming(resources.needed(4, {"mem_mb": 1000}), [small, large]) == ""
    assert resources.shortcoming(resources.needed(4, {"mem_mb": 10**6}), []) == ""  # no worker is known yet
    reason = resources.shortcoming(resources.needed(16, {}), [small, large])
    assert reason == "it needs 16 cores, and the largest worker has 8"
    reason = resources.shortcoming(resources.needed(4, {"mem_mb": 4000}), [small, large])
    assert reason == "it needs 4 cores and 4000 MB of memory at once, which no worker has"


def test_running_attempts_continue_when_the_fork_server_stops(tmp_path):
    server = ForkServer([])
    request = Request("test", "sleep 1; exit 4", str(tmp_path), {}, 1, str(tmp_path / "log"))
    started = threading.Event()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(server.run, request, None, lambda: True, lambda _: started.set())
        assert started.wait(20) and server.idle_s == 0
        server.stop()
        assert not running.done()  # it did not wait for the attempt
        assert running.result(10).exit_code == 4


def test_the_fork_server_reports_resource_usage_and_exit_code_of_a_process(tmp_path):
    server = ForkServer([])
    try:
        ends = {}
        for command in ("exit 3", "kill -9 $$", "setsid sleep 60 & exit 0"):
            request = Request("test", command, str(tmp_path), {}, 1, str(tmp_path / "log"))
            pids = []
            ends[command] = server.run(request, None, lambda: True, pids.append)
            assert len(pids) == 1 and ends[command].cpu_s > 0 and ends[command].peak_memory_bytes > 1e6
        assert [usage.exit_code for usage in ends.values()] == [3, -9, 0]
        busy = Request(
            "test", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done", str(tmp_path), {}, 1, str(tmp_path / "log")
        )
        usage = server.run(busy, None, lambda: True, lambda _: None)
        assert 0.02 < usage.cpu_s < 1.5 * usage.wall_s + 0.1
    finally:
        server.stop()
