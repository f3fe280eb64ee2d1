"""Snakemake logger plugin that shows a progress line: steps done, under way, failed, time elapsed, time left.

On a terminal, the line stays at the bottom, below other messages. Elsewhere (a file, a pipe, CI), the same figures are
printed as plain lines, at most forty a run and one every two seconds. Details of each job are in Snakemake's own log
file.
"""

import logging
import math
import re
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

__all__ = ["SHOWN", "LogHandler", "findings"]

SPEED_OVER_S = math.inf  # estimate the time left from the last thousand steps, however long they took
LINE_S = 2.0  # least time between two lines of figures
LINES = 40  # most lines of figures in a run
# what Snakemake says of every run, and what the figures say better
NOISE = re.compile(
    r"Select jobs to execute\.\.\.|Execute \d+ jobs\.\.\.|Using shell: .*|Provided remote nodes: .*|Elapsed time: .*"
    r"|Shutting down, this might take some time\.|Assuming unrestricted shared filesystem usage\."
    r"|Provided cores: .*|Rules claiming more threads will be scaled down\."
)
# what Snakemake says of a run after the errors of its steps, which have been shown
FAILED = re.compile(
    r"(WorkflowError:\s*)?At least one job did not complete successfully\.\s*|Exiting because a job execution failed.*"
)
SENTENCE = "fairweight: "  # how a step begins the sentence about a user's mistake
# how lines of a step's log begin that are shown as soon as it has ended
FINDINGS = CANNOT, WAYS_OUT = "This study cannot decide: ", "Ways out for "
FINDING_RULES = ("power",)
SHOWN: set[str] = set()  # logs whose findings this process has shown
TRACEBACK = "Traceback (most recent call last):"


