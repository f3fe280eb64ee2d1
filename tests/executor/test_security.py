"""Other users of a machine, who can connect to every port of it, cannot use a run's cluster."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
import slurm
from distributed import LocalCluster
from harness import DASK, certificates, dask, end, eventually, free_port

pytestmark = pytest.mark.workflow
NOBODY = 65534
DEFAULTS = [*DASK[: DASK.index("--dask-dashboard")], "--dask-ledger", "ledger"]
JOBS = ["--config", "faults=forever", "count=2", "seconds=60"]


@pytest.fixture
def proof():
    """A file that everybody can write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    file = folder / "proof"
    file.touch()
    file.chmod(0o666)
    yield file
    shutil.rmtree(folder)


def attack(proof, *addresses):
    """Attack addresses as another user (where the test may become one); returns the kinds of attack that succeeded."""
    user = NOBODY if os.geteuid() == 0 else os.geteuid()
    command = [sys.executable, "-P", str(Path(__file__).with_name("attack.py")), str(user), str(proof), *addresses]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    subprocess.run(command, env=clean, cwd="/", capture_output=True, check=True, timeout=300)
    return sorted(line.split()[0] for line in proof.read_text().splitlines())


def listeners(pid):
    """Addresses at which a process and its descendants listen, and the Unix sockets among them."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    connections = [each for process in processes for each in process.net_connections("all")]
    ports = {f"{c.laddr.ip}:{c.laddr.port}" for c in connections if c.status == psutil.CONN_LISTEN}
    names = {c.laddr for c in connections if c.family.name == "AF_UNIX" and c.laddr}
    return sorted(ports), sorted(names)


def test_the_attack_succeeds_on_a_cluster_of_dask_itself(proof):
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        ports, _ = listeners(os.getpid())
        assert cluster.scheduler_address.partition("://")[2] in ports
        done = attack(proof, *ports)
    # the code runs in the scheduler (this process), the nanny (as well) and the worker; scheduler and worker show pages
    assert {"run_on_scheduler", "run", "submit", "run_function"} <= set(done) and done.count("page") == 2
    owners = {line.split()[2] for line in proof.read_text().splitlines() if not line.startswith("page")}
    assert owners == {str(os.geteuid())}


def test_nobody_else_can_use_the_cluster_of_a_run(workflow, proof):
    run = workflow("faults")
    process = run.start(*JOBS, executor=DEFAULTS)
    eventually(lambda: len(run.pids()) == 3)
    ports, names = listeners(process.pid)
    assert len(ports) == 3  # scheduler, nanny and worker, and no pages
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert attack(proof, *ports) == []
    assert [Path(name).name.partition("-")[0] for name in names] == ["listener"]  # the fork server's
    assert Path(names[0]).parent.stat().st_mode & 0o777 == 0o700
    assert process.poll() is None
    run.kill(process)


def test_processes_of_a_run_import_nothing_from_shared_folders(workflow):
    run = workflow("faults")
    process = run.start(*JOBS, executor=DEFAULTS)
    eventually(lambda: len(run.pids()) == 3)
    server = next(p for p in process.tree() if "forkserver" in " ".join(p.cmdline()))
    folders = [word for word in " ".join(server.cmdline()).split("'") if word.startswith(tempfile.gettempdir())]
    private = [Path(folder).parents for folder in folders if "dask" in folder]
    for parents in private:
        assert any(p.stat().st_uid == os.geteuid() and p.stat().st_mode & 0o077 == 0 for p in [*parents][:-2])
    assert private
    run.kill(process)


@pytest.mark.parametrize("place", ["--dask-scheduler", "--dask-cluster"])
def test_a_scheduler_that_serves_everybody_is_refused(workflow, place):
    run = workflow("faults")
    open_to_all = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "false"}
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        arguments = {
            "--dask-scheduler": ["--dask-scheduler", cluster.scheduler_address],
            "--dask-cluster": [
                "--dask-cluster",
                "distributed:LocalCluster",
                "--dask-cluster-args",
                "{security: null}",
            ],
        }[place]
        executor = ["--executor", "dask", "--jobs", "unlimited", *arguments]
        refused = run.run("--config", "count=1", "seconds=0", executor=executor, ok=False)
        run.run("--config", "count=1", "seconds=0", executor=executor, **open_to_all)
    assert "runs code from everyone who can reach it" in refused and "Traceback" not in refused
    assert "REQUIRE_ENCRYPTION=false" in refused


def test_a_scheduler_with_certificates_serves_those_who_have_them(workflow, proof):
    run = workflow("faults")
    address = f"tls://127.0.0.1:{free_port()}"
    started = [dask("scheduler", "--host", address, "--no-dashboard", folder=run.folder)]
    try:
        started.append(dask("worker", address, "--no-dashboard", folder=run.folder))
        eventually(lambda: "Registered to" in (run.folder / "dask.txt").read_text(), event="the worker's start")
        executor = ["--executor", "dask", "--jobs", "unlimited", "--dask-ledger", "ledger"]
        arguments = ["--dask-scheduler", address, "--config", "count=2", "seconds=0"]
        run.run(*arguments, executor=executor)
        without = dict.fromkeys(certificates(), "")
        unknown = run.run(*arguments, "--forceall", executor=executor, ok=False, **without)
        assert attack(proof, address.partition("://")[2]) == []
    finally:
        end(*started)
    assert all(e["worker"].startswith("tls://") for e in run.ledger())
    assert "needs certificates" in unknown and "Traceback" not in unknown


@pytest.mark.skipif(bool(slurm.missing()), reason=slurm.missing())
def test_nobody_else_can_use_workers_that_are_slurm_jobs(workflow, tmp_path, proof):
    run = workflow("faults")
    arguments = "{queue: test, cores: 2, processes: 1, memory: 2GB, walltime: '00:10:00', interface: lo}"
    executor = ["--executor", "dask", "--jobs", "unlimited", "--dask-ledger", "ledger"]
    executor += [
        "--dask-cluster",
        "dask_jobqueue:SLURMCluster",
        "--dask-cluster-args",
        arguments,
        "--dask-workers",
        "1",
    ]
    with slurm.cluster(tmp_path / "slurm") as environment:
        process = run.start(*JOBS, executor=executor, **environment)
        eventually(lambda: len(run.pids()) == 3, 40, "the steps")
        worker = next(p for p in psutil.process_iter() if "distributed.cli.dask_worker" in " ".join(p.cmdline()))
        ports = [*listeners(process.pid)[0], *listeners(worker.pid)[0]]
        private = run.folder / ".snakemake/dask"
        assert len(ports) == 3 and private.stat().st_mode & 0o777 == 0o700
        assert not [f for f in private.iterdir() if f.is_file() and f.stat().st_mode & 0o077]
        assert attack(proof, *ports) == []
        run.kill(process)
        eventually(lambda: not worker.is_running(), 90, "the end of the worker")
