"""Settings of the executor, as Snakemake reads them."""

# Snakemake reads these types and knows Optional, not `| None`
# ruff: noqa: UP045
from dataclasses import dataclass, field
from typing import Optional

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """Settings of the executor: `--dask-...` on the command line, `dask-...` in a profile."""

    scheduler: Optional[str] = field(
        default=None,
        metadata={
            "help": "Address of a running Dask scheduler (tls://host:8786). Without it and without --dask-cluster, a "
            "cluster with all cores of this machine is started for the run.",
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
            "help": "Keyword arguments of that class, as JSON or YAML, or the name of a file with them.",
        },
    )
    workers: Optional[int] = field(
        default=None,
        metadata={"help": "Number of workers to request from that cluster (default: its own default)."},
    )
    adapt_minimum: Optional[int] = field(
        default=None,
        metadata={"help": "Scale that cluster with the work, but keep at least this number of workers."},
    )
    adapt_maximum: Optional[int] = field(
        default=None,
        metadata={"help": "Scale that cluster with the work, up to this number of workers."},
    )
    preload: Optional[str] = field(
        default=None,
        metadata={
            "help": "Modules to import before Python scripts start, separated by commas, or a file with one module per "
            "line. Name installed packages (torch,pandas), not your own code: a worker does not notice when a module "
            "changes.",
        },
    )
    dashboard: Optional[str] = field(
        default=None,
        metadata={
            "help": "Address at which a cluster that the run starts shows Dask's dashboard, such as 127.0.0.1:8787. "
            "Everyone who can reach it can read it. Default: 'none'.",
        },
    )
    ledger: Optional[str] = field(
        default=None,
        metadata={
            "help": "Folder for one JSON Lines file per run, with a line for every attempt at a job, including failed "
            "and lost ones: times, host, exit code, CPU-seconds, peak memory.",
        },
    )
    gate: Optional[str] = field(
        default=None,
        metadata={
            "help": "Class, as module:Class, that decides whether jobs may start. Its before(rule, running_rules) is "
            "called before each job; if it returns a sentence, the sentence is logged and no further job starts. Its "
            "after(entry) is called with each line of the ledger.",
        },
    )
    worker_timeout: Optional[int] = field(
        default=None,
        metadata={
            "help": "Seconds without any worker after which the run fails (default: 60 on this machine, else never).",
        },
    )
    worker_losses: int = field(
        default=3,
        metadata={"help": "How often a job whose worker was lost is restarted, without using its retries."},
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
