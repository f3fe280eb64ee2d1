"""The executor: submits Snakemake's jobs as tasks of a Dask cluster, and reports their results to Snakemake."""

import collections
import contextlib
import importlib
import itertools
import os
import queue
import shlex
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from snakemake.exceptions import RuleException, print_exception
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.settings import ExecMode
from snakemake_interface_executor_plugins.utils import format_cli_arg

from snakemake_executor_plugin_dask import benchmark, resources, shell_command, warm
from snakemake_executor_plugin_dask.ledger import Ledger, LedgerEntry, Status
from snakemake_executor_plugin_dask.request import Claim, Command, Outcome, Request, Script, Usage

if TYPE_CHECKING:
    from distributed import Future

STARTED_WITH = os.environ.copy()  # Snakemake imports its plugins before it reads the Snakefile
LOGS = Path(".snakemake") / "dask_logs"
WINDOW = 1024  # attempts that Dask knows at a time, so that its memory does not grow with the workflow
WINDOW_A_CORE = 2  # on this machine: one attempt that runs, and one that follows at once
MOST_PRIORITY = 10**6
LOCAL_TIMEOUT_S = 60
WATCH_S = 1.0


class Gate(Protocol):
    """Decides whether jobs may start (the setting `gate`)."""

    def before(self, rule: str, running: list[str], /) -> str | None:
        """A sentence if no further job may start, else None."""

    def after(self, entry: LedgerEntry, /) -> None:
        """Take notice of an attempt that has ended."""


def _priority(job: Any) -> int:
    return max(-MOST_PRIORITY, min(MOST_PRIORITY, job.priority))  # Snakemake's highest is sys.maxsize


def _misfit(job: Any, lacking: str) -> str:
    sentence = f"dask: no worker can run {job.name} (jobid {job.jobid}): {lacking}."
    if resources.NAMES[resources.GPUS] in lacking:
        sentence += f" --set-resources {job.name}:gpu=0 runs it without; CUDA_VISIBLE_DEVICES names GPUs not detected."
    return sentence


def _load_gate(gate: str | None) -> Gate | None:
    """Make an instance of the class that the setting `gate` names."""
    if gate is None:
        return None
    module, _, name = gate.partition(":")
    try:
        loaded: Gate = getattr(importlib.import_module(module), name)()
        return loaded
    except (ImportError, AttributeError, ValueError) as error:
        raise WorkflowError(f"dask: gate {gate!r} cannot be loaded, it takes module:Class ({error}).") from None


@dataclass
class Attempt:
    """One attempt at a job, from its submission to its end.

    Attributes:
        info: Snakemake's record of the submitted job.
        key: name of the task in Dask.
        need: resources that it reserves.
        request: the request that is sent to the worker.
        cold: why it runs cold; empty if it runs warm.
        submitted: time of submission, seconds since the epoch.
        future: Dask's future, once it is submitted.
    """

    info: SubmittedJobInfo
    key: str
    need: dict[str, int]
    request: Request
    cold: str
    submitted: float
    future: "Future | None" = None


