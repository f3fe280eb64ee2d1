"""Decides which jobs need no new Snakemake process, and prepares the scripts among them.

This is the only module that depends on how Snakemake starts a Python script (`snakemake.script`, 9.27).
"""

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

from snakemake.common import get_function_params, get_snakemake_searchpaths
from snakemake.common.tbdstring import TBDString
from snakemake.iocontainers import Snakemake
from snakemake.settings.types import DeploymentMethod, SharedFSUsage
from snakemake.sourcecache import LocalSourceFile, SourceCache, SourceFile, infer_source_file
from snakemake.utils import format as format_path

from snakemake_executor_plugin_dask import shell_command
from snakemake_executor_plugin_dask.request import Script
from snakemake_executor_plugin_dask.resources import set_tmpdir

SCRIPTS = Path(".snakemake") / "scripts"
SHARED = (SharedFSUsage.INPUT_OUTPUT, SharedFSUsage.SOURCES, SharedFSUsage.SOURCE_CACHE)


def reason_against(job: Any, workflow: Any) -> str:
    """Why a job needs a new Snakemake process (the cold path), in a few words; empty if it can run warm.

    Args:
        job: Snakemake's job.
        workflow: Snakemake's workflow.
    """
    if job.is_group():
        return "a group job"
    if job.is_shell:
        unfit = "" if shell_command.is_usual(job) else "a `shell` of its own"
    elif job.is_script:
        unfit = "" if str(job.rule.script).endswith(".py") else "not a Python script"
    else:
        kinds = ("notebook", "wrapper", "cwl", "template_engine", "run")
        unfit = next((f"{kind}:" for kind in kinds if getattr(job, f"is_{kind}")), "no script:") + " directive"
    return unfit or _special_environment(job, workflow) or _special_files(job, workflow) or _special_tmpdir(job)


def _special_environment(job: Any, workflow: Any) -> str:
    methods = workflow.deployment_settings.deployment_method
    if DeploymentMethod.CONDA in methods and job.conda_env:
        return "a conda environment"
    if DeploymentMethod.APPTAINER in methods and job.container_img_path:
        return "a container"
    if DeploymentMethod.ENV_MODULES in methods and job.env_modules:
        return "environment modules"
    return "a shell_exec of its own" if job.is_script and job.resources.get("shell_exec") is not None else ""


def _special_files(job: Any, workflow: Any) -> str:
    if workflow.workflow_settings.cache is not None and job.rule.cache and job.rule.cache.output:
        return "the between-workflow cache"
    if any(usage not in workflow.storage_settings.shared_fs_usage for usage in SHARED):
        return "no shared file system"
    return "files in a storage" if any(True for files in (job.storage_input, job.storage_output) for _ in files) else ""


def settle_tmpdir(job: Any) -> None:
    """Evaluate the folder for temporary files of a job that runs on this machine, and the params that are made of it.

    Args:
        job: Snakemake's job, whose `resources` leave it open for the worker.
    """
    if not isinstance(job.resources.get("tmpdir"), TBDString):
        return
    if _has_usual_tmpdir(job):
        folder = tempfile.gettempdir()
    else:
        folder = job.rule.expand_resources(job.wildcards_dict, job.input, job.attempt).get("tmpdir")
    set_tmpdir(job.resources, folder)
    if _params_take_resources(job):
        job._expand_params()


def _has_usual_tmpdir(job: Any) -> bool:
    return bool(job.rule.resources["tmpdir"].raw == "system_tmpdir")


def _params_take_resources(job: Any) -> bool:
    return any("resources" in get_function_params(value) for value in job.rule.params if callable(value))


def _special_tmpdir(job: Any) -> str:
    """Whether a job on another machine depends on the folder for temporary files there, which only the worker knows."""
    unknown = job.resources.get("tmpdir")
    if not isinstance(unknown, TBDString):
        return ""
    if not _has_usual_tmpdir(job):
        return "a tmpdir of its own, which only the worker knows"
    params = list(job.params)
    text = shell_command.text(job) if _names_resources(job) else None
    set_tmpdir(job.resources, "/another")
    try:
        if _params_take_resources(job):
            others, _ = job.rule.expand_params(job.wildcards_dict, job.input, job.output, job)
            if list(others) != params:
                return "params made of tmpdir, which only the worker knows"
        if text is not None and shell_command.text(job) != text:
            return "a command made of tmpdir, which only the worker knows"
    finally:
        set_tmpdir(job.resources, unknown)
    return ""


def _names_resources(job: Any) -> bool:
    return job.is_shell and "resources" in str(job.rule.shellcmd)


class ScriptFactory:
    """Makes the scripts of jobs.

    Args:
        workflow: Snakemake's workflow.
    """

    def __init__(self, workflow: Any) -> None:
        self.workflow = workflow
        cache = workflow.sourcecache
        self.sources = SourceCache(cache.cache_path, cache.runtime_cache_path)

    def script(self, job: Any) -> Script:
        """Make the script of a job, as `snakemake.script.script` would run it.

        Its `get_source` is not called, because it imports nbformat to recognise notebooks, which takes a second.

        Args:
            job: Snakemake's job.
        """
        path = self._path(job)
        with self.sources.open(path) as file:
            source = file.read()
        folder = path.get_basedir().get_path_or_uri(secret_free=True)
        described = Snakemake(
            job.input,
            job.output,
            job.params,
            job.wildcards,
            job.threads,
            job.resources,
            job.log,
            job.rule.run_func.__globals__["config"],  # a module has its own
            job.rule.name,
            None,
            folder,
        )
        search_path = list(get_snakemake_searchpaths())
        if cached := self.sources.get_path(path):
            search_path.append(str(Path(cached).parent))
        filename = path.get_path_or_uri(secret_free=True)
        if isinstance(path, LocalSourceFile):
            search_path.append(folder)
            filename = os.path.realpath(filename)
        kept = not self.workflow.execution_settings.cleanup_scripts
        pickled = pickle.dumps(described, protocol=4)
        return Script(source, filename, pickled, tuple(search_path), str(SCRIPTS.absolute()), kept)

    def _path(self, job: Any) -> SourceFile:
        path = job.rule.script
        if isinstance(path, SourceFile):
            path = path.format(wildcards=job.wildcards, params=job.params)
        else:
            path = infer_source_file(format_path(str(path), wildcards=job.wildcards, params=job.params))
        basedir = job.rule.basedir
        return infer_source_file(path, infer_source_file(basedir) if basedir is not None else None)