class LogHandler(LogHandlerBase):  # type: ignore[misc]
    """Shows the progress of a run."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False  # use Snakemake's filter, so that --quiet and --verbose keep their meaning
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Prepare the progress line; it appears when the number of steps is known."""
        stream = sys.stdout if self.common_settings.stdout else sys.stderr
        self.console = Console(file=stream, highlight=False, markup=False, soft_wrap=True)
        self.live = self.console.is_terminal and not self.common_settings.dryrun
        self.progress = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("steps, {task.fields[under_way]} under way, {task.fields[failed]} failed,", markup=False),
            TimeElapsedColumn(),
            TextColumn("elapsed,", markup=False),
            TimeRemainingColumn(),
            TextColumn("left  {task.description}", markup=False),
            console=self.console,
            speed_estimate_period=SPEED_OVER_S,
            transient=True,
            disable=not self.live,
        )
        self.task: Any = None
        self.under_way: dict[int, str] = {}  # number of a step -> what it does
        self.failed = 0
        self.finding_logs: dict[int, list[str]] = {}  # logs of the steps under way whose findings are shown
        self.mistakes: list[str] = []  # sentences of the steps that a user's mistake has ended
        self.passed = False  # whether lines about other steps followed the first of them
        self.shown, self.shown_s = -1, -math.inf  # share of the last line of figures in `LINES`, and its time

    def emit(self, record: logging.LogRecord) -> None:
        """Update the counts, and print a record unless the progress line replaces it."""
        try:
            event = getattr(record, "event", None)
            self._count(event, record)
            for line in self._findings(event, record):
                self.console.print(line, style="yellow")
            if self._worth_reading(event, record):
                mistake = _mistake(event, record)
                self.passed |= bool(self.mistakes) and event in (LogEvent.PROGRESS, LogEvent.JOB_ERROR)
                self.mistakes += [mistake] if mistake else []
                text = self.figures() if event == LogEvent.PROGRESS else mistake or self.format(record)
                if text.strip():
                    self.console.print(text.strip("\n"), style=_style(record.levelno))
        except Exception:
            self.handleError(record)

    def _count(self, event: Any, record: Any) -> None:
        if event == LogEvent.JOB_INFO:
            self.under_way[record.jobid] = str(getattr(record, "rule_msg", None) or record.rule_name)
        elif event == LogEvent.JOB_FINISHED:
            self.under_way.pop(record.job_id, None)
        elif event == LogEvent.JOB_ERROR:
            self.under_way.pop(record.jobid, None)
            self.failed += 1
        elif event == LogEvent.RUN_INFO and self.task is None and not self.common_settings.dryrun:
            self.task = self.progress.add_task("", total=record.stats["total"], under_way=0, failed=0)
            if self.live:
                self.progress.start()
        if self.task is not None:
            newest = next(reversed(self.under_way.values()), "")
            figures: dict[str, Any] = {"under_way": len(self.under_way), "failed": self.failed, "description": newest}
            if event == LogEvent.PROGRESS:
                figures |= {"completed": record.done, "total": record.total}
            self.progress.update(self.task, **figures)

    def _findings(self, event: Any, record: Any) -> list[str]:
        """What a step has found that people should read before the run goes on."""
        if event == LogEvent.JOB_INFO and record.rule_name in FINDING_RULES:
            self.finding_logs[record.jobid] = list(record.log or ())
        if event != LogEvent.JOB_FINISHED:
            return []
        logs = self.finding_logs.pop(record.job_id, [])
        SHOWN.update(logs)
        return [line for log in logs for line in findings(_text(log))]

    def _worth_reading(self, event: Any, record: logging.LogRecord) -> bool:
        if event in (LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED) or NOISE.fullmatch(record.getMessage()):
            return False
        if self.mistakes and self.failed == len(self.mistakes) and FAILED.fullmatch(record.getMessage().strip()):
            return False  # the sentences say what is wrong
        if self.live:
            return event not in (LogEvent.JOB_INFO, LogEvent.PROGRESS, LogEvent.RUN_INFO, LogEvent.RESOURCES_INFO)
        if self.task is not None and event == LogEvent.PROGRESS:
            task, now = self.progress.tasks[0], time.monotonic()
            share = int(task.percentage * LINES / 100)
            if not task.finished and (share == self.shown or now < self.shown_s + LINE_S):
                return False
            self.shown, self.shown_s = share, now
            return True
        return self.task is None or event not in (LogEvent.JOB_INFO, LogEvent.RUN_INFO)  # without a task: a dry run

    def figures(self) -> str:
        """The progress line as text."""
        task = self.progress.tasks[0]
        total = int(task.total or 0)
        text = (
            f"{int(task.completed)} of {total} steps ({task.percentage:.0f}%) done, {len(self.under_way)} under way, "
            f"{self.failed} failed, {_time(task.elapsed)} elapsed"
        )
        if task.finished:
            return text
        left = "" if task.time_remaining is None else f", about {_time(task.time_remaining)} left"
        return f"{text}{left}: {task.description}".rstrip(": ")

    def close(self) -> None:
        """Remove the progress line, print its last state, and repeat mistakes that other lines have followed."""
        if self.live and self.task is not None:
            self.progress.stop()
            self.console.print(self.figures())
            self.live = False
        for mistake in self.mistakes if self.passed else ():
            self.console.print(mistake, style="red")
        self.mistakes = []
        super().close()


def findings(text: str) -> list[str]:
    """What a log says that people should read before a run goes on: a heading for each dataset, sentences below it."""
    lines, last = list[str](), ""
    for line in text.splitlines():
        if not line.startswith(FINDINGS):
            continue
        start = next(start for start in FINDINGS if line.startswith(start))
        name, _, sentence = line.removeprefix(start).partition(": ")
        if name != last:
            lines.append(f"{CANNOT}{name}:")
        lines.append(f"  {sentence if start == CANNOT else f'Ways out: {sentence}'}")
        last = name
    return lines


def _mistake(event: Any, record: Any) -> str | None:
    """The sentence with which a step has ended because of a user's mistake; None for all other failures.

    The figures that Snakemake prints of the step are in its own log file.
    """
    for log in getattr(record, "log", ()) if event == LogEvent.JOB_ERROR else ():
        lines = _text(log).rstrip().splitlines()
        if lines and lines[-1].startswith(SENTENCE) and TRACEBACK not in lines:
            return f"{lines[-1]}\n(rule {record.rule_name}; log: {log})"
    return None


def _text(log: str) -> str:
    """Content of a log; nothing if it cannot be read."""
    try:
        return Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _style(level: int) -> str:
    if level >= logging.ERROR:
        return "red"
    return "yellow" if level >= logging.WARNING else ""


def _time(seconds: float | None) -> str:
    return str(timedelta(seconds=round(seconds or 0)))
