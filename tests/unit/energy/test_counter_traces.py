"""Traces of RAPL counters through the real sampler and the shares: wrap-around, loss, reset, suspended machine."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from traces import EPYC, XEON, trace

from fairweight.energy import power_sampler
from fairweight.energy.attribution import share
from fairweight.energy.metered_ledger import meter, read_samples
from fairweight.energy.meters import Rapl
from fairweight.energy.power_sampler import Sampler

BEGAN = 1_764_000_000.0  # Unix seconds
IDLE_S = 5


class Clocks:
    """The wall clock and the monotonic clock of the machine that a trace is played on."""

    def __init__(self):
        self.wall, self.steady, self.busy = BEGAN, 500.0, 0.0

    def pass_by(self, seconds, busy):
        self.wall += seconds
        self.steady += seconds
        self.busy += busy

    def time(self):
        return self.wall

    def monotonic(self):
        return self.steady


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Play traces through a powercap tree, Rapl and Sampler; return the file of samples."""

    def run(zones, watts, busy, *, starts, events=None):
        clocks, traces = Clocks(), {z.path: trace(z, watts[z.path], s) for z, s in zip(zones, starts, strict=True)}
        monkeypatch.setattr(power_sampler, "time", clocks)
        monkeypatch.setattr(power_sampler, "busy_cpu_s", lambda: clocks.busy)
        root = tmp_path / "powercap"
        for zone in zones:
            (root / zone.path).mkdir(parents=True)
            (root / zone.path / "name").write_text(zone.name + "\n")
            (root / zone.path / "max_energy_range_uj").write_text(f"{zone.range_uj}\n")
            (root / zone.path / "energy_uj").write_text(f"{traces[zone.path][0]}\n")
        file = io.StringIO()
        sampler = Sampler([Rapl(root, clocks.monotonic)], file)
        for second in range(len(busy) + 1):
            for zone in zones:
                if (counter := root / zone.path / "energy_uj").exists():
                    counter.write_text(f"{traces[zone.path][second]}\n")
            (events or {}).get(second, lambda *_: None)(root, clocks)
            if second in (0, IDLE_S):
                sampler.sample("idle")
            if second >= IDLE_S:
                sampler.sample("run")
            if second < len(busy):
                clocks.pass_by(1.0, busy[second])
        path = tmp_path / "meter" / "one.here.meter.jsonl"
        path.parent.mkdir()
        path.write_text(file.getvalue())
        return path

    return run


def noisy(base, seconds, seed):
    return base + np.random.default_rng(seed).normal(0, 4, seconds)


def steps(*rows):
    """Jobs by start in seconds after the run started, length, and CPU-seconds."""
    return pd.DataFrame([(BEGAN + IDLE_S + a, b, c) for a, b, c in rows], columns=["started", "wall_s", "cpu_s"])


def test_two_packages_and_dram_that_wrap_are_counted_to_the_joule(play):
    seconds = IDLE_S + 600
    busy = np.r_[np.zeros(IDLE_S), np.full(600, 32.0)]
    load = busy > 0
    watts = {
        "intel-rapl:0": noisy(40 + 110 * load, seconds, 1),
        "intel-rapl:1": noisy(38 + 100 * load, seconds, 2),
        "intel-rapl:0:0": noisy(12 + 9 * load, seconds, 3),
    }
    # packages wrap after about 5 minutes, the DRAM after half a minute
    path = play(
        XEON,
        watts,
        busy,
        starts=(262143328850 - 40_000_000_000, 262143328850 - 45_000_000_000, 65712999613 - 600_000_000),
    )
    readings = [json.loads(line)["energy_j"] for line in path.read_text().splitlines()]
    for zone, name in zip(XEON, ("package-0@0", "package-1@1", "dram@0:0"), strict=True):
        assert readings[-1][name] == pytest.approx(watts[zone.path].sum(), abs=1e-3)
    shares = share(read_samples(path), steps((0, 600, 9600), (0, 600, 9600)))
    total = sum(w[IDLE_S:].sum() for w in watts.values())
    assert shares.metered_j == pytest.approx(total, abs=1e-2)
    assert shares.status == ["measured"] * 2 and shares.jobs[0] == pytest.approx(shares.jobs[1])
    assert shares.jobs.sum() + shares.idle_j + shares.others_j + shares.unattributed_j == pytest.approx(total, abs=1e-2)
    assert shares.jobs.sum() == pytest.approx((110 + 100 + 9) * 600, rel=0.05)


