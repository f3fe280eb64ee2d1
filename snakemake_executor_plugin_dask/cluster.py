"""The Dask cluster of a run: found, or started and closed with it."""

import contextlib
import importlib
import importlib.util
import json
import logging
import os
from pathlib import Path
from typing import Any

import dask
import yaml
from distributed import Client, LocalCluster
from distributed.comm.addressing import parse_address
from distributed.comm.registry import get_backend
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_dask import resources
from snakemake_executor_plugin_dask.worker import METADATA, WorkerPlugin

CLOSING_S = 10
# what Dask does while nothing happens (20 ticks and samples of its own stack a second, say) costs 6 % of a core, which
# are the jobs'; on a machine of one's own nobody looks at it, and no job's memory is in the worker's process
AT_REST = {
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}


class Cluster:
    """A client, the cluster behind it where the run has started one, and what is known of the workers.

    Args:
        settings: of the executor.
        session: name of the run.
        cores: threads of a cluster on this machine; all of them where it is None.

    Raises:
        WorkflowError: there is no such cluster; one sentence.
    """

    def __init__(self, settings: Any, session: str, cores: int | None) -> None:
        if settings.scheduler and settings.cluster:
            raise WorkflowError("dask: --dask-scheduler and --dask-cluster exclude each other; give one of them.")
        self.session = session
        self.local = not settings.scheduler and not settings.cluster
        self.owned: Any = None
        if settings.scheduler:
            _check_address(settings.scheduler)
            self.client = _client(settings.scheduler)
        else:
            self.owned = _local(settings, cores) if self.local else _started(settings)
            self.client = _client(self.owned)
        self.plugin = WorkerPlugin(session, _modules(settings.preload), local=self.local)
        self.client.register_plugin(self.plugin)

    def workers(self) -> list[dict[str, float]] | None:
        """What each worker has, by the names of `resources`; None where the scheduler does not answer."""
        try:
            found = self.client.scheduler_info(n_workers=-1)["workers"].values()
        except Exception:  # of Dask, tornado or asyncio, by what is wrong
            return None
        return [worker["resources"] for worker in found if resources.SHARE in worker["resources"]]

    @property
    def threads(self) -> int:
        """Threads of the workers that are there now."""
        return sum(worker["nthreads"] for worker in self.client.scheduler_info(n_workers=-1)["workers"].values())

    def describe(self) -> str:
        """Where the jobs run, in one line."""
        if self.local:
            return f"{self.threads} jobs at a time on this machine"
        info = self.client.scheduler_info(n_workers=-1)
        return f"{len(info['workers'])} workers with {self.threads} threads at {info['address']}"

    def dashboard(self) -> str:
        """Address of the dashboard; empty where there is none."""
        with contextlib.suppress(Exception):  # a scheduler without bokeh has none, and says so in several ways
            services = self.client.scheduler_info(n_workers=0)["services"]
            if services.get("dashboard") and importlib.util.find_spec("bokeh"):
                return str(self.client.dashboard_link)
        return ""

    @property
    def alive(self) -> bool:
        """Whether the scheduler answers."""
        return bool(self.client.status == "running")

    def close(self) -> None:
        """Take the run's plugin out of the workers, and close what the run has started."""
        with contextlib.suppress(Exception):  # whatever is gone already need not be closed
            if self.alive and self.owned is None:
                self.client.unregister_worker_plugin(self.plugin.name)
                self.client.set_metadata([METADATA, self.session], None)
        with contextlib.suppress(Exception):
            self.client.close(timeout=CLOSING_S)
        if self.owned is not None:
            with contextlib.suppress(Exception):
                self.owned.close(timeout=CLOSING_S)


