"""Figures of the kernel that the ledger relies on: finished children count, and every process reports its own use."""

import json
import subprocess
import sys

import pytest

from snakemake_executor_plugin_dask.ledger import Ledger
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
    ledger.write_overhead("session")
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
ledger.write_overhead("session")
"""
    for cpu_s, expected in (("0.1", 0.2), ("0.5", 0.0), ("None", None)):
        subprocess.run([sys.executable, "-c", code.replace("{cpu_s}", cpu_s)], check=True)
        (path,) = tmp_path.glob("*.overhead.json")
        overhead = json.loads(path.read_text())
        ends = [row["cpu_s"] for row in overhead["processes"] if row["command"] == "(ends of processes)"]
        assert ends == ([] if expected is None else [pytest.approx(expected, abs=0.1)])
        assert overhead["cpu_s"] == pytest.approx(sum(row["cpu_s"] for row in overhead["processes"]), abs=0.001)
        path.unlink()
