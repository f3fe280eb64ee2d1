"""Code that runs in a Dask worker: the plugin of a run, and the task that carries out one attempt."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dask
import psutil
from distributed import Reschedule, Status, Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin as DaskWorkerPlugin
from distributed.utils import sync

from snakemake_executor_plugin_dask import resources
from snakemake_executor_plugin_dask.dask_log import divert
from snakemake_executor_plugin_dask.folders import keep_sockets
from snakemake_executor_plugin_dask.forkserver import ForkServer
from snakemake_executor_plugin_dask.request import Claim, Outcome, Request, Script, Usage

METADATA = "snakemake-executor-dask"
IDLE_S = 600  # a fork server that is idle for this time is stopped; it starts again when it is needed
TAIL_BYTES = 4096
LOOK_S = 0.5  # interval at which a file that has not appeared is looked for
NVIDIA = Path("/proc/driver/nvidia/gpus")


class WorkerPlugin(DaskWorkerPlugin):  # type: ignore[misc]
    """The part of a run in each worker: two fork servers, and a watch over the connection to the scheduler.

    Scripts run in forks of the one that is preloaded. Commands start from the other one, which is small, so that its
    forks are cheap; it starts with the first of them.

    Args:
        session: name of the run.
        preload: modules for the scripts.
        environment: environment variables for every job; None removes one.
        begin_with_scripts: whether to preload at once; otherwise with the first script.
        log: file for messages of Dask in a worker that the run has started on its own machine. Such a worker leaves the
            process group, so that Ctrl-C in Snakemake's terminal does not reach it. None for other workers.
    """

    def __init__(
        self,
        session: str,
        preload: list[str],
        environment: Mapping[str, str | None],
        *,
        begin_with_scripts: bool = True,
        log: str | None = None,
    ) -> None:
        self.session = session
        self.name = f"snakemake-{session}"
        self.preload = preload
        self.environment = dict(environment)
        self.begin_with_scripts = begin_with_scripts
        self.log = log

    async def setup(self, worker: Worker) -> None:
        """Declare the worker's resources, start the preloaded process and the watch."""
        if self.log:
            divert(self.log)
            with contextlib.suppress(PermissionError):
                os.setpgid(0, 0)
            _ignore_interrupts()
        self.closing = False
        self.cut_off = False
        self.devices = _devices(worker)
        self.free_devices = list(self.devices)
        self.lock = threading.Lock()
        environment = dict.fromkeys(_dask_variables()) | self.environment
        keep_sockets(worker.local_directory)
        self.scripts, self.commands = ForkServer(self.preload, environment), ForkServer(None, environment)
        if self.begin_with_scripts:
            self.scripts.start()
        memory = worker.memory_manager.memory_limit or psutil.virtual_memory().total
        await worker.set_resources(**resources.offered(worker.state.nthreads, memory, len(self.devices)))
        # the scheduler reconsiders waiting tasks only when the status of a worker changes to running
        worker.status = Status.paused
        worker.status = Status.running
        self.watch = asyncio.create_task(self._watch(worker))

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's signature
        """End all attempts and the fork server."""
        self.closing = True
        self.watch.cancel()
        for server in (self.scripts, self.commands):
            await asyncio.to_thread(server.stop)

    async def _watch(self, worker: Worker) -> None:
        """End the attempts of a worker that has lost its scheduler, before another worker can start them again.

        The scheduler gives up a silent worker after `distributed.comm.timeouts.tcp`; half of that is allowed here.
        """
        allowed = dask.utils.parse_timedelta(dask.config.get("distributed.comm.timeouts.tcp")) / 2
        heard = time.monotonic()
        while True:
            await asyncio.sleep(min(2.0, allowed / 4))
            with contextlib.suppress(Exception):  # after any error, the scheduler counts as silent
                await asyncio.wait_for(worker.scheduler.echo(data=0), timeout=allowed / 4)
                heard = time.monotonic()
            self.cut_off = time.monotonic() - heard > allowed
            for server in (self.scripts, self.commands):
                if server.idle_s > IDLE_S:
                    await asyncio.to_thread(server.stop)
                    server.last_used = time.monotonic()

    def take_devices(self, count: int) -> list[str]:
        """Reserve GPUs; Dask ensures that there are enough."""
        with self.lock:
            taken, self.free_devices = self.free_devices[:count], self.free_devices[count:]
        return taken

    def return_devices(self, taken: list[str]) -> None:
        """Release GPUs."""
        with self.lock:
            self.free_devices = [device for device in self.devices if device in {*self.free_devices, *taken}]


def _ignore_interrupts() -> None:
    """Ignore Ctrl-C from here on: a worker has started with the signal blocked, which its jobs must not inherit."""
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _dask_variables() -> list[str]:
    """Environment variables that Dask sets for its workers and that jobs should not inherit.

    MALLOC_TRIM_THRESHOLD_ makes the C library return memory to the system at once, which costs a training job a third
    of its time.
    """
    preset = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    return ["__DASK_PARENT_PID", *(name for name, value in preset.items() if os.environ.get(name) == str(value))]


