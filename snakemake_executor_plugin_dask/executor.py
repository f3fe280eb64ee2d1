"""Snakemake's side: jobs become tasks of a Dask cluster, and their ends become Snakemake's."""

import collections
import importlib
import itertools
import os
import queue
import shlex
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.settings import ExecMode

from snakemake_executor_plugin_dask import benchmark, resources, warm
from snakemake_executor_plugin_dask.ledger import Ledger
from snakemake_executor_plugin_dask.request import Outcome, Request, WorkerLost

if TYPE_CHECKING:
    from distributed import Future

LOGS = Path(".snakemake") / "dask_logs"
WINDOW = 1024  # attempts that Dask knows of at a time, so that a study of any size costs it little memory
WINDOW_A_CORE = 2  # on this machine: what runs, and what follows at once
MOST_PRIORITY = 10**6
LOCAL_TIMEOUT_S = 60
WATCH_S = 1.0


def _priority(job: Any) -> int:
    return max(-MOST_PRIORITY, min(MOST_PRIORITY, job.priority))  # Snakemake's highest is sys.maxsize


def _misfit(job: Any, lacking: str) -> str:
    return f"dask: no worker can run {job.name} (jobid {job.jobid}): {lacking}."


def _loaded(gate: str | None) -> Any:
    """An instance of the class that the setting `gate` names."""
    if gate is None:
        return None
    module, _, name = gate.partition(":")
    try:
        return getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, ValueError) as error:
        raise WorkflowError(f"dask: gate {gate!r} cannot be loaded, it takes module:Class ({error}).") from None


@dataclass
class Attempt:
    """One attempt at a job, from its submission to its end."""

    info: SubmittedJobInfo
    key: str
    need: dict[str, int]
    request: Request
    cold: str  # why it runs cold; empty when it runs warm
    submitted: float
    future: "Future | None" = None


