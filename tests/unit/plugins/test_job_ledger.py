"""Figures of the kernel that the ledger relies on: finished children count, and every process reports its own use."""

import json
import os
import subprocess
import sys
import time

import pytest

from snakemake_executor_plugin_dask import ledger as ledger_module
from snakemake_executor_plugin_dask.ledger import PRELOADED, Ledger
from snakemake_executor_plugin_dask.supervisor import _transferred


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel counts bytes by process on Linux only")
def test_bytes_of_a_finished_child_are_counted(tmp_path):
    before = _transferred()
    subprocess.run(["/bin/sh", "-c", f"head -c 3000000 /dev/zero > {tmp_path}/zeros"], check=True)
    after = _transferred()
    assert 3_000_000 <= after["wchar"] - before["wchar"] < 3_500_000
    assert after["rchar"] - before["rchar"] >= 3_000_000


def test_every_process_of_the_run_reports_what_it_used_itself(tmp_path):
    ledger = Ledger(str(tmp_path), "session")
    busy = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    child = subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    ledger.write_overhead()
    child.communicate(b"\n")
    (path,) = tmp_path.glob("*.overhead.json")
    overhead = json.loads(path.read_text())
    (child_row,) = [row for row in overhead["processes"] if row["pid"] == child.pid]
    assert 0.28 <= child_row["cpu_s"] < 0.6  # user and system time are each cut to ticks of 10 ms
    assert overhead["cpu_s"] == pytest.approx(sum(row["cpu_s"] for row in overhead["processes"]), abs=0.001)


def test_what_ended_processes_used_beyond_the_reports_of_their_jobs_is_the_runs(tmp_path):
    code = f"""
import subprocess, sys
from snakemake_executor_plugin_dask.ledger import Ledger

ledger = Ledger({str(tmp_path)!r}, "session")
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.4: pass"], check=True)
ledger.append({{"host": None, "cpu_s": {{cpu_s}}, "launch_cpu_s": 0.1}})
ledger.write_overhead()
"""
    for cpu_s, expected in (("0.1", 0.2), ("0.5", 0.0), ("None", None)):
        subprocess.run([sys.executable, "-c", code.replace("{cpu_s}", cpu_s)], check=True)
        (path,) = tmp_path.glob("*.overhead.json")
        overhead = json.loads(path.read_text())
        ends = [row["cpu_s"] for row in overhead["processes"] if row["command"] == "(ends of processes)"]
        assert ends == ([] if expected is None else [pytest.approx(expected, abs=0.1)])
        assert overhead["cpu_s"] == pytest.approx(sum(row["cpu_s"] for row in overhead["processes"]), abs=0.001)
        path.unlink()


def test_the_usage_of_the_run_itself_is_known_while_jobs_run_and_without_them(tmp_path, monkeypatch):
    """A preloaded process counts, its forks, which run jobs, do not: they have lines of their own."""
    monkeypatch.setattr(ledger_module, "REFRESHED_S", 0.0)
    preloaded = f"""
import os, time  # {PRELOADED}
def busy(seconds):
    while time.process_time() < seconds: pass
busy(0.3)
if os.fork() == 0:
    busy(0.9)
    print(flush=True)
    input()
    os._exit(0)
os.wait()
"""
    child = subprocess.Popen([sys.executable, "-c", preloaded], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    ledger = Ledger(str(tmp_path), "session")
    entry = {"host": None, "cpu_s": 1.0, "launch_cpu_s": 0.1}
    ledger.append(entry)
    (path,) = tmp_path.glob("*.overhead.json")
    overhead = json.loads(path.read_text())
    pids = [row["pid"] for row in overhead["processes"]]
    assert not overhead["complete"] and pids.count(child.pid) == 1 and os.getpid() in pids
    shown = [row for row in overhead["processes"] if PRELOADED in row["command"]]
    assert [row["pid"] for row in shown] == [child.pid] and 0.28 <= shown[0]["cpu_s"] < 0.6
    ledger.write_overhead()  # also at the end: supervisors that wait for further jobs report their own use
    at_the_end = path.read_text()
    assert sum(PRELOADED in row["command"] for row in json.loads(at_the_end)["processes"]) == 1
    ledger.append(entry)  # a late line does not take it back
    assert path.read_text() == at_the_end
    child.communicate(b"\n")


def test_the_time_of_a_run_is_that_of_a_clock_outside(tmp_path):
    """The wall clock is set forward by two hours while the run goes on."""
    code = f"""
import time
from snakemake_executor_plugin_dask.ledger import Ledger
time.sleep(0.4)
right = time.time
time.time = lambda: right() + 7200
Ledger({str(tmp_path)!r}, "session").write_overhead()
"""
    before, clock = time.time(), time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True)
    outside = time.monotonic() - clock
    overhead = json.loads(next(tmp_path.glob("*.overhead.json")).read_text())
    assert overhead["complete"] and 0.4 < overhead["wall_s"] <= outside + 0.05
    assert overhead["started"] == pytest.approx(before + 7200, abs=outside)
    assert overhead["ended"] - overhead["started"] == pytest.approx(overhead["wall_s"], abs=0.01)
