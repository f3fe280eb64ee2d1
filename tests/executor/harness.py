"""Runs the workflows of these tests with real Snakemake processes on real Dask clusters."""

import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from distributed import Security

WORKFLOWS = Path(__file__).parent / "workflows"
PACKAGE = Path(__file__).parents[2] / "snakemake_executor_plugin_dask"
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # `notebook:` runs papermill from PATH
DASK = [
    "--executor",
    "dask",
    "--jobs",
    "unlimited",
    "--cores",
    "2",
    "--dask-dashboard",
    "none",
    "--dask-ledger",
    "ledger",
]
LOCAL = ["--executor", "local", "--cores", "2"]


def eventually(condition, seconds=30.0, event="the condition"):
    """Wait until a condition is true, and return its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{event} did not happen within {seconds} s")


@functools.cache
def certificates():
    """Environment variables that give Dask certificates of these tests."""
    folder = Path(tempfile.mkdtemp(prefix="fairweight-tests-"))
    atexit.register(shutil.rmtree, folder)
    made = Security.temporary()
    for name, content in (("key", made.tls_client_key), ("cert", made.tls_client_cert)):
        (folder / f"{name}.pem").write_text(content)
    environment = {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(folder / "cert.pem")}
    environment["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] = "true"
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        environment[f"DASK_DISTRIBUTED__COMM__TLS__{role}__KEY"] = str(folder / "key.pem")
        environment[f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"] = str(folder / "cert.pem")
    return environment


class Workflow:
    """A copy of a workflow in its own folder."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(WORKFLOWS / name, folder, dirs_exist_ok=True)

    def start(self, *arguments, executor=DASK, prefix=(), **environment):
        """Start Snakemake in its own session, with certificates for a scheduler that the test has started."""
        # --config goes last, because it consumes all words that follow
        command = [*prefix, sys.executable, "-m", "snakemake", *executor, *arguments]
        output = (self.folder / "output.txt").open("w")
        known = certificates() if "--dask-scheduler" in command else {}
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | known | {"PATH": PATH} | environment,
            # a shell makes its background processes ignore Ctrl-C
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it takes no lock
        )
        process.tree = lambda: psutil.Process(process.pid).children(recursive=True)
        return process

    def finish(self, process, seconds=60):
        """Wait for the end of a process; returns exit code and output."""
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            output = self.output()
            self.kill(process)
            raise AssertionError(f"Snakemake hangs:\n{output[-4000:]}") from None
        return code, self.output()

    def run(self, *arguments, ok=True, seconds=90, **options):
        code, output = self.finish(self.start(*arguments, **options), seconds)
        assert (code == 0) == ok, output[-6000:]
        return output

    def kill(self, process):
        for each in [*process.tree(), process]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
        process.wait()

    def output(self):
        return (self.folder / "output.txt").read_text(errors="replace")

    def ledger(self):
        """All attempts, in the order of their ends."""
        files = sorted((self.folder / "ledger").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def pids(self):
        """Running processes that the jobs have registered."""
        return [int(f.name) for f in (self.folder / "pids").glob("*") if f.name.isdigit() and _runs(int(f.name))]


def _runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def worker_of(process):
    """The Dask worker of a run on this machine."""
    return eventually(lambda: next((p for p in psutil.Process(process.pid).children() if _is_worker(p)), None))


def _is_worker(process):
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it has ended meanwhile
        return False


def fork_server_of(process):
    """The fork server of that worker."""
    worker = worker_of(process)
    return eventually(lambda: next((p for p in worker.children() if "forkserver" in " ".join(p.cmdline())), None))


def free_port():
    """A free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def silent_port():
    """A port of 127.0.0.1 on which nobody listens, held so that no other test gets it meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def dask(*arguments, folder, prefix=(), **environment):
    """Start a Dask process in its own session; its output goes to dask.txt."""
    command = [*prefix, sys.executable, "-m", "dask", *arguments]
    with (folder / "dask.txt").open("a") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | certificates() | environment,
        )


def end(*processes):
    """Kill processes and their descendants."""
    for process in processes:
        for each in [*psutil.Process(process.pid).children(recursive=True), process]:
            each.kill()
        process.wait()


@contextlib.contextmanager
def scheduler(folder, *worker_arguments, **environment):
    """Start a scheduler on this machine, with one worker if it has arguments; yields the address.

    Args:
        folder: working folder.
        worker_arguments: arguments of the worker.
        environment: environment variables of the worker.
    """
    address = f"tls://127.0.0.1:{free_port()}"
    started = [dask("scheduler", "--host", address, "--no-dashboard", folder=folder)]
    try:
        if worker_arguments:
            started.append(dask("worker", address, "--no-dashboard", *worker_arguments, folder=folder, **environment))
            eventually(lambda: "Registered to" in (folder / "dask.txt").read_text(), event="the worker's start")
        yield address
    finally:
        end(*started)


def files_of(folder, *below):
    """Contents of all files by path."""
    paths = [path for name in below for path in sorted((folder / name).rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in paths}