class Executor(RealExecutor):
    """Runs Snakemake's jobs on a Dask cluster."""

    def __post_init__(self) -> None:
        """Find or start the cluster, unless nothing is to be done."""
        self.closing = threading.Event()
        if not len(self.workflow.dag):  # the number of jobs that have to run
            self.closing.set()
            return
        from snakemake_executor_plugin_dask.cluster import Cluster  # Dask is not needed to parse a workflow

        self.session = uuid.uuid4().hex[:12]
        self.ledger = Ledger(self.executor_settings.ledger, self.session)
        self.gate = _loaded(self.executor_settings.gate)
        self.scripts = warm.ScriptFactory(self.workflow)
        self.cluster = Cluster(self.executor_settings, self.session, self.workflow.resource_settings.cores)
        self.counts: collections.Counter[str] = collections.Counter()
        self.told_cold: set[str] = set()
        self.losses: collections.Counter[int] = collections.Counter()
        self.attempts: dict[str, Attempt] = {}
        self.lock = threading.Lock()
        self.numbers = itertools.count()
        self.pending: queue.PriorityQueue[tuple[int, int, Any]] = queue.PriorityQueue()
        self.sizes: list[dict[str, float]] = []  # of workers: a worker that is gone may come back
        self._see(self.cluster.workers() or [])
        self.window = threading.Semaphore(
            max(1, WINDOW_A_CORE * self.cluster.threads) if self.cluster.local else WINDOW
        )
        for work in (self._feed, self._watch):
            threading.Thread(target=self._guarded, args=(work,), name=f"dask{work.__name__}", daemon=True).start()
        self.logger.info(f"Dask: {self.cluster.describe()}.")
        if dashboard := self.cluster.dashboard():
            self.logger.info(f"Dask dashboard: {dashboard}")

    # ---- what RealExecutor asks for the command line of cold jobs

    @property
    def cores(self) -> str:
        """A cold job's Snakemake may use what its worker has reserved."""
        return "all"

    def get_exec_mode(self) -> ExecMode:
        """A cold job's Snakemake knows that it is not the main one."""
        return ExecMode.REMOTE

    def get_python_executable(self) -> str:
        """Workers have the same environment."""
        return shlex.quote(sys.executable)

    def get_job_exec_prefix(self, job: Any) -> str:  # noqa: ARG002
        """A cold job starts where Snakemake was started."""
        return f"cd {shlex.quote(self.workflow.workdir_init)}"

    # ---- from Snakemake to Dask

    def run_job_pre(self, job: Any) -> None:
        """Nothing yet: a job is announced when it is submitted."""

    def run_job(self, job: Any) -> None:
        """Take a job; a thread of its own prepares and submits it when its turn comes."""
        self.pending.put((-_priority(job), next(self.numbers), job))

    def _guarded(self, work: Callable[[], None]) -> None:
        """A thread's work; what ends it ends the run, because Snakemake waits for every job that it has handed over."""
        try:
            work()
        except BaseException as error:
            if not self.closing.is_set():
                self.workflow.scheduler.executor_error_callback(error)

    def _feed(self) -> None:
        """Submit jobs by priority, as many as the window takes."""
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
                message = str(error) if isinstance(error, WorkflowError) else f"{type(error).__name__}: {error}"
                self.report_job_error(SubmittedJobInfo(job), msg=message)

    def _ask_gate(self, job: Any) -> None:
        """End the run as a SIGTERM does, with what runs brought to its end, if the gate has something against this job."""
        if self.gate is None or self.workflow.scheduler._user_kill:
            return
        with self.lock:
            under_way = [attempt.info.job.name for attempt in self.attempts.values()]
        if told := self.gate.before(job.name, under_way):
            self.logger.error(told)
            self.workflow.scheduler.exit_gracefully()

    def _give_back(self, job: Any) -> bool:
        """Whether Snakemake wants no more jobs to begin (SIGTERM, or a failure without --keep-going); it then has it back.

        Other executors start a job when Snakemake hands it over; here it has waited for its turn.
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

        need = resources.needed(job.threads, job.resources)
        if resources.shortcoming(need, self.sizes):  # what was known a moment ago; now it has to be right
            self._see(self.cluster.workers() or [])
        if lacking := resources.shortcoming(need, self.sizes):
            raise WorkflowError(_misfit(job, lacking))
        cold = warm.reason_against(job, self.workflow)
        self._tell_path(job, cold)
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
                carry_out, request, self.session, need.get(resources.GPUS, 0),
                key=attempt.key, pure=False, resources=need, priority=_priority(job),
            )  # fmt: skip
        except BaseException:
            with self.lock:
                self.attempts.pop(attempt.key, None)
            raise
        with self.lock:
            forgotten = attempt.key not in self.attempts
        if forgotten:  # the watch has failed it, or the run has been cancelled, in between
            attempt.future.cancel()
            return
        attempt.future.add_done_callback(lambda future: self._ended(attempt, future))

    def _tell_path(self, job: Any, cold: str) -> None:
        self.logger.debug(f"Dask: job {job.jobid} ({job.name}) runs {'cold, ' + cold if cold else 'warm'}.")
        if cold and job.name not in self.told_cold:
            self.told_cold.add(job.name)
            self.logger.info(f"Dask: {job.name} starts Snakemake anew for each job ({cold}).")

    def _request(self, job: Any, cold: str) -> Request:
        here = Path.cwd()
        run: Any
        if cold:
            cwd, environment, repeats = here, {}, 0
            run = self.format_job_exec(job)
        else:
            self.workflow.async_run(job.prepare())
            cwd = here / job.shadow_dir if job.shadow_dir else here
            environment = dict(self.envvars())
            repeats = (job.benchmark_repeats or 1) if job.benchmark is not None else 0
            run = self.scripts.script(job)
        python_path = tuple(entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry)
        return Request(
            name=job.name,
            run=run,
            cwd=str(cwd),
            environment=environment,
            threads=max(1, job.threads),
            log=str(here / LOGS / f"{job.name}-{job.jobid}.log"),
            python_path=python_path,
            benchmark_repeats=repeats,
        )

    # ---- from Dask to Snakemake

    def _ended(self, attempt: Attempt, future: "Future") -> None:
        """Called by Dask, in a thread of its own, when a task has ended, however."""
        if self.closing.is_set() or not self._forget(attempt):
            return
        try:
            self._conclude(attempt, future)
        except BaseException as error:
            self.workflow.scheduler.executor_error_callback(error)

    def _forget(self, attempt: Attempt) -> bool:
        """Take an attempt out of those that run; whoever does this first decides how it has ended."""
        with self.lock:
            known = self.attempts.pop(attempt.key, None) is not None
        if known:
            self.window.release()
        return known

    def _conclude(self, attempt: Attempt, future: "Future") -> None:
        from distributed.scheduler import KilledWorker

        if future.status == "finished":
            self._report(attempt, future.result(timeout=60))
        elif future.status == "error":
            error = future.exception(timeout=60)
            if isinstance(error, WorkerLost):
                self._begin_anew(attempt, error.claim)
            elif isinstance(error, KilledWorker):  # Dask gives up what has waited on several workers that died
                self._begin_anew(attempt, {"worker": error.last_worker.address, "host": error.last_worker.host})
            else:
                self._fail(attempt, f"Dask could not run the job ({type(error).__name__}: {error}).")
        else:
            self._lose_scheduler(attempt)

    def _report(self, attempt: Attempt, outcome: Outcome) -> None:
        from snakemake_executor_plugin_dask.worker import describe

        job = attempt.info.job
        failed = outcome.exit_code != 0 or outcome.problem
        for usage in outcome.usages or [None]:  # type: ignore[list-item]
            status = "ok" if usage is not None and usage.exit_code == 0 else "failed"
            self._record(attempt, status, outcome=outcome, usage=usage)
        if not failed:
            self.counts["cold" if attempt.cold else "warm"] += 1
            if attempt.request.benchmark_repeats:
                benchmark.write(job, outcome.usages, extended=self.workflow.output_settings.benchmark_extended)
            self.report_job_success(attempt.info)
            return
        self.counts["failed"] += 1
        told = outcome.problem or describe(outcome.usages[-1])
        message = f"{told} on {outcome.host}"
        if not self.workflow.output_settings.show_failed_logs and outcome.tail.strip():
            message += f"; its output ended with:\n{outcome.tail.rstrip()}"
        self.report_job_error(attempt.info, msg=message, aux_logs=[attempt.request.log])

    def _fail(self, attempt: Attempt, message: str) -> None:
        """An attempt of which no worker has told the end."""
        self.counts["failed"] += 1
        self._record(attempt, "lost")
        self.report_job_error(attempt.info, msg=message)

    def _begin_anew(self, attempt: Attempt, claim: dict[str, Any]) -> None:
        """A worker was lost with the job that it ran: clean up as after a failure, and start it again elsewhere."""
        job = attempt.info.job
        self._record(attempt, "lost", claim=claim)
        self.counts["lost"] += 1
        self.losses[job.jobid] += 1
        told = f"Dask: the worker of job {job.jobid} ({job.name}) on {claim['host']} was lost"
        if self.losses[job.jobid] > self.executor_settings.worker_losses:
            self.report_job_error(attempt.info, msg=f"{told}, as it was {self.losses[job.jobid] - 1} times before.")
            return
        self.logger.warning(f"{told}; the job starts again.")
        self.workflow.async_run(job.postprocess(error=True))
        self.run_job(job)

    def _lose_scheduler(self, attempt: Attempt) -> None:
        self._fail(attempt, "the connection to the Dask scheduler was lost.")
        self.workflow.scheduler.executor_error_callback(
            WorkflowError("dask: the connection to the Dask scheduler was lost; run again to resume.")
        )

    def _record(
        self, attempt: Attempt, status: str, *,
        outcome: Outcome | None = None, usage: Any = None, claim: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        job = attempt.info.job
        started = usage.started if usage else (claim or {}).get("started")
        entry = {
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
            "ended": round(usage.started + usage.wall_s, 3) if usage else None,
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
            "host": outcome.host if outcome else (claim or {}).get("host"),
            "worker": outcome.worker if outcome else (claim or {}).get("worker"),
        }
        self.ledger.append(entry)
        if self.gate is not None:
            self.gate.after(entry)

    # ---- the watch, and the end

    def _watch(self) -> None:
        """Notice what no callback tells: no workers, or workers that are too small for what waits."""
        since, told = time.monotonic(), 30.0
        while not self.closing.wait(WATCH_S):
            if not self.attempts:
                since, told = time.monotonic(), 30.0
                continue
            workers = self.cluster.workers()
            if workers is None:  # the scheduler does not answer; Dask's client tells when it gives up
                continue
            self._see(workers)
            if workers:
                since, told = time.monotonic(), 30.0
                self._fail_misfits()
                continue
            waited = time.monotonic() - since
            if waited > told:
                self.logger.info(f"Dask: {len(self.attempts)} jobs have waited {waited:.0f} s for a worker.")
                told *= 2
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
        """End everything that runs, at once."""
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
        """Say what was done, and close what was started."""
        if not self.closing.is_set():
            self.closing.set()
            self._drain("lost")  # none, but after the loss of the scheduler
            self._close()

    def _drain(self, status: str) -> list[Attempt]:
        """Take out all attempts that run, and record how they ended."""
        with self.lock:
            left = list(self.attempts.values())
            self.attempts.clear()
        for attempt in left:
            self._record(attempt, status)
        return left

    def _close(self) -> None:
        self.pending.put((0, 0, None))  # wakes the feeding thread
        self.window.release()
        done = f"{self.counts['warm']} jobs ran warm and {self.counts['cold']} cold"
        failed = f"{self.counts['failed']} attempts failed, {self.counts['lost']} were lost with their workers"
        self.logger.info(f"Dask: {done}; {failed}.")
        try:
            self.ledger.write_overhead(self.session)
        except OSError as error:  # a full disk, say; the cluster has to be closed all the same
            self.logger.warning(f"Dask: the ledger lacks what the run itself used ({error}).")
        self.cluster.close()
