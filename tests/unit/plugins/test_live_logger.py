"""The progress line of a run, made from the events that Snakemake sends."""

import io
import logging
import re
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from fairweight.evaluation.testable_rates import CANNOT, WAYS_OUT
from snakemake_logger_plugin_live import FINDINGS, SHOWN, LogHandler


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def handler(monkeypatch, request):
    monkeypatch.setenv("TERM", "xterm")
    stream = getattr(request, "param", io.StringIO)()
    monkeypatch.setattr("sys.stderr", stream)
    made = LogHandler(SimpleNamespace(stdout=False, dryrun=False), None)
    made.stream = stream
    return made


def send(handler, event=None, message="", level=logging.INFO, **extra):
    record = logging.makeLogRecord({"msg": message, "levelno": level, **({"event": event} if event else {}), **extra})
    handler.handle(record)


def play(handler):
    send(handler, LogEvent.RUN_INFO, "Job stats:", stats={"train": 4, "total": 4})
    for jobid in (1, 2):
        send(handler, LogEvent.JOB_INFO, f"job {jobid}", jobid=jobid, rule_name="train", rule_msg=f"Train {jobid}")
    send(handler, message="Select jobs to execute...")
    send(handler, LogEvent.JOB_FINISHED, "Finished jobid: 1", job_id=1)
    send(handler, LogEvent.PROGRESS, None, done=1, total=4)
    send(handler, LogEvent.JOB_ERROR, "Error in rule train", level=logging.ERROR, jobid=2)
    send(handler, LogEvent.JOB_INFO, "job 3", jobid=3, rule_name="train")
    send(handler, LogEvent.PROGRESS, None, done=2, total=4)


def test_a_file_gets_plain_lines_with_all_figures(handler, monkeypatch):
    monkeypatch.setattr("snakemake_logger_plugin_live.LINE_S", 0)
    play(handler)
    handler.close()
    lines = handler.stream.getvalue().splitlines()
    assert lines[1] == "Error in rule train"
    assert lines[0].startswith("1 of 4 steps (25%) done, 1 under way, 0 failed, 0:00:00 elapsed")
    figures = r"2 of 4 steps \(50%\) done, 1 under way, 1 failed, 0:00:00 elapsed, about 0:00:0\d left: train"
    assert re.fullmatch(figures, lines[2])
    assert "\x1b" not in handler.stream.getvalue() and len(lines) == 3


