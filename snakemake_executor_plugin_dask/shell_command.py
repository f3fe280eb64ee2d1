"""Makes the commands of `shell:` jobs, as Snakemake's own `shell` would run them in the local executor.

This is the only module that depends on `snakemake.shell` (9.27).
"""

import contextlib
import subprocess
import sys
from types import FunctionType
from typing import Any

from snakemake.exceptions import RuleException, format_error, get_exception_origin
from snakemake.shell import MAX_ARG_LEN, shell
from snakemake.utils import format as format_command

from snakemake_executor_plugin_dask.request import Command


def is_usual(job: Any) -> bool:
    """Whether the rule of a job calls Snakemake's own `shell`; a Snakefile may define another one."""
    return job.rule.run_func.__globals__.get("shell") is shell


def command(job: Any, linemaps: Any, repeats: int) -> Command:
    """Make the command of a job.

    The expression after `shell:` is Python. As in the local executor, the function that Snakemake has compiled of it
    runs in Snakemake's process; here it calls a recorder instead of `shell`.

    Args:
        job: Snakemake's job.
        linemaps: Snakemake's map of compiled lines to lines of the Snakefile.
        repeats: number of repeats of its benchmark; 0 if it has none.

    Raises:
        RuleException: as in the local executor, with file and line.
    """
    recorder = _Recorder(job.resources.get("shell_exec"))
    function = job.rule.run_func
    recorded = FunctionType(
        function.__code__,
        function.__globals__ | {"shell": recorder},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    arguments = _arguments(job)
    try:
        for iteration in range(repeats) if repeats else (None,):
            recorded(**arguments, bench_iteration=iteration)
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename not in linemaps:
            trace = trace.tb_next  # leave out our own frames
        error.with_traceback(trace)
        raise _located(error, get_exception_origin(error, linemaps), linemaps) from error
    return Command(
        tuple(recorder.texts),
        recorder.executable or "",
        (shell.get_executable() or "/bin/sh") if any(map(_is_long, recorder.texts)) else "",
        recorder.origin,
        str(job.resources.get("tmpdir") or ""),
    )


def text(job: Any) -> str | None:
    """The command of a job, without that of a benchmark's later repeats; None if it cannot be made.

    Args:
        job: Snakemake's job.
    """
    with contextlib.suppress(RuleException):
        return command(job, {}, 0).texts[0]
    return None


def failure(command: Command, iteration: int, exit_code: int, linemaps: Any) -> RuleException:
    """The exception with which a command fails in the local executor.

    Args:
        command: the command.
        iteration: number of the repeat.
        exit_code: exit code; a negative one is the number of a signal.
        linemaps: Snakemake's map of compiled lines to lines of the Snakefile.
    """
    return _located(subprocess.CalledProcessError(exit_code, command.texts[iteration]), command.origin, linemaps)


class _Recorder:
    """Called in the place of `shell`: records what it would run."""

    def __init__(self, shell_exec: Any) -> None:
        self.executable = shell.get_executable() if shell_exec is None else shell_exec
        self.texts: list[str] = []
        self.origin: tuple[int, str] | None = None

    def __call__(self, cmd: Any, *args: Any, bench_record: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
        caller = sys._getframe(1)
        self.origin = (caller.f_lineno, caller.f_code.co_filename)
        formatted = format_command(cmd, *args, stepout=2, **kwargs)  # with the names that the caller knows
        shell._check_executable(self.executable)
        parts = (shell._get_process_prefix(self.executable), formatted, shell._process_suffix)
        self.texts.append(" ".join(parts).strip())


def _arguments(job: Any) -> dict[str, Any]:
    """Arguments of the compiled function, as in `snakemake.executors.local`, without conda, container and modules."""
    absent = (
        "conda_env",
        "container_img",
        "env_modules",
        "bench_record",
        "shadow_dir",
        "edit_notebook",
        "conda_base_path",
    )
    settings, cache = job.rule.workflow.execution_settings, job.rule.workflow.sourcecache
    return dict.fromkeys(absent) | {
        "input": job.input._plainstrings(),
        "output": job.output._plainstrings(),
        "params": job.params,
        "wildcards": job.wildcards,
        "threads": job.threads,
        "resources": job.resources,
        "log": job.log._plainstrings(),
        "rule": job.rule.name,
        "singularity_args": job.rule.workflow.deployment_settings.apptainer_args,
        "use_singularity": False,
        "jobid": job.jobid,
        "is_shell": True,
        "cleanup_scripts": settings.cleanup_scripts,
        "basedir": job.rule.basedir,
        "sourcecache_path": cache.cache_path,
        "runtime_sourcecache_path": cache.runtime_cache_path,
        "runtime_paths": job.rule.workflow.runtime_paths,
    }


def _is_long(text: str) -> bool:
    """Whether `shell` writes a command to a file, because an argument has a limited length."""
    return len(text.replace("'", r"'\''")) + 2 > MAX_ARG_LEN


def _located(error: Exception, origin: tuple[int, str] | None, linemaps: Any) -> RuleException:
    if origin is None:
        return RuleException(format_error(error, None))
    line, file = origin
    return RuleException(format_error(error, line, linemaps=linemaps, snakefile=file, show_traceback=True))
