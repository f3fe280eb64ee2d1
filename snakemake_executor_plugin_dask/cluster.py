"""The Dask cluster of a run: an existing one, or one that is started and closed with the run."""

import contextlib
import importlib
import importlib.util
import inspect
import json
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import dask
import yaml
from distributed import Client, LocalCluster, Nanny, SpecCluster
from distributed.comm.addressing import parse_address
from distributed.comm.registry import get_backend
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_dask import resources, security
from snakemake_executor_plugin_dask.dask_log import divert
from snakemake_executor_plugin_dask.folders import RunFolder
from snakemake_executor_plugin_dask.worker import METADATA, WorkerPlugin

CLOSING_S = 10
LOOPBACK = {"host": "127.0.0.1", "protocol": "tls://", "port": 0}
SHARED = Path(".snakemake") / "dask"  # for workers of a batch system: certificates, working folders
NO_DASHBOARD = (None, "none")
# Dask's background work (for example 20 ticks and stack samples per second) takes 6 % of a core away from the jobs. On
# this machine nobody reads its results, and the memory of jobs is not in the worker's process.
AT_REST = {
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}
# Dask looks for modules in its working folders as well, by default in a place that all users of a machine share.
FOLDER = "temporary-directory"
# A worker must not look for modules in the folder of the run first, where `re.py` would replace that of the standard
# library. Python takes the variable as its option -P. Jobs do not inherit it (see `worker._dask_variables`).
SAFE_PATH = {} if "PYTHONSAFEPATH" in os.environ else {"distributed.nanny.pre-spawn-environ.PYTHONSAFEPATH": "1"}

NANNY_VARIABLES = ("PYTHONHASHSEED", "PYTHONSAFEPATH", "__DASK_PARENT_PID")


class LocalNanny(Nanny):  # type: ignore[misc]
    """A nanny in Snakemake's own process, whose environment the jobs that run there inherit."""

    async def instantiate(self) -> Any:
        """Start the worker, and remove the variables that Dask sets for it."""
        names = [*self.pre_spawn_env, *NANNY_VARIABLES]
        before = {name: os.environ.get(name) for name in names}
        try:
            return await super().instantiate()
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while a cluster starts, and pass it on afterwards.

    The threads and processes that start here inherit the blocked signal, so that it does not reach them: the run ends
    them when it ends.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    resource_tracker.ensure_running()  # which would unblock the signal where it starts
    held: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *arguments: held.append(arguments))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # a signal that has come meanwhile is delivered here
        signal.signal(signal.SIGINT, before)
    if held and callable(before):
        before(*held[0])