class Executor(RealExecutor):
    """Runs Snakemake's jobs on a Dask cluster."""

    def __post_init__(self) -> None:
        """Connect to the cluster or start it, unless there is nothing to do."""
        self.closing = threading.Event()
        if not len(self.workflow.dag):  # the number of jobs that have to run
            self.closing.set()
            return
        from snakemake_executor_plugin_dask.cluster import Cluster  # parsing a workflow does not need Dask

        self.session = uuid.uuid4().hex[:12]
        self.ledger = Ledger(self.executor_settings.ledger, self.session)
        self.gate = _load_gate(self.executor_settings.gate)
        self.scripts = warm.ScriptFactory(self.workflow)
        cores = self.workflow.resource_settings.cores
        log = LOGS.absolute() / f"dask-{self.session}.log"
        scripts = any(job.is_script for job in self.workflow.dag.needrun_jobs())
        self.cluster = Cluster(self.executor_settings, self.session, cores, self.envvars(), log, scripts=scripts)
        self.counts: collections.Counter[str] = collections.Counter()
        self.reported_cold: set[str] = set()
        self.losses: collections.Counter[int] = collections.Counter()
        self.attempts: dict[str, Attempt] = {}
        self.lock = threading.Lock()
        self.numbers = itertools.count()
        self.pending: queue.PriorityQueue[tuple[int, int, Any]] = queue.PriorityQueue()
        self.sizes: list[dict[str, float]] = []  # of all workers so far: a worker that is gone may come back
        self._see(self.cluster.workers() or [])
        self.window = threading.Semaphore(
            max(1, WINDOW_A_CORE * self.cluster.threads) if self.cluster.local else WINDOW
        )
        for work in (self._feed, self._watch):
            threading.Thread(target=self._guarded, args=(work,), name=f"dask{work.__name__}", daemon=True).start()
        self.logger.info(f"Dask: {self.cluster.describe()}.")
        if dashboard := self.cluster.dashboard():
            self.logger.info(f"Dask dashboard: {dashboard} (everyone who can reach it can read it)")

    # ---- command line of cold jobs (called by RealExecutor)

    @property
    def cores(self) -> str:
        """The Snakemake of a cold job has as many cores as the run, so that it sees the same `workflow.cores`."""
        return str(self.workflow.resource_settings.cores or "all")

    def get_exec_mode(self) -> ExecMode:
        """The Snakemake of a cold job runs in remote mode."""
        return ExecMode.REMOTE

    def get_job_args(self, job: Any, **kwargs: Any) -> str:
        """Arguments for a cold job; on another machine, it waits for its files to appear there."""
        arguments: str = super().get_job_args(job, **kwargs)
        files = [] if self.cluster.local else [str(file) for file in job.get_wait_for_files()]
        if not files:
            return arguments
        names = LOGS / f"{job.name}-{job.jobid}-{self.session}.files"  # a command line has a limited length
        names.parent.mkdir(parents=True, exist_ok=True)
        names.write_text("\n".join(files) + "\n", encoding="utf-8")
        return f"{arguments} {format_cli_arg('--wait-for-files-file', str(names))}"

    def get_python_executable(self) -> str:
        """Path of Python, which is the same on all workers; modules in the working folder must not come first (-P)."""
        return f"{shlex.quote(sys.executable)} -P"

    def get_job_exec_prefix(self, job: Any) -> str:  # noqa: ARG002
        """A cold job starts in the working folder of Snakemake."""
        return f"cd {shlex.quote(self.workflow.workdir_init)}"

    # ---- from Snakemake to Dask

    def run_job_pre(self, job: Any) -> None:
        """Do nothing: a job is announced when it is submitted."""

    def run_job(self, job: Any) -> None:
        """Queue a job; another thread prepares and submits it in its turn."""
        self.pending.put((-_priority(job), next(self.numbers), job))

    def _guarded(self, work: Callable[[], None]) -> None:
        """Run a thread's work; an exception ends the run, because Snakemake waits for every job that it has queued."""
        try:
            work()
        except BaseException as error:
            if not self.closing.is_set():
                self.workflow.scheduler.executor_error_callback(error)

    def _feed(self) -> None:
        """Submit jobs by priority, as long as there is room in the window."""
        while True:
            self.window.acquire()
            _, _, job = self.pending.get()
            if self.closing.is_set():
                return
            self._ask_gate(job)
            if self._give_back(job):
                self.window.release()
                continue
            try:
                self._submit(job)
            except Exception as error:
                if self.closing.is_set():
                    return
                self.window.release()
                self.counts["failed"] += 1
                message: str | None = f"{type(error).__name__}: {error}"
                if isinstance(error, RuleException):  # with file and line, as in the local executor
                    print_exception(error.with_traceback(None), self.workflow.linemaps)
                    message = None
                elif isinstance(error, WorkflowError):
                    message = str(error)
                self._report_error(SubmittedJobInfo(job), message)

    def _ask_gate(self, job: Any) -> None:
        """End the run if the gate refuses this job; running jobs finish first, as after SIGTERM."""
        if self.gate is None or self.workflow.scheduler._user_kill:
            return
        with self.lock:
            running = [attempt.info.job.name for attempt in self.attempts.values()]
        if refusal := self.gate.before(job.name, running):
            self.logger.error(refusal)
            self.workflow.scheduler.exit_gracefully()

    def _give_back(self, job: Any) -> bool:
        """Return a job to Snakemake if no more jobs may start: after SIGTERM, or a failure without --keep-going.

        Other executors start a job as soon as Snakemake passes it on; here it has waited for its turn.
        """
        scheduler = self.workflow.scheduler
        if not (scheduler._user_kill or (scheduler._errors and not scheduler.keepgoing)):
            return False
        with scheduler._lock:
            scheduler.running.discard(job)
            scheduler._free_resources(job)
        scheduler._open_jobs.release()
        return True

    def _submit(self, job: Any) -> None:
        from snakemake_executor_plugin_dask.worker import carry_out

        if self.cluster.local and not job.is_group():
            warm.settle_tmpdir(job)
        need = resources.needed(job.threads, job.resources)
        if resources.shortcoming(need, self.sizes):  # the known workers may be out of date
            self._see(self.cluster.workers() or [])
        if lacking := resources.shortcoming(need, self.sizes):
            raise WorkflowError(_misfit(job, lacking))
        cold = warm.reason_against(job, self.workflow)
        self._report_path(job, cold)
        request = self._request(job, cold)
        self.printjob(job)
        number = next(self.numbers)
        info = SubmittedJobInfo(job, external_jobid=f"{self.session}-{number}")
        attempt = Attempt(info, f"snakemake_{job.name}-{self.session}-{number}", need, request, cold, time.time())
        self.report_job_submission(info)
        with self.lock:
            self.attempts[attempt.key] = attempt
        try:
            attempt.future = self.cluster.client.submit(
                carry_out,
                request,
                self.session,
                need.get(resources.GPUS, 0),
                key=attempt.key,
                pure=False,
                resources=need,
                priority=_priority(job),
            )
        except BaseException:
            with self.lock:
                self.attempts.pop(attempt.key, None)
            raise
        with self.lock:
            forgotten = attempt.key not in self.attempts
        if forgotten:  # meanwhile the watch has failed it, or the run was cancelled
            attempt.future.cancel()
            return
        attempt.future.add_done_callback(lambda future: self._ended(attempt, future))

    def _report_path(self, job: Any, cold: str) -> None:
        """Log once per rule that its jobs run cold, and why."""
        self.logger.debug(f"Dask: job {job.jobid} ({job.name}) runs {'cold, ' + cold if cold else 'warm'}.")
        if cold and job.name not in self.reported_cold:
            self.reported_cold.add(job.name)
            self.logger.info(f"Dask: {job.name} starts a new Snakemake process for each job ({cold}).")

    def _request(self, job: Any, cold: str) -> Request:
        start = Path.cwd()
        awaited: tuple[str, ...] = ()
        run: Script | Command | str
        if cold:
            cwd, environment, repeats = start, {}, 0
            run = self.format_job_exec(job)
        else:
            self.workflow.async_run(job.prepare())
            cwd = start / job.shadow_dir if job.shadow_dir else start
            environment = self._environment()
            repeats = (job.benchmark_repeats or 1) if job.benchmark is not None else 0
            if job.is_shell:
                run = shell_command.command(job, self.workflow.linemaps, repeats)
            else:
                run = self.scripts.script(job)
            if not self.cluster.local:
                awaited = tuple(str(start / file) for file in job.get_wait_for_files())
        python_path = tuple(entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry)
        return Request(
            name=job.name,
            run=run,
            cwd=str(cwd),
            environment=environment,
            threads=job.threads if isinstance(run, Command) else max(1, job.threads),
            log=str(start / LOGS / f"{job.name}-{job.jobid}.log"),
            python_path=python_path,
            benchmark_repeats=repeats,
            awaited=awaited,
            latency_s=self.workflow.execution_settings.latency_wait,
        )

    def _environment(self) -> dict[str, str | None]:
        """Variables of warm jobs: those that the workflow declares, and those that the Snakefile sets or removes."""
        present = os.environ.copy()
        changes: dict[str, str | None] = dict.fromkeys(STARTED_WITH.keys() - present.keys())
        changes |= {name: value for name, value in present.items() if STARTED_WITH.get(name) != value}
        of_jobs = {name: value for name, value in changes.items() if name not in self.cluster.variables}
        return of_jobs | self.envvars()

    # ---- from Dask to Snakemake

    def _ended(self, attempt: Attempt, future: "Future") -> None:
        """Handle the end of a task, successful or not; Dask calls it in another thread."""
        if self.closing.is_set() or not self._forget(attempt):
            return
        try:
            self._conclude(attempt, future)
        except BaseException as error:
            self.workflow.scheduler.executor_error_callback(error)

    def _forget(self, attempt: Attempt) -> bool:
        """Remove an attempt from the running ones; returns False if another thread has already done so."""
        with self.lock:
            known = self.attempts.pop(attempt.key, None) is not None
        if known:
            self.window.release()
        return known

    def _conclude(self, attempt: Attempt, future: "Future") -> None:
        from distributed.scheduler import KilledWorker

        if future.status == "finished":
            outcome: Outcome = future.result(timeout=60)
            if outcome.lost is None:
                self._report(attempt, outcome)
            else:
                self._restart(attempt, outcome.lost)
        elif future.status == "error":
            error = future.exception(timeout=60)
            if isinstance(error, KilledWorker):  # Dask gives up a task after several of its workers have died
                self._restart(attempt, {"worker": error.last_worker.address, "host": error.last_worker.host})
            else:
                self._fail(attempt, f"Dask could not run the job ({type(error).__name__}: {error}).")
        else:
            self._lose_scheduler(attempt)

    def _report(self, attempt: Attempt, outcome: Outcome) -> None:
        from snakemake_executor_plugin_dask.worker import describe

        job = attempt.info.job
        failed = outcome.exit_code != 0 or outcome.problem
        for usage in outcome.usages or [None]:  # type: ignore[list-item]
            status: Status = "ok" if usage is not None and usage.exit_code == 0 else "failed"
            self._record(attempt, status, outcome=outcome, usage=usage)
        if not failed:
            self.counts["cold" if attempt.cold else "warm"] += 1
            if attempt.request.benchmark_repeats:
                benchmark.write(job, outcome.usages, extended=self.workflow.output_settings.benchmark_extended)
            self.report_job_success(attempt.info)
            return
        self.counts["failed"] += 1
        if isinstance(attempt.request.run, Command) and outcome.usages and not outcome.problem:
            last, code = len(outcome.usages) - 1, outcome.exit_code
            print_exception(shell_command.failure(attempt.request.run, last, code, self.workflow.linemaps))
        message = f"{outcome.problem or describe(outcome.usages[-1])} on {outcome.host}"
        if not self.workflow.output_settings.show_failed_logs and outcome.tail.strip():
            message += f"; its output ended with:\n{outcome.tail.rstrip()}"
        self._report_error(attempt.info, message, [attempt.request.log])

    def _report_error(self, info: SubmittedJobInfo, message: str | None, logs: Sequence[str] = ()) -> None:
        """Report that a job failed; of a group, Snakemake shows the names of its jobs, and not the message."""
        if info.job.is_group():
            self.logger.error(f"Dask: the group job {info.job.name} (jobid {info.job.jobid}) failed: {message}")
        self.report_job_error(info, msg=message, aux_logs=list(logs))

    def _fail(self, attempt: Attempt, message: str) -> None:
        """Fail an attempt whose end no worker has reported."""
        self.counts["failed"] += 1
        self._record(attempt, "lost")
        self._report_error(attempt.info, message)

    def _restart(self, attempt: Attempt, claim: Claim) -> None:
        """Start a job again whose worker was lost, after cleaning up as after a failure."""
        job = attempt.info.job
        self._record(attempt, "lost", claim=claim)
        self.counts["lost"] += 1
        self.losses[job.jobid] += 1
        event = f"Dask: the worker of job {job.jobid} ({job.name}) on {claim['host']} was lost"
        if self.losses[job.jobid] > self.executor_settings.worker_losses:
            self._report_error(attempt.info, f"{event}, as it was {self.losses[job.jobid] - 1} times before.")
            return
        self.logger.warning(f"{event}; the job starts again.")
        self.workflow.async_run(job.postprocess(error=True))
        self.run_job(job)

    def _lose_scheduler(self, attempt: Attempt) -> None:
        self._fail(attempt, "the connection to the Dask scheduler was lost.")
        self.workflow.scheduler.executor_error_callback(
            WorkflowError("dask: the connection to the Dask scheduler was lost; run again to resume.")
        )

    def _record(
        self,
        attempt: Attempt,
        status: Status,
        *,
        outcome: Outcome | None = None,
        usage: Usage | None = None,
        claim: Claim | None = None,
    ) -> None:
        """Append an attempt to the ledger, and pass the entry to the gate."""
        job = attempt.info.job
        claimed: Claim = claim or {}
        started = usage.started if usage else claimed.get("started")
        ended = usage.ended or usage.started + usage.wall_s if usage else None
        entry: LedgerEntry = {
            "session": self.session,
            "rule": job.name,
            "jobid": job.jobid,
            "wildcards": {} if job.is_group() else dict(job.wildcards),
            "output": [] if job.is_group() else [str(file) for file in job.output],
            "attempt": job.attempt,
            "status": status,
            "path": "cold" if attempt.cold else "warm",
            "cold_because": attempt.cold or None,
            "submitted": round(attempt.submitted, 3),
            "started": None if started is None else round(started, 3),
            "ended": None if ended is None else round(ended, 3),
            "exit_code": usage.exit_code if usage else None,
            "wall_s": round(usage.wall_s, 4) if usage else None,
            "cpu_s": usage.cpu_s if usage else None,
            "cpu_user_s": usage.cpu_user_s if usage else None,
            "cpu_system_s": usage.cpu_system_s if usage else None,
            "launch_cpu_s": usage.launch_cpu_s if usage else None,
            "read_bytes": usage.read_bytes if usage else None,
            "written_bytes": usage.written_bytes if usage else None,
            "peak_memory_bytes": usage.peak_memory_bytes if usage else None,
            "threads": job.threads,
            "host": outcome.host if outcome else claimed.get("host"),
            "worker": outcome.worker if outcome else claimed.get("worker"),
        }
        try:
            self.ledger.append(entry)
        except OSError as error:
            raise WorkflowError(
                f"dask: the ledger {error.filename or ''} cannot be written ({error.strerror}); if its folder was "
                "moved or removed, put it back; run again to resume."
            ) from None
        if self.gate is not None:
            self.gate.after(entry)

    # ---- the watch, and the end

    def _watch(self) -> None:
        """Watch for events without a callback: no workers, or only workers that are too small for waiting jobs."""
        since, next_report = time.monotonic(), 30.0
        while not self.closing.wait(WATCH_S):
            if not self.attempts:
                since, next_report = time.monotonic(), 30.0
                continue
            workers = self.cluster.workers()
            if workers is None:  # the scheduler does not answer; Dask's client reports when it gives up
                continue
            self._see(workers)
            if workers:
                since, next_report = time.monotonic(), 30.0
                self._fail_misfits()
                continue
            waited = time.monotonic() - since
            if waited > next_report:
                self.logger.info(f"Dask: {len(self.attempts)} jobs have waited {waited:.0f} s for a worker.")
                next_report *= 2
            timeout = self.executor_settings.worker_timeout
            if timeout is None and self.cluster.local:
                timeout = LOCAL_TIMEOUT_S
            if timeout is not None and waited > timeout:
                self._give_up(f"no Dask worker has come within {timeout} seconds")

    def _see(self, workers: list[dict[str, float]]) -> None:
        self.sizes += [worker for worker in workers if worker not in self.sizes]

    def _fail_misfits(self) -> None:
        with self.lock:
            waiting = list(self.attempts.values())
        for attempt in waiting:
            lacking = resources.shortcoming(attempt.need, self.sizes)
            if lacking and self._forget(attempt):
                if attempt.future is not None:
                    attempt.future.cancel()
                self._fail(attempt, _misfit(attempt.info.job, lacking))

    def _give_up(self, why: str) -> None:
        with self.lock:
            waiting = list(self.attempts.values())
        for attempt in waiting:
            if self._forget(attempt):
                self._fail(attempt, f"{why}.")
        self.workflow.scheduler.executor_error_callback(WorkflowError(f"dask: {why}."))

    def cancel(self) -> None:
        """End all running jobs at once; it takes some seconds, in which further interrupts are ignored."""
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self.closing.is_set():
            return
        self.closing.set()
        running = self._drain("cancelled")
        if self.cluster.alive:
            try:
                self.cluster.client.cancel([a.future for a in running if a.future is not None], force=True)
            except Exception as error:
                self.logger.debug(f"Dask: cancelling failed: {error!r}")
        self._close()

    def shutdown(self) -> None:
        """Report what was done, and close the cluster."""
        if not self.closing.is_set():
            self.closing.set()
            self._drain("lost")  # none are left, unless the scheduler was lost
            self._close()

    def _drain(self, status: Status) -> list[Attempt]:
        """Remove all running attempts, and record how they ended."""
        with self.lock:
            left = list(self.attempts.values())
            self.attempts.clear()
        for attempt in left:
            with contextlib.suppress(WorkflowError):  # the cluster must be closed all the same
                self._record(attempt, status)
        return left

    def _close(self) -> None:
        self.pending.put((0, 0, None))  # wakes the submitting thread
        self.window.release()
        done = f"{self.counts['warm']} jobs ran warm and {self.counts['cold']} cold"
        failed = f"{self.counts['failed']} attempts failed, {self.counts['lost']} were lost with their workers"
        self.logger.info(f"Dask: {done}; {failed}.")
        try:
            self.ledger.write_overhead()
        except OSError as error:  # such as a full disk; the cluster must be closed all the same
            self.logger.warning(f"Dask: the resource usage of the run itself is missing in the ledger ({error}).")
        self.cluster.close()
        for names in LOGS.glob(f"*-{self.session}.files"):
            names.unlink(missing_ok=True)