def test_a_dry_run_prints_the_table_of_its_steps(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    handler = LogHandler(SimpleNamespace(stdout=False, dryrun=True), None)
    send(handler, LogEvent.RUN_INFO, "Job stats:\ntrain 4", stats={"train": 4, "total": 4})
    assert stream.getvalue() == "Job stats:\ntrain 4\n"


def test_what_a_study_cannot_decide_is_shown_when_power_has_ended(handler, tmp_path):
    assert FINDINGS == (CANNOT, WAYS_OUT)
    log = tmp_path / "power.log"
    said = [f"{CANNOT}d: accuracy: stays undecided.", f"{CANNOT}d: no gap.", f"{WAYS_OUT}d: a, or b.", f"{CANNOT}e: x."]
    log.write_text("\n".join([*said, "d, all test rows, accuracy, 18 rows\n"]))
    for jobid, name in ((1, "power"), (2, "train")):
        send(handler, LogEvent.JOB_INFO, name, jobid=jobid, rule_name=name, rule_msg=name, log=[str(log)])
    for jobid in (1, 2):
        send(handler, LogEvent.JOB_FINISHED, "Finished", job_id=jobid)
    assert handler.stream.getvalue().splitlines()[2:] == [
        "This study cannot decide: d:",
        "  accuracy: stays undecided.",
        "  no gap.",
        "  Ways out: a, or b.",
        "This study cannot decide: e:",
        "  x.",
    ]
    assert str(log) in SHOWN  # so that the target `power` does not print them once more


def test_a_file_gets_few_lines_of_a_large_study(handler, monkeypatch):
    now = 0.0
    monkeypatch.setattr("snakemake_logger_plugin_live.time.monotonic", lambda: now)
    send(handler, LogEvent.RUN_INFO, "Job stats:", stats={"train": 1000, "total": 1000})
    for done in range(1, 1001):
        now += 0.4  # seconds: 400 in all
        send(handler, LogEvent.JOB_INFO, f"job {done}", jobid=done, rule_name="train")
        send(handler, LogEvent.PROGRESS, None, done=done, total=1000)
    lines = handler.stream.getvalue().splitlines()
    assert 32 <= len(lines) <= 42 and lines[-1].startswith("1000 of 1000 steps (100%) done")


RULES = {f"rule_{number}": 26 for number in range(34)} | {"train": 16, "predict": 15, "all": 1}  # 916 steps


def test_a_log_of_the_default_study_has_under_120_lines_of_which_none_repeats_another(handler, monkeypatch):
    """All that Snakemake says of 916 steps in seven minutes, off a terminal."""
    now = 0.0
    monkeypatch.setattr("snakemake_logger_plugin_live.time.monotonic", lambda: now)
    monkeypatch.setattr(handler.progress, "get_time", lambda: now)
    noise = ("Using shell: /usr/bin/bash", "Provided remote nodes: unlimited", "Provided cores: 2 (use --cores ...)")
    for message in (*noise, "Rules claiming more threads will be scaled down.", "Building DAG of jobs..."):
        send(handler, message=message)
    stats = RULES | {"total": sum(RULES.values())}
    table = "\n".join(["Job stats:", "job count", *(f"{name} {count}" for name, count in stats.items())])
    send(handler, LogEvent.RUN_INFO, table, stats=stats)
    total, jobid = stats["total"], 0
    assert total == 916
    for name, count in RULES.items():
        for number in range(count):
            jobid, now = jobid + 1, now + 420 / total
            send(handler, message="Select jobs to execute...")
            send(handler, message="Execute 1 jobs...")
            message = f"{name} of seed {number}"
            send(handler, LogEvent.JOB_INFO, f"{name}:\n    output: x", jobid=jobid, rule_name=name, rule_msg=message)
            send(handler, LogEvent.JOB_STARTED, None, jobs=[jobid])
            send(handler, LogEvent.JOB_FINISHED, f"Finished jobid: {jobid}", job_id=jobid)
            send(handler, LogEvent.PROGRESS, None, done=jobid, total=total)
    handler.close()
    lines = handler.stream.getvalue().splitlines()
    assert len(lines) < 120 and len(set(lines)) == len(lines)
    assert lines[0] == "Building DAG of jobs..." and lines[-1] == (
        "916 of 916 steps (100%) done, 0 under way, 0 failed, 0:07:00 elapsed"
    )
    progress = [line for line in lines if " steps (" in line]
    assert 32 <= len(progress) <= 42
    assert all(re.search(r", 0:0\d:\d\d elapsed, about 0:0\d:\d\d left$", line) for line in progress[1:-1])


def test_the_line_names_a_step_that_runs_and_none_that_has_ended(handler, monkeypatch):
    monkeypatch.setattr("snakemake_logger_plugin_live.LINE_S", 0)
    send(handler, LogEvent.RUN_INFO, "Job stats:", stats={"train": 20, "total": 20})
    for jobid in (1, 2):
        send(handler, LogEvent.JOB_INFO, "", jobid=jobid, rule_name="train", rule_msg=f"Train {jobid}")
    send(handler, LogEvent.JOB_FINISHED, None, job_id=2)
    send(handler, LogEvent.PROGRESS, None, done=1, total=20)
    assert handler.figures().endswith("elapsed: Train 1")
    send(handler, LogEvent.JOB_FINISHED, None, job_id=1)
    send(handler, LogEvent.PROGRESS, None, done=2, total=20)
    assert "Train" not in handler.figures()
    for done in (3, 4):
        send(handler, LogEvent.PROGRESS, None, done=done, total=20)
    assert [line[:1] for line in handler.stream.getvalue().splitlines()] == ["1", "2", "3", "4"]


def fail(handler, log, jobid=1):
    names = {"jobid": jobid, "rule_name": "read", "log": [str(log)]}
    send(handler, LogEvent.JOB_ERROR, "Error in rule read", level=logging.ERROR, **names)


def end(handler):
    send(handler, message="Shutting down, this might take some time.")
    send(handler, message="Exiting because a job execution failed. Look above for error messages", level=logging.ERROR)
    message = "WorkflowError:\nAt least one job did not complete successfully."
    send(handler, LogEvent.ERROR, message, level=logging.ERROR)
    handler.close()


def test_a_mistake_is_shown_once_and_with_it_where_its_log_is(handler, tmp_path):
    log = tmp_path / "read.log"
    log.write_text("fairweight: datasets: people: no rows.\n")
    send(handler, LogEvent.RUN_INFO, "Job stats:", stats={"read": 2, "total": 2})
    fail(handler, log)
    end(handler)
    assert handler.stream.getvalue() == f"fairweight: datasets: people: no rows.\n(rule read; log: {log})\n"


def test_a_mistake_is_repeated_at_the_end_of_a_run_that_went_on(handler, tmp_path, monkeypatch):
    monkeypatch.setattr("snakemake_logger_plugin_live.LINE_S", 0)
    log = tmp_path / "read.log"
    log.write_text("fairweight: datasets: people: no rows.\n")
    send(handler, LogEvent.RUN_INFO, "Job stats:", stats={"read": 2, "total": 3})
    fail(handler, log)
    for done in (1, 2):
        send(handler, LogEvent.PROGRESS, None, done=done, total=3)
    end(handler)
    lines = handler.stream.getvalue().splitlines()
    assert lines[:2] == lines[-2:] == ["fairweight: datasets: people: no rows.", f"(rule read; log: {log})"]
    assert len(lines) == 6


def test_another_failure_keeps_what_snakemake_says(handler, tmp_path):
    send(handler, LogEvent.RUN_INFO, "Job stats:", stats={"read": 2, "total": 2})
    fail(handler, tmp_path / "nothing.log")
    end(handler)
    said = handler.stream.getvalue()
    assert said.startswith("Error in rule read\nExiting because a job") and "At least one job" in said


def test_the_rest_of_long_steps_is_estimated_from_all_steps(handler, monkeypatch):
    now = 0.0
    monkeypatch.setattr(handler.progress, "get_time", lambda: now)
    send(handler, LogEvent.RUN_INFO, "Job stats:", stats={"train": 10, "total": 10})
    for done in (1, 2, 3, 4, 5):
        now += 600  # seconds: a step of ten minutes
        send(handler, LogEvent.PROGRESS, None, done=done, total=10)
    assert "5 of 10 steps (50%) done, 0 under way, 0 failed, 0:50:00 elapsed, about 0:50:00 left" in handler.figures()


@pytest.mark.parametrize("handler", [Terminal], indirect=True)
def test_a_terminal_gets_one_line_and_what_went_wrong(handler):
    play(handler)
    handler.progress.refresh()
    shown = handler.stream.getvalue()
    assert "2/4" in shown and "1 under way, 1 failed," in shown and "Error in rule train" in shown
    assert "job 1" not in shown and "Finished jobid" not in shown
    handler.close()
    handler.close()
    assert handler.stream.getvalue().count("2 of 4 steps (50%) done") == 1


def test_an_error_in_the_display_never_ends_a_run(handler, capsys):
    send(handler, LogEvent.JOB_FINISHED, "no job_id here")
    assert handler.under_way == {}


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        (
            "reading\nfairweight: datasets: people: no rows.\n",
            "fairweight: datasets: people: no rows.\n(rule read; log: {log})\n",
        ),
        ("Traceback (most recent call last):\nfairweight: odd", "Error in rule read\n"),
        ("something else\n", "Error in rule read\n"),
        (None, "Error in rule read\n"),
    ],
)
def test_a_mistake_of_the_user_is_shown_as_its_sentence_alone(handler, tmp_path, log, shown):
    path = tmp_path / "read.log"
    if log is not None:
        path.write_text(log)
    send(handler, LogEvent.RUN_INFO, "Job stats:", stats={"read": 1, "total": 1})
    send(
        handler,
        LogEvent.JOB_ERROR,
        "Error in rule read",
        level=logging.ERROR,
        jobid=1,
        rule_name="read",
        log=[str(path)],
    )
    assert handler.stream.getvalue() == shown.format(log=path)
