"""Snakemake logger that keeps one line about a long run: done, under way, failed, elapsed, estimated rest.

On a terminal the line stays at the bottom, and what the run has to say appears above it.  Elsewhere (a file, a
pipe, CI) the same figures stand in plain lines.  What each job is and what it said is in Snakemake's own log file.
"""

import logging
import math
import sys
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

__all__ = ["LogHandler"]

SPEED_OVER_S = math.inf  # the rest is estimated from the last thousand steps, however long each of them takes
NOISE = ("Select jobs to execute...",)


class LogHandler(LogHandlerBase):  # type: ignore[misc]
    """Shows a run's progress."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False  # Snakemake's own does: --quiet and --verbose keep their meaning
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Prepare the line; it appears when the work is known."""
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
        self.under_way: set[int] = set()
        self.failed = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count what happens, and print what is worth reading."""
        try:
            event = getattr(record, "event", None)
            self._count(event, record)
            if self._worth_reading(event, record):
                text = self.figures() if event == LogEvent.PROGRESS else self.format(record)
                if text.strip():
                    style = (
                        "red"
                        if record.levelno >= logging.ERROR
                        else "yellow"
                        if record.levelno >= logging.WARNING
                        else ""
                    )
                    self.console.print(text.strip("\n"), style=style)
        except Exception:
            self.handleError(record)

    def _count(self, event: Any, record: Any) -> None:
        if event == LogEvent.JOB_INFO:
            self.under_way.add(record.jobid)
        elif event == LogEvent.JOB_FINISHED:
            self.under_way.discard(record.job_id)
        elif event == LogEvent.JOB_ERROR:
            self.under_way.discard(record.jobid)
            self.failed += 1
        elif event == LogEvent.RUN_INFO and self.task is None and not self.common_settings.dryrun:
            self.task = self.progress.add_task("", total=record.stats["total"], under_way=0, failed=0)
            if self.live:
                self.progress.start()
        if self.task is not None:
            figures: dict[str, Any] = {"under_way": len(self.under_way), "failed": self.failed}
            if event == LogEvent.PROGRESS:
                figures |= {"completed": record.done, "total": record.total}
            if event == LogEvent.JOB_INFO:
                figures["description"] = str(getattr(record, "rule_msg", None) or record.rule_name)
            self.progress.update(self.task, **figures)

    def _worth_reading(self, event: Any, record: logging.LogRecord) -> bool:
        if event in (LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED) or record.getMessage() in NOISE:
            return False  # the figures say it
        return not self.live or event not in (
            LogEvent.JOB_INFO,
            LogEvent.PROGRESS,
            LogEvent.RUN_INFO,
            LogEvent.RESOURCES_INFO,
        )

    def figures(self) -> str:
        """The line in words, for those who read it later."""
        task = self.progress.tasks[0]
        total = int(task.total or 0)
        words = (
            f"{int(task.completed)} of {total} steps ({task.percentage:.0f}%) done, {len(self.under_way)} under way, "
        )
        words += f"{self.failed} failed, {_time(task.elapsed)} elapsed"
        rest = task.time_remaining
        return words if task.finished or rest is None else f"{words}, about {_time(rest)} left"

    def close(self) -> None:
        """Take the line away, and leave its last state."""
        if self.live and self.task is not None:
            self.progress.stop()
            self.console.print(self.figures())
            self.live = False
        super().close()


def _time(seconds: float | None) -> str:
    return str(timedelta(seconds=round(seconds or 0)))