class Cluster:
    """A client and, if the run has started it, the cluster behind it.

    Args:
        settings: settings of the executor.
        session: name of the run.
        cores: number of threads of a cluster on this machine; None uses all.
        environment: environment variables that the workflow declares (`envvars:`), for the workers.
        scripts: whether any of the first jobs is a script.
        log: file for messages of Dask.

    Raises:
        WorkflowError: the cluster cannot be reached or started; one sentence.
    """

    def __init__(
        self,
        settings: Any,
        session: str,
        cores: int | None,
        environment: Mapping[str, str],
        log: Path,
        *,
        scripts: bool = True,
    ) -> None:
        if settings.scheduler and settings.cluster:
            raise WorkflowError("dask: --dask-scheduler and --dask-cluster exclude each other; give one of them.")
        divert(str(log))
        self.session = session
        self.local = not settings.scheduler and not settings.cluster
        self.owned: Any = None
        self.folder: RunFolder | None = None
        try:
            self.client = self._connected(settings, cores, log)
        except KeyboardInterrupt:
            self._close_owned()
            if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
                raise  # the workflow has a handler of its own, which has said so
            raise WorkflowError("dask: cancelled while the cluster started.") from None
        preset = dask.config.get("distributed.nanny.pre-spawn-environ", {})
        self.variables = {*preset, *NANNY_VARIABLES}  # which a nanny in this process sets for a moment
        # Dask sets PYTHONHASHSEED for its workers
        variables = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED"), **environment}
        modules, own_log = _modules(settings.preload), str(log) if self.local else None
        self.plugin = WorkerPlugin(session, modules, variables, begin_with_scripts=scripts, log=own_log)
        self.client.register_plugin(self.plugin)

    def _connected(self, settings: Any, cores: int | None, log: Path) -> Client:
        """A client of the cluster that the settings name, which is started unless it runs."""
        if settings.scheduler:
            _check_address(settings.scheduler)
            security.check_scheme(settings.scheduler, "--dask-scheduler")
            security.check_certificates(settings.scheduler, "--dask-scheduler")
            return _client(settings.scheduler)
        self.folder = RunFolder()
        with _interrupts_held(), dask.config.set(SAFE_PATH | {FOLDER: self.folder.path}):
            self.owned = _start_local(settings, cores, log) if self.local else _start(settings)
        near = getattr(self.owned, "scheduler", None)
        if isinstance(near, security.ClosedScheduler):
            return _client(near.own_process_address, self.owned.loop)
        return _client(self.owned)

    def workers(self) -> list[dict[str, float]] | None:
        """Resources of each worker, by the names of `resources`; None if the scheduler does not answer."""
        try:
            workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        except Exception:  # from Dask, tornado or asyncio, depending on the cause
            return None
        return [worker["resources"] for worker in workers if resources.SHARE in worker["resources"]]

    @property
    def threads(self) -> int:
        """Number of threads of the present workers."""
        return sum(worker["nthreads"] for worker in self.client.scheduler_info(n_workers=-1)["workers"].values())

    def describe(self) -> str:
        """Describe in one line where the jobs run."""
        if self.local:
            return f"{self.threads} jobs at a time on this machine"
        info = self.client.scheduler_info(n_workers=-1)
        return f"{len(info['workers'])} workers with {self.threads} threads at {info['address']}"

    def dashboard(self) -> str:
        """Address of the dashboard of a cluster that the run has started; empty if there is none."""
        if self.owned is None:
            return ""
        with contextlib.suppress(Exception):  # a scheduler without bokeh fails in several ways
            services = self.client.scheduler_info(n_workers=0)["services"]
            if services.get("dashboard") and importlib.util.find_spec("bokeh"):
                return str(self.client.dashboard_link)
        return ""

    @property
    def alive(self) -> bool:
        """Whether the scheduler answers."""
        return bool(self.client.status == "running")

    def _close_owned(self) -> None:
        """Close the cluster that the run has started."""
        if self.owned is not None:
            with contextlib.suppress(Exception):
                self.owned.close(timeout=CLOSING_S)
        if self.folder:
            self.folder.remove()

    def close(self) -> None:
        """Remove the run's plugin from the workers, and close the cluster if the run has started it."""
        with contextlib.suppress(Exception):  # the scheduler or the workers may be gone already
            if self.alive and self.owned is None:
                self.client.unregister_worker_plugin(self.plugin.name)
                self.client.set_metadata([METADATA, self.session], None)
        with contextlib.suppress(Exception):
            self.client.close(timeout=CLOSING_S)
        self._close_owned()


def _client(target: Any, loop: Any = None) -> Client:
    try:
        # Dask would retry for longer; the run reports a lost connection itself
        with dask.config.set({"distributed.comm.timeouts.connect": "10s"}):
            return Client(target, loop=loop, set_as_default=False, name="snakemake")
    except (OSError, ValueError, RuntimeError) as error:
        raise WorkflowError(
            f"dask: no scheduler answers at {target} ({_reason(error)}); start one with 'dask scheduler' or correct "
            "--dask-scheduler."
        ) from None


def _check_address(address: str) -> None:
    try:
        scheme, _ = parse_address(address, strict=True)
        get_backend(scheme)
    except ValueError:
        raise WorkflowError(f"dask: --dask-scheduler {address} is not an address such as tls://host:8786.") from None


def _modules(setting: str | None) -> list[str]:
    """Names of modules, from a list or a file (Snakemake resolves the path of a profile's file)."""
    with contextlib.suppress(OSError):  # a list may be longer than a path can be
        if setting and Path(setting).is_file():
            lines = [line.partition("#")[0] for line in Path(setting).read_text(encoding="utf-8").splitlines()]
            setting = ",".join(lines)
    names = [name.strip() for name in (setting or "").split(",") if name.strip()]
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise WorkflowError(f"dask: --dask-preload: {name!r} is neither the name of a module nor a file.")
    return names


def _reason(error: BaseException) -> str:
    """First line of an error's message."""
    return (str(error) or type(error).__name__).split("\n")[0]


