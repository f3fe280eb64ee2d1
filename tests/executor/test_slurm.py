"""A real SLURM: Dask's workers as SLURM jobs, and each step as a SLURM job."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import slurm
from harness import PACKAGE, Workflow, eventually

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(bool(slurm.missing()), reason=slurm.missing()),
]
ROOT = PACKAGE.parent


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    with slurm.cluster(folder) as environment:
        yield folder, environment


def study(folder, environment, *arguments):
    """Run the tiny study with the real Snakefile."""
    shutil.copy(ROOT / "tests/config/tiny.yaml", folder / "study.yaml")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", "study.yaml"]
    command += ["--config", "seeds=1"]
    environment = os.environ | environment
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def test_a_study_on_dask_workers_that_are_slurm_jobs(cluster, tmp_path):
    folder, environment = cluster
    arguments = (
        "{queue: test, cores: 1, processes: 1, memory: 4GB, walltime: '00:10:00', interface: lo, "
        "scheduler_options: {dashboard_address: '127.0.0.1:0'}}"
    )
    before = len(slurm.completed(folder))
    profile = ["--profile", str(ROOT / "profiles/slurm"), "--dask-cluster-args", arguments]
    output = study(tmp_path, environment, *profile, "--dask-adapt-maximum", "2", "--dask-ledger", "ledger")
    assert re.search(r"Dask: (\d+) jobs ran warm and 0 cold; 0 attempts failed, 0 were lost", output)
    assert (tmp_path / "results/tiny/report/report.html").exists()
    ended = eventually(lambda: slurm.completed(folder)[before:], 20, "the end of SLURM's jobs")
    assert {job["Name"] for job in ended} == {"dask-worker"} and 1 <= len(ended) <= 4
    print(*ended, sep="\n")


def test_a_cancelled_slurm_job_loses_only_its_steps(cluster, tmp_path):
    """As on a preempted node, SLURM ends the worker, and another one takes over."""
    _, environment = cluster
    run = Workflow("faults", tmp_path / "run")
    arguments = "{queue: test, cores: 1, processes: 1, memory: 2GB, walltime: '00:10:00', interface: lo}"
    executor = ["--executor", "dask", "--jobs", "unlimited", "--dask-ledger", "ledger"]
    executor += ["--dask-cluster", "dask_jobqueue:SLURMCluster", "--dask-cluster-args", arguments]
    executor += ["--dask-adapt-minimum", "1", "--dask-adapt-maximum", "1"]
    process = run.start("--config", "count=2", "seconds=4", executor=executor, **environment)
    eventually(run.pids, 40, "the first step")
    command = ["squeue", "--noheader", "--format=%i", "--states=RUNNING"]
    queue = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    subprocess.run(["scancel", queue.stdout.split()[0]], env=os.environ | environment, check=True)
    code, output = run.finish(process, 90)
    assert code == 0, output[-4000:]
    assert "was lost; the job starts again" in output
    assert sorted(e["status"] for e in run.ledger()) == ["lost", "ok", "ok"]
    assert run.pids() == []


def test_each_step_as_a_slurm_job_without_dask(cluster, tmp_path):
    folder, environment = cluster
    before = len(slurm.completed(folder))
    checks = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2"]
    checks += ["--seconds-between-status-checks", "2"]
    limits = ["--default-resources", "slurm_partition=test", "mem_mb=1000", "runtime=5"]
    profile = ["--workflow-profile", str(ROOT / "profiles/slurm-jobs")]
    target = Path("results/tiny/seed-0/adult/balanced/augmented.parquet")
    study(tmp_path, environment, *profile, *checks, *limits, "--", str(target))
    assert (tmp_path / target).exists()
    jobs = slurm.completed(folder)[before:]
    assert len(jobs) == 5 and {job["JobState"] for job in jobs} == {"COMPLETED"}