def _devices(worker: Worker) -> list[str]:
    """GPUs of a worker: the number that it declares (`dask worker --resources GPU=2`), or the visible ones.

    Without CUDA_VISIBLE_DEVICES, these are the ones that NVIDIA's driver lists.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        visible = [str(i) for i, _ in enumerate(NVIDIA.iterdir())] if NVIDIA.is_dir() else []
    else:
        visible = [device for device in named.split(",") if device]
    count = int(worker.state.total_resources.get(resources.GPUS, len(visible)))
    return (visible or [str(i) for i in range(count)])[:count]


def carry_out(request: Request, session: str, gpus: int) -> Outcome:
    """Run one attempt; this is the task that the executor submits.

    Args:
        request: the attempt.
        session: name of the run.
        gpus: number of GPUs to reserve.

    Returns:
        Resource usage and result of the attempt; only `lost` if Dask runs it again, because its first worker is gone.

    Raises:
        Reschedule: the worker is leaving.
    """
    worker = get_worker()
    plugin: WorkerPlugin = worker.plugins[f"snakemake-{session}"]
    key = worker.get_current_task()
    outcome = Outcome([], worker.address, socket.gethostname(), lost=_claim(worker, session, key))
    if outcome.lost is not None:  # an exception would be logged with its traceback
        return outcome

    abandoned = threading.Event()

    def wanted() -> bool:
        if plugin.closing or plugin.cut_off:
            abandoned.set()
        task = worker.state.tasks.get(key)
        alive = task is not None and task.state == "executing"  # not cancelled, not moved elsewhere
        return alive and not abandoned.is_set()

    devices = plugin.take_devices(gpus)
    if plugin.devices:
        request.environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    try:
        _prepare_log(request.log)
        if missing := _still_missing(request, wanted):
            outcome.problem = f"{missing} is not there after {request.latency_s:g} s (see --latency-wait)"
        else:
            server = plugin.scripts if isinstance(request.run, Script) else plugin.commands
            _run_repeats(server, request, wanted, outcome)
    except OSError as error:
        outcome.problem = f"worker {worker.address} could not start it ({error})"
    finally:
        plugin.return_devices(devices)
    if abandoned.is_set():
        raise Reschedule
    if outcome.exit_code:
        outcome.tail = _tail(request.log)
    else:
        with contextlib.suppress(OSError):
            if not Path(request.log).stat().st_size:
                Path(request.log).unlink()
    return outcome


def _still_missing(request: Request, wanted: Callable[[], bool]) -> str:
    """Wait for the files of a request to appear on this machine; returns the first that does not, else nothing."""
    deadline = time.monotonic() + request.latency_s
    for path in request.awaited:
        while not os.path.lexists(path):
            if time.monotonic() > deadline or not wanted():
                return path
            with contextlib.suppress(OSError):  # NFS asks its server again when a folder is listed
                list(Path(path).parent.iterdir())
            time.sleep(LOOK_S)
    return ""


def _claim(worker: Worker, session: str, key: Any) -> Claim | None:
    """Record that this worker starts a task, unless another one has, which may have left incomplete files.

    Returns:
        What the other worker recorded; None if there is none.
    """

    async def claim() -> Claim | None:
        place = [METADATA, session, key]
        earlier = await worker.scheduler.get_metadata(keys=place, default=None)
        if earlier is None:
            mine: Claim = {"worker": worker.address, "host": socket.gethostname(), "started": time.time()}
            await worker.scheduler.set_metadata(keys=place, value=mine)
        return earlier

    earlier: Claim | None = sync(worker.loop, claim)
    return earlier


def _run_repeats(server: ForkServer, request: Request, wanted: Callable[[], bool], outcome: Outcome) -> None:
    """Run a request once, or as often as its benchmark asks for, until a repeat fails."""
    if not request.benchmark_repeats:
        outcome.usages.append(server.run(request, None, wanted, lambda _: None))
        return
    for iteration in range(request.benchmark_repeats):
        with _sampler() as sampler:
            usage = server.run(request, iteration, wanted, sampler.watch)
        usage.sampled = sampler.figures()
        outcome.usages.append(usage)
        if usage.exit_code:
            return


class _Sampler:
    """Samples a process and its children as Snakemake does for a benchmark."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.stack = stack
        self.record: Any = None

    def watch(self, pid: int) -> None:
        from snakemake.benchmark import benchmarked

        with contextlib.suppress(psutil.NoSuchProcess):
            self.record = self.stack.enter_context(benchmarked(pid))

    def figures(self) -> dict[str, float | None]:
        if self.record is None or not self.record.data_collected:
            return {}
        names = ("max_rss", "max_vms", "max_uss", "max_pss", "io_in", "io_out")
        return {name: getattr(self.record, name) for name in names}


@contextlib.contextmanager
def _sampler() -> Iterator[_Sampler]:
    with contextlib.ExitStack() as stack:
        yield _Sampler(stack)


def _prepare_log(log: str) -> None:
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def _tail(log: str) -> str:
    """The end of a log file, for a message."""
    with contextlib.suppress(OSError), Path(log).open("rb") as file:
        file.seek(max(0, Path(log).stat().st_size - TAIL_BYTES))
        return file.read().decode(errors="replace")
    return ""


def describe(usage: Usage) -> str:
    """Describe how an attempt ended."""
    if usage.exit_code >= 0:
        return f"exit status {usage.exit_code}"
    name = signal.Signals(-usage.exit_code).name
    remark = " (by a user, or because memory ran out)" if -usage.exit_code == signal.SIGKILL else ""
    return f"killed by {name}{remark}"
