"""Snakemake executor plugin that runs jobs on a Dask cluster, and Python scripts in forks of a preloaded process."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snakemake_executor_plugin_dask.executor import Executor
    from snakemake_executor_plugin_dask.settings import ExecutorSettings, common_settings

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
MODULES = {"Executor": "executor", "ExecutorSettings": "settings", "common_settings": "settings"}


def __getattr__(name: str) -> Any:
    """Import what Snakemake asks for, when it does: fork servers import this package and must stay small."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)
