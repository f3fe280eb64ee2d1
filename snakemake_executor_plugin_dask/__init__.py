"""Snakemake executor that runs jobs on a Dask cluster, Python scripts in forks of a warm process."""

# Snakemake reads these types and knows Optional, not `| None`
# ruff: noqa: UP045
from dataclasses import dataclass, field
from typing import Optional

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

from snakemake_executor_plugin_dask.executor import Executor

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """Settings, on the command line `--dask-...`, in a profile `dask-...`."""

    scheduler: Optional[str] = field(
        default=None,
        metadata={
            "help": "Address of a running Dask scheduler (tcp://host:8786, tls://host:8786). Without it and without "
            "--dask-cluster, a cluster with all cores of this machine is started for the run.",
        },
    )
    cluster: Optional[str] = field(
        default=None,
        metadata={
            "help": "Dask cluster to start for the run, as module:Class (dask_jobqueue:SLURMCluster, "
            "dask_kubernetes.operator:KubeCluster ...).",
        },
    )
    cluster_args: Optional[str] = field(
        default=None,
        metadata={
            "help": "Keyword arguments of that class, as JSON or YAML, or the name of a file that holds them.",
        },
    )
    workers: Optional[int] = field(
        default=None,
        metadata={"help": "Workers to ask that cluster for (its own default otherwise)."},
    )
    adapt_minimum: Optional[int] = field(
        default=None,
        metadata={"help": "Let that cluster grow and shrink with the work, keeping at least so many workers."},
    )
    adapt_maximum: Optional[int] = field(
        default=None,
        metadata={"help": "Let that cluster grow and shrink with the work, up to so many workers."},
    )
    preload: Optional[str] = field(
        default=None,
        metadata={
            "help": "Modules that Python scripts find already imported, separated by commas, or a file with one a line. "
            "Name packages of others (torch,pandas), not your own code: a module stays as it was when its worker began.",
        },
    )
    dashboard: Optional[str] = field(
        default=None,
        metadata={
            "help": "Address of the Dask dashboard of a cluster on this machine, or 'none'. By default a free port of "
            "127.0.0.1, where bokeh is installed.",
        },
    )
    ledger: Optional[str] = field(
        default=None,
        metadata={
            "help": "Folder that gets one JSON Lines file a run with a line for every attempt at a job, failed and "
            "lost ones too: when, where, exit code, CPU-seconds, peak memory.",
        },
    )
    gate: Optional[str] = field(
        default=None,
        metadata={
            "help": "Class, as module:Class, that is asked before each job starts: before(rule, rules under way) may return "
            "a sentence, which is told, and no further job starts; after(entry) gets each line of the ledger.",
        },
    )
    worker_timeout: Optional[int] = field(
        default=None,
        metadata={
            "help": "Give up when there has been no worker for so many seconds (on this machine 60, elsewhere never).",
        },
    )
    worker_losses: int = field(
        default=3,
        metadata={"help": "How often a job is started again because its worker was lost, its retries untouched."},
    )


common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=True,
    pass_default_resources_args=True,
    pass_envvar_declarations_to_cmd=True,
    auto_deploy_default_storage_provider=False,
)
