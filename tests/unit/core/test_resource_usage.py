"""Wall time of a process is what a monotonic clock outside measures, whatever happens to the wall clock."""

import json
import subprocess
import sys
import time

import psutil
import pytest

from fairweight.core import resource_usage
from fairweight.core.components import WORKFLOW as ROOT

SHIFT_S = 7200.0
# the wall clock is set forward by two hours while the step runs
STEP = f"""
import json, sys, time
from fairweight.core.resource_usage import process_usage
time.sleep(float(sys.argv[1]))
if sys.argv[2] == "shifted":
    right = time.time
    time.time = lambda: right() + {SHIFT_S}
print(json.dumps(process_usage(1) | {{"now": time.time()}}), flush=True)
"""
STARTS_S = 0.15  # between the clock outside and the start of the process, on a busy machine


def measured(seconds, clock):
    """Usage figures of a process that sleeps, and the time from before its start to its report by another clock."""
    before = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-c", STEP, str(seconds), clock], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    figures = json.loads(child.stdout.readline())
    outside = time.monotonic() - before
    assert child.wait() == 0
    return figures, outside


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the wall clock counts")
@pytest.mark.parametrize("clock", ["right", "shifted"])
@pytest.mark.parametrize("seconds", [0.1, 0.6])
def test_wall_time_is_that_of_a_clock_outside(seconds, clock):
    usage, outside = measured(seconds, clock)
    assert seconds < usage["wall_s"] <= outside + STARTS_S
    assert usage["wall_s"] == pytest.approx(outside, abs=STARTS_S)
    assert usage["started"] == pytest.approx(usage["now"] - outside, abs=STARTS_S)


def test_elsewhere_the_start_that_the_system_reports_is_used(monkeypatch):
    def nowhere(path, *_, **__):
        raise FileNotFoundError(path)

    monkeypatch.setattr(resource_usage.Path, "read_text", nowhere)
    expected = time.time() - psutil.Process().create_time()
    assert resource_usage.process_usage(1)["wall_s"] == pytest.approx(expected, abs=0.05)