def test_a_package_that_wraps_every_five_minutes_is_followed_for_half_an_hour(play):
    busy = np.r_[np.zeros(IDLE_S), np.full(1800, 64.0)]
    watts = {"intel-rapl:0": noisy(np.where(busy > 0, 225.0, 90.0), len(busy), 4)}
    shares = share(read_samples(play(EPYC, watts, busy, starts=(65_000_000_000,))), steps((0, 1800, 64 * 1800)))
    assert shares.metered_j == pytest.approx(watts["intel-rapl:0"][IDLE_S:].sum(), abs=1e-2)
    assert shares.metered_j > 6 * 65532.6  # six ranges


def ledger(*rows):
    return steps(*rows).assign(kind="step", host="here")


def test_a_meter_that_vanishes_leaves_the_rest_modelled_and_loses_nothing(play):
    busy = np.r_[np.zeros(IDLE_S), np.full(60, 2.0)]
    watts = {"intel-rapl:0": np.where(busy > 0, 120.0, 80.0)}
    gone = {IDLE_S + 31: lambda root, _: (root / "intel-rapl:0" / "energy_uj").unlink()}
    path = play(EPYC, watts, busy, starts=(0,), events=gone)
    assert sum("lost" in json.loads(line) for line in path.read_text().splitlines()) == 30  # every second reports it
    metered, ((_, node),) = meter(ledger((0, 20, 20), (20, 20, 20), (40, 20, 20)), path.parent)
    assert metered["energy_status"].tolist() == ["measured", "modelled", "modelled"]
    assert node.status == ["measured", "not attributable", "not attributable"]
    assert node.metered_j == pytest.approx(30 * 120, abs=0.01)  # all that it has measured
    assert np.nansum(node.jobs) + node.idle_j + node.others_j + node.unattributed_j == pytest.approx(node.metered_j)


def test_a_reset_counter_is_not_a_wrap_around(play):
    busy = np.r_[np.zeros(IDLE_S), np.full(40, 2.0)]
    watts = {"intel-rapl:0": np.full(len(busy), 100.0)}

    def reset(root, _):
        (root / "intel-rapl:0" / "energy_uj").write_text("0\n")

    path = play(XEON[:1], watts, busy, starts=(50_000_000_000,), events={IDLE_S + 20: reset})
    lost = [json.loads(line)["lost"] for line in path.read_text().splitlines() if "lost" in json.loads(line)]
    assert "the counter was reset" in lost[0]
    shares = share(read_samples(path), steps((0, 15, 15), (25, 10, 10)))
    assert shares.status == ["measured", "not attributable"]
    assert shares.metered_j == pytest.approx(19 * 100, abs=0.01)  # not 262 kJ more


def test_a_clock_that_jumps_marks_what_follows_and_the_joules_stay(play):
    busy = np.r_[np.zeros(IDLE_S), np.full(60, 2.0)]
    watts = {"intel-rapl:0": np.where(busy > 0, 120.0, 80.0)}

    def jump(_, clocks):
        clocks.wall -= 3600  # end of summer time, on a machine that keeps local time

    path = play(EPYC, watts, busy, starts=(0,), events={IDLE_S + 30: jump})
    shares = share(read_samples(path), steps((0, 20, 20), (40 - 3600, 20, 20)))
    assert shares.status == ["measured", "not attributable"]
    assert shares.metered_j == pytest.approx(60 * 120, abs=0.01)
    assert shares.unattributed_j == pytest.approx(31 * 40, rel=0.05)  # active energy from the jump on