def _client(target: Any) -> Client:
    try:
        # the run's own events tell more than Dask's retries of a connection
        with dask.config.set({"distributed.comm.timeouts.connect": "10s"}):
            return Client(target, set_as_default=False, name="snakemake")
    except (OSError, ValueError, RuntimeError) as error:
        raise WorkflowError(
            f"dask: no scheduler answers at {target} ({_told(error)}); start one with 'dask scheduler' or mend "
            "--dask-scheduler."
        ) from None


def _check_address(address: str) -> None:
    try:
        scheme, _ = parse_address(address, strict=True)
        get_backend(scheme)
    except ValueError:
        raise WorkflowError(
            f"dask: --dask-scheduler {address} is not an address such as tcp://host:8786 or tls://host:8786."
        ) from None


def _modules(stated: str | None) -> list[str]:
    """Names of modules, given themselves or in a file (Snakemake finds that of a profile beside the profile)."""
    if stated and Path(stated).is_file():
        lines = [line.partition("#")[0] for line in Path(stated).read_text(encoding="utf-8").splitlines()]
        stated = ",".join(lines)
    names = [name.strip() for name in (stated or "").split(",") if name.strip()]
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise WorkflowError(f"dask: --dask-preload: {name!r} is neither the name of a module nor a file.")
    return names


def _told(error: BaseException) -> str:
    return (str(error) or type(error).__name__).split("\n")[0]


def _local(settings: Any, cores: int | None) -> LocalCluster:
    dashboard = settings.dashboard or ("127.0.0.1:0" if importlib.util.find_spec("bokeh") else "none")
    with dask.config.set(AT_REST):
        return LocalCluster(
            n_workers=1,  # one fork server; its threads wait for as many jobs
            threads_per_worker=cores or dask.system.CPU_COUNT or os.cpu_count(),
            host="127.0.0.1",
            dashboard_address=None if dashboard == "none" else dashboard,
            worker_dashboard_address=None if dashboard == "none" else "127.0.0.1:0",
            memory_limit=0.95,  # of the machine, for jobs; Dask's own default would divide it
            silence_logs=logging.ERROR,
        )


def _started(settings: Any) -> Any:
    kind = _cluster_class(settings.cluster)
    try:
        cluster = kind(**_arguments(settings.cluster_args))
    except WorkflowError:
        raise
    except Exception as error:
        raise WorkflowError(
            f"dask: {settings.cluster} did not start ({type(error).__name__}: {_told(error)}); check --dask-cluster-args."
        ) from None
    if settings.adapt_maximum is not None or settings.adapt_minimum is not None:
        limits = {"minimum": settings.adapt_minimum or 0, "maximum": settings.adapt_maximum}
        cluster.adapt(**{name: limit for name, limit in limits.items() if limit is not None})
    elif settings.workers is not None:
        cluster.scale(settings.workers)
    return cluster


def _cluster_class(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if not attribute:
        raise WorkflowError(f"dask: --dask-cluster {name} is not module:Class, such as dask_jobqueue:SLURMCluster.")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise WorkflowError(f"dask: --dask-cluster {name}: {_told(error)}; install the package that has it.") from None
    except AttributeError:
        raise WorkflowError(f"dask: --dask-cluster {name}: the module {module} has no {attribute}.") from None


def _arguments(stated: str | None) -> dict[str, Any]:
    """Keyword arguments, given as JSON or YAML or in a file."""
    if not stated:
        return {}
    text = stated
    if "{" not in stated and ":" not in stated:
        try:
            text = Path(stated).read_text(encoding="utf-8")
        except OSError as error:
            raise WorkflowError(f"dask: --dask-cluster-args: {stated} cannot be read ({error.strerror}).") from None
    try:
        found = yaml.safe_load(text)  # JSON is YAML
    except yaml.YAMLError as error:
        raise WorkflowError(f"dask: --dask-cluster-args is neither JSON nor YAML ({_told(error)}).") from None
    if not isinstance(found, dict):
        raise WorkflowError(
            f"dask: --dask-cluster-args must be a mapping of keyword arguments, not {json.dumps(found)}."
        )
    return found
