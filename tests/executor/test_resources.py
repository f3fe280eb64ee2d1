"""Jobs reserve threads, memory, whole workers and GPUs, which the times of their runs show."""

import json
from types import SimpleNamespace

import pytest
from harness import LOCAL, scheduler, silent_port

from snakemake_executor_plugin_dask import worker

pytestmark = pytest.mark.workflow


def records(run, kind):
    return [json.loads(path.read_text()) for path in sorted((run.folder / "out").glob(f"{kind}_*.json"))]


def most_at_once(runs):
    return max(sum(a["started"] <= b["started"] < a["ended"] for a in runs) for b in runs)


def overlap(first, second):
    return first["started"] < second["ended"] and second["started"] < first["ended"]


def test_threads_reserve_cores_and_limit_libraries(workflow):
    run = workflow("resources")
    run.run("--config", "kind=threads")
    runs = records(run, "threads")
    assert most_at_once(runs) == 1  # two threads each, on two cores
    assert {(r["threads"], r["OMP_NUM_THREADS"]) for r in runs} == {(2, "2")}


@pytest.mark.parametrize("executor", ["dask", "local"])
def test_an_exclusive_job_has_its_worker_to_itself(workflow, executor):
    run = workflow("resources")
    run.run("--config", "kind=exclusive", **({"executor": LOCAL} if executor == "local" else {}))
    exclusive, small = records(run, "exclusive"), records(run, "small")
    assert most_at_once(exclusive) == 1 and most_at_once(small) == 2
    assert not [(a, b) for a in exclusive for b in small if overlap(a, b)]


def test_memory_is_reserved_on_any_scheduler(workflow):
    run = workflow("resources")
    with scheduler(run.folder, "--nthreads", "4", "--memory-limit", "1300MB") as address:
        run.run("--dask-scheduler", address, "--config", "kind=memory")
    assert most_at_once(records(run, "memory")) == 2  # 600 MB each, of 1300


def test_gpus_are_reserved_and_handed_out(workflow):
    run = workflow("resources")
    with scheduler(run.folder, "--nthreads", "4", "--resources", "GPU=2") as address:
        run.run("--dask-scheduler", address, "--config", "kind=gpu")
        runs = records(run, "gpu")
        assert most_at_once(runs) == 2 and {r["gpu"] for r in runs} == {"0", "1"}
        assert not [(a, b) for a in runs for b in runs if a is not b and a["gpu"] == b["gpu"] and overlap(a, b)]
        output = run.run("--dask-scheduler", address, "--config", "kind=too_many_gpus", ok=False)
    assert "it needs 3 GPUs, and the largest worker has 2" in output


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("too_much_memory", "it needs 1000000000 MB of memory, and the largest worker has"),
        ("too_many_gpus", "it needs 3 GPUs, and the largest worker has 0"),
    ],
)
def test_a_job_that_no_worker_can_run_fails_at_once_in_a_sentence(workflow, kind, reason):
    run = workflow("resources")
    output = run.run("--config", f"kind={kind}", ok=False, seconds=30)
    assert f"no worker can run {kind} (jobid 1): {reason}" in output
    assert "Traceback" not in output


def test_gpus_of_the_machine_are_found_and_a_job_can_run_without(workflow, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "NVIDIA", tmp_path / "gpus")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    idle = SimpleNamespace(state=SimpleNamespace(total_resources={}))
    assert worker._devices(idle) == []
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert worker._devices(idle) == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert worker._devices(idle) == ["1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert worker._devices(idle) == []
    run = workflow("resources")
    output = run.run("--config", "kind=too_many_gpus", ok=False, seconds=30, CUDA_VISIBLE_DEVICES="")
    assert "--set-resources too_many_gpus:gpu=0 runs it without" in output
    run.run("--config", "kind=too_many_gpus", "--set-resources", "too_many_gpus:gpu=0", CUDA_VISIBLE_DEVICES="")


def test_more_threads_than_any_worker_has_is_reported(workflow):
    run = workflow("resources")
    with scheduler(run.folder, "--nthreads", "2") as address:
        executor = ["--executor", "dask", "--jobs", "9", "--dask-scheduler", address]
        output = run.run("--config", "kind=too_many_threads", executor=executor, ok=False, seconds=30)
    assert "it needs 3 cores, and the largest worker has 2" in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--dask-scheduler", "tls://127.0.0.1:{port}"], "no scheduler answers at tls://127.0.0.1:"),
        (["--dask-scheduler", "nonsense://x"], "nonsense://x is not an address"),
        (["--dask-cluster", "dask_jobqueue.SLURMCluster"], "is not module:Class"),
        (["--dask-cluster", "no_such_package:Cluster"], "install the package that has it"),
        (["--dask-cluster", "distributed:NoCluster"], "the module distributed has no NoCluster"),
        (
            ["--dask-cluster", "distributed:LocalCluster", "--dask-cluster-args", "{n_workers: ["],
            "neither JSON nor YAML",
        ),
        (["--dask-cluster", "distributed:SpecCluster", "--dask-cluster-args", "{no_such: 1}"], "did not start"),
        (["--dask-cluster", "distributed:LocalCluster", "--dask-cluster-args", "missing.yaml"], "cannot be read"),
        (["--dask-preload", "torch,no/such.txt"], "'no/such.txt' is neither the name of a module nor a file"),
        (["--dask-cluster", "a:B", "--dask-scheduler", "tcp://x:1"], "exclude each other"),
    ],
)
def test_bad_settings_are_reported_in_a_sentence(workflow, arguments, sentence):
    run = workflow("resources")
    with silent_port() as port:
        output = run.run(*[a.format(port=port) if "{port}" in a else a for a in arguments], ok=False)
    assert sentence in output and "Traceback" not in output


def test_another_cluster_class_is_started_with_its_arguments(workflow):
    run = workflow("resources")
    arguments = '{"n_workers": 0, "threads_per_worker": 1, "dashboard_address": null}'
    adaptive = ["--dask-adapt-minimum", "0", "--dask-adapt-maximum", "2"]
    run.run(
        "--dask-cluster",
        "distributed:LocalCluster",
        "--dask-cluster-args",
        arguments,
        *adaptive,
        "--config",
        "kind=small",
    )
    assert len(records(run, "small")) == 1
