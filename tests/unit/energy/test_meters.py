"""Counters of a fake powercap tree, a real sampler, and shares of energy that add up."""

import io
import json
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fairweight.core.errors import InputError
from fairweight.energy.attribution import idle_rate, share
from fairweight.energy.metered_ledger import meter, read_samples
from fairweight.energy.meters import Command, Nvml, Rapl, open_meters
from fairweight.energy.power_sampler import Sampler, busy_cpu_s

RANGE_UJ = 262143328850  # of an Intel Xeon


class Powercap:
    """The tree of a machine with two packages, the second with DRAM, and zones that must not be counted."""

    def __init__(self, root):
        self.root = root
        zones = {
            "intel-rapl:0": "package-0",
            "intel-rapl:1": "package-1",
            "intel-rapl:1:0": "core",
            "intel-rapl:1:1": "dram",
            "intel-rapl:2": "psys",
            "intel-rapl-mmio:0": "package-0",
        }
        for zone, name in zones.items():
            (root / zone).mkdir(parents=True)
            (root / zone / "name").write_text(name + "\n")
            (root / zone / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
            self.set(zone, 1_000_000)

    def set(self, zone, microjoules):
        (self.root / zone / "energy_uj").write_text(f"{microjoules}\n")


@pytest.fixture
def tree(tmp_path):
    return Powercap(tmp_path / "powercap")


def test_packages_and_dram_are_counted_once_and_their_parts_are_not(tree):
    meter = Rapl(tree.root)
    for zone in ("intel-rapl:0", "intel-rapl:1:1", "intel-rapl:1:0", "intel-rapl:2", "intel-rapl-mmio:0"):
        tree.set(zone, 3_500_000)
    assert meter.read_j() == {"package-0@0": 2.5, "package-1@1": 0.0, "dram@1:1": 2.5}


def test_a_counter_that_wraps_around_to_zero_continues(tree):
    tree.set("intel-rapl:0", RANGE_UJ - 999_999)
    meter = Rapl(tree.root)
    tree.set("intel-rapl:0", 2_000_000)
    assert meter.read_j()["package-0@0"] == pytest.approx(3.0)
    tree.set("intel-rapl:0", 2_500_000)
    assert meter.read_j()["package-0@0"] == pytest.approx(3.5)


def test_without_a_meter_the_reasons_are_returned(tmp_path):
    meters, reasons = open_meters(powercap=tmp_path)
    if not meters:  # a machine with a GPU has one
        assert reasons[0].startswith("RAPL: no package in") and len(reasons) == 2


def test_rapl_is_said_to_be_on_linux_only(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert "RAPL: on Linux only" in open_meters(powercap=tmp_path)[1]


def test_gpus_count_millijoules_and_one_that_is_lost_is_an_oserror():
    class LostError(Exception):
        pass

    counts = {0: 5000, 1: 10000}

    def energy(handle):
        if not counts:
            raise LostError("GPU is lost")
        return counts[handle]

    driver = SimpleNamespace(
        NVMLError=LostError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetTotalEnergyConsumption=energy,
    )
    meter = Nvml(driver)
    counts |= {0: 7000, 1: 14000}
    assert meter.read_j() == {"gpu-0": 2.0, "gpu-1": 4.0}
    counts.clear()
    with pytest.raises(OSError, match="GPU is lost"):
        meter.read_j()


def test_the_watts_of_a_command_are_integrated():
    meter = Command([sys.executable, "-c", "print(40.0)"])
    began = time.monotonic()
    time.sleep(0.2)
    assert meter.read_j()["wall"] == pytest.approx(40 * (time.monotonic() - began), rel=0.5)


@pytest.mark.parametrize(
    "command",
    [["/no/such/program"], [sys.executable, "-c", "print('n/a')"], [sys.executable, "-c", "print(-3)"]],
)
def test_a_command_without_watts_is_reported(command):
    with pytest.raises(InputError, match=r"energy: meter_command: .*must print watts"):
        Command(command)


def test_a_meter_that_vanishes_is_reported_and_the_samples_continue(tree):
    file = io.StringIO()
    sampler = Sampler([Rapl(tree.root)], file)
    sampler.sample("run")
    (tree.root / "intel-rapl:0" / "energy_uj").unlink()
    sampler.sample("run")
    tree.set("intel-rapl:0", 0)  # it comes back with another count, which means nothing
    sampler.sample("run")
    first, second, third = map(json.loads, file.getvalue().splitlines())
    assert first["energy_j"] and second["energy_j"] is None and "energy_uj" in second["lost"]
    assert third["energy_j"] is None and third["busy_cpu_s"] >= first["busy_cpu_s"]


# ---- sharing


def samples(idle_w=20.0, run_w=50.0, seconds=10, busy=2.0):
    """Two idle samples, then one per second in which `busy` cores are busy."""
    idle = pd.DataFrame(
        {"phase": "idle", "time": [90.0, 95.0], "energy_j": [0.0, idle_w * 5], "busy_cpu_s": [0.0, 0.0]}
    )
    at = np.arange(seconds + 1.0)
    run = pd.DataFrame({"phase": "run", "time": 100 + at, "energy_j": idle_w * 5 + run_w * at, "busy_cpu_s": busy * at})
    table = pd.concat([idle, run], ignore_index=True)
    return table.assign(clock=table["time"] - 50)


def jobs(*rows):
    return pd.DataFrame(rows, columns=["started", "wall_s", "cpu_s"])


def total(shares):
    return np.nansum(shares.jobs) + shares.idle_j + shares.others_j + shares.unattributed_j


def test_two_equal_jobs_at_once_get_equal_shares_that_add_up_with_the_idle_node():
    shares = share(samples(), jobs((100, 10, 10), (100, 10, 10)))
    assert shares.jobs == pytest.approx([150, 150]) and shares.status == ["measured"] * 2
    assert (shares.metered_j, shares.idle_j) == pytest.approx((500, 200))
    assert shares.others_j == pytest.approx(0) and shares.unattributed_j == pytest.approx(0)


def test_other_processes_get_their_share():
    shares = share(samples(busy=2.0), jobs((100, 10, 5)))
    assert shares.jobs == pytest.approx([75]) and shares.others_j == pytest.approx(225)
    assert total(shares) == pytest.approx(shares.metered_j)


def test_after_a_meter_vanished_jobs_are_marked_and_the_others_keep_theirs():
    table = samples()
    table.loc[table["time"] > 105, "energy_j"] = np.nan
    shares = share(table, jobs((100, 5, 5), (103, 6, 6)))
    assert shares.status == ["measured", "not attributable"] and np.isnan(shares.jobs[1])
    assert shares.metered_j == pytest.approx(250) and total(shares) == pytest.approx(250)


def test_after_a_clock_jumped_nothing_is_attributed_and_nothing_is_lost():
    table = samples()
    table.loc[table["time"] > 105, "time"] += 3600
    shares = share(table, jobs((100, 5, 5), (3706, 4, 4)))
    assert shares.status == ["measured", "not attributable"]
    assert shares.metered_j == pytest.approx(500) and total(shares) == pytest.approx(500)


def test_without_an_idle_baseline_nothing_is_attributed():
    table = samples()
    shares = share(table[table["phase"] == "run"], jobs((100, 10, 10)))
    assert np.isnan(idle_rate(table[table["phase"] == "run"], "energy_j")) and shares.status == ["not attributable"]


def test_a_job_that_began_before_the_sampler_is_not_attributable():
    assert share(samples(), jobs((95, 10, 10))).status == ["not attributable"]


def test_the_ledger_marks_what_is_measured_modelled_and_neither(tmp_path):
    rows = samples().to_dict("records")
    lines = [json.dumps({**row, "energy_j": {"package-0@0": row["energy_j"]}}) for row in rows]
    (tmp_path / "one.here.local.meter.jsonl").write_text("\n".join([*lines, '{"phase": "ru']))
    steps = jobs((100, 10, 10), (100, 10, 10), (100, 10, 10), (100, 10, np.nan), (300, 10, 10))
    ledger = steps.assign(kind="step", host=["here.local", "here.local", "there", "here.local", "here.local"])
    metered, ((host, node),) = meter(ledger, tmp_path)
    assert metered["energy_status"].tolist() == ["measured", "measured", "modelled", "not attributable", "modelled"]
    assert metered["metered_j"].tolist()[:2] == pytest.approx([150, 150]) and metered["metered_j"][2:].isna().all()
    assert host == "here.local" and node.metered_j == pytest.approx(500)


def test_a_broken_sample_is_reported_with_its_line(tmp_path):
    path = tmp_path / "one.here.meter.jsonl"
    path.write_text('{"phase": "run"}\n{}\n')
    with pytest.raises(InputError, match="line 1: this is not a sample"):
        read_samples(path)


BURN = """
import resource, time
began, clock = time.time(), time.perf_counter()
while time.process_time() < 0.6:
    sum(range(10000))
print(began, time.perf_counter() - clock, time.process_time())
"""


@pytest.mark.skipif(busy_cpu_s() is None, reason="the kernel does not report how busy it is")
def test_two_real_jobs_and_a_real_sampler_add_up_to_the_fake_node(tree, tmp_path):
    """A node of 20 W, and 10 W more for each busy core."""
    over = threading.Event()
    began = time.monotonic()

    def work():
        busy = None  # until the run starts, the node counts as idle, whatever else the machine does
        while not over.wait(0.02):
            if busy is None and any('"run"' in f.read_text() for f in tmp_path.glob("ledger/*.meter.jsonl")):
                busy = busy_cpu_s()
            drawn = 20 * (time.monotonic() - began) + (0 if busy is None else 10 * (busy_cpu_s() - busy))
            temporary = tree.root / "next"
            temporary.write_text(str(int(drawn * 1e6)))
            temporary.replace(tree.root / "intel-rapl:0" / "energy_uj")

    node = threading.Thread(target=work)
    tree.set("intel-rapl:0", 0)
    node.start()
    try:
        # the parent is a process whose end the sampler sees
        script = (
            "import subprocess, sys, time\n"
            "def start(*arguments):\n"
            "    return subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)\n"
            "options = ['--powercap', sys.argv[2], '--idle-s', '0.5']\n"
            "sampler = start('-m', 'fairweight.energy.power_sampler', sys.argv[1], *options)\n"
            "assert sampler.stdout.readline() == 'ready\\n'\n"
            "jobs = [start('-c', sys.argv[3]) for _ in 'ab']\n"
            "print(*(job.communicate()[0] for job in jobs))\n"
            "time.sleep(1.2)\n"
        )
        arguments = [sys.executable, "-c", script, str(tmp_path / "ledger"), str(tree.root), BURN]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60)
        time.sleep(1.5)  # it sees its parent gone
    finally:
        over.set()
        node.join()
    (file,) = (tmp_path / "ledger").glob("*.meter.jsonl")
    rows = [map(float, line.split()) for line in done.stdout.splitlines() if line.strip()]
    shares = share(read_samples(file), jobs(*rows))
    assert shares.status == ["measured"] * 2
    assert shares.jobs[0] == pytest.approx(shares.jobs[1], rel=0.05)
    assert total(shares) == pytest.approx(shares.metered_j) and shares.others_j >= 0


@pytest.mark.parametrize("options", [["--powercap", "absent"], ["--external", "--idle-s", "0.1"]])
def test_the_sampler_of_a_run_that_was_cancelled_ends_quietly(tmp_path, options):
    command = [sys.executable, "-P", "-m", "fairweight.energy.power_sampler", "meter", *options]
    sampler = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    sampler.stdout.close()
    if "--external" in options:
        time.sleep(1.5)
        sampler.terminate()  # it follows this process, which goes on
    assert sampler.stderr.read() == "" and sampler.wait(30) in (0, -15)