def _start_local(settings: Any, cores: int | None, log: Path) -> SpecCluster:
    """Start a scheduler in this process and one worker; every user of the machine can reach their ports.

    Raises:
        WorkflowError: they do not start; one sentence.
    """
    private = security.certificates()
    both = {**LOOPBACK, "security": private}
    dashboard = None if settings.dashboard in NO_DASHBOARD else settings.dashboard
    worker = {
        **both,
        "worker_class": security.ClosedWorker,
        "nthreads": cores or dask.system.CPU_COUNT or os.cpu_count(),  # each thread waits for one job
        "memory_limit": 0.95,  # share of the machine's memory for jobs; Dask's default would divide it
        "silence_logs": logging.ERROR,
    }
    scheduler = {**both, "dashboard": dashboard is not None, "dashboard_address": dashboard}
    try:
        with dask.config.set(AT_REST):
            return SpecCluster(
                scheduler={"cls": security.ClosedScheduler, "options": scheduler},
                workers={0: {"cls": LocalNanny, "options": worker}},  # one fork server
                security=private,
                silence_logs=logging.ERROR,
            )
    except Exception as error:  # of many kinds, with the cause inside
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise WorkflowError(
            f"dask: the worker on this machine did not start ({_reason(cause)}); details may be in {log}."
        ) from None


def _start(settings: Any) -> Any:
    """Start the cluster that the settings name."""
    kind = _cluster_class(settings.cluster)
    arguments = _secured(kind, _arguments(settings.cluster_args), settings.dashboard)
    try:
        cluster = kind(**arguments)
    except Exception as error:
        raise WorkflowError(
            f"dask: {settings.cluster} did not start ({type(error).__name__}: {_reason(error)}); check "
            "--dask-cluster-args."
        ) from None
    try:
        security.check_scheme(cluster.scheduler_address, "--dask-cluster")
    except WorkflowError:
        cluster.close(timeout=CLOSING_S)
        raise
    if settings.adapt_maximum is not None or settings.adapt_minimum is not None:
        limits = {"minimum": settings.adapt_minimum or 0, "maximum": settings.adapt_maximum}
        cluster.adapt(**{name: limit for name, limit in limits.items() if limit is not None})
    elif settings.workers is not None:
        cluster.scale(settings.workers)
    return cluster


def _secured(kind: Any, arguments: dict[str, Any], dashboard: str | None) -> dict[str, Any]:
    """Arguments of a cluster class, with certificates of the run and without pages, unless they say otherwise.

    A class that takes no certificates is started as it is; its address is checked afterwards.
    """
    if not inspect.isclass(kind) or "security" not in inspect.signature(kind).parameters:
        return arguments
    secured = {"security": security.certificates()} | arguments
    if _is_batch_system(kind):
        SHARED.mkdir(parents=True, exist_ok=True)
        SHARED.chmod(0o700)
        pages: dict[str, Any] = {"dashboard_address": None if dashboard in NO_DASHBOARD else dashboard}
        secured = {
            "protocol": "tls://",
            "shared_temp_directory": str(SHARED.resolve()),
            "local_directory": str(SHARED.resolve()),
            "python": f"{shlex.quote(sys.executable)} -P",
            "scheduler_cls": security.ClosedScheduler,
        } | secured
        secured["scheduler_options"] = pages | arguments.get("scheduler_options", {})
        more = ["--worker-class", security.WORKER_CLASS, "--no-dashboard"]
        secured["worker_extra_args"] = [*more, *arguments.get("worker_extra_args", [])]
    elif issubclass(kind, LocalCluster):
        secured = {"dashboard_address": None if dashboard in NO_DASHBOARD else dashboard} | secured
    return secured


def _is_batch_system(kind: Any) -> bool:
    return any(base.__module__.startswith("dask_jobqueue.") for base in inspect.getmro(kind))


def _cluster_class(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if not attribute:
        raise WorkflowError(f"dask: --dask-cluster {name} is not module:Class, such as dask_jobqueue:SLURMCluster.")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise WorkflowError(
            f"dask: --dask-cluster {name}: {_reason(error)}; install the package that has it."
        ) from None
    except AttributeError:
        raise WorkflowError(f"dask: --dask-cluster {name}: the module {module} has no {attribute}.") from None


def _arguments(setting: str | None) -> dict[str, Any]:
    """Keyword arguments, given as JSON or YAML, or in a file."""
    if not setting:
        return {}
    text = setting
    if "{" not in setting and ":" not in setting:
        try:
            text = Path(setting).read_text(encoding="utf-8")
        except OSError as error:
            raise WorkflowError(f"dask: --dask-cluster-args: {setting} cannot be read ({error.strerror}).") from None
    try:
        arguments = yaml.safe_load(text)  # JSON is YAML
    except yaml.YAMLError as error:
        raise WorkflowError(f"dask: --dask-cluster-args is neither JSON nor YAML ({_reason(error)}).") from None
    if not isinstance(arguments, dict):
        raise WorkflowError(
            f"dask: --dask-cluster-args must be a mapping of keyword arguments, not {json.dumps(arguments)}."
        )
    return arguments
