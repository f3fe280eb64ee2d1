"""How variants take turns while they are measured, and what happens when something else keeps the machine busy."""

import itertools
import time

import numpy as np
import pytest

from fairweight.core.resource_usage import Disturbance
from fairweight.inference import profile
from fairweight.inference.profile import _Candidate, _measure


def candidate(name, cost=2000, log=None):
    def run(_):
        if log is not None:
            log.append(name)
        sum(range(cost))

    return _Candidate({"seed": 0, "augmentation": "none", "variant": name, "batch_size": 1}, run, [{}])


def quiet(monkeypatch, loads):
    def leave(self, *_):
        self.other_cores, self.load = next(loads), 0.5

    monkeypatch.setattr(Disturbance, "__exit__", leave)


def test_each_round_has_its_cpu_seconds_and_variants_take_turns(monkeypatch):
    quiet(monkeypatch, iter([0.0] * 99))
    log = []
    group = [candidate(name, log=log) for name in ("dense", "small")]
    for member in group:
        member.calls = 5
    _measure([group], rounds=3, seconds=0.002)
    assert all(len(member.rounds) == 3 for member in group)
    assert all(entry["cpu_s"] >= 0.002 and entry["status"] == "measured" for member in group for entry in member.rounds)
    changes = sum(a != b for a, b in itertools.pairwise(log))
    assert changes >= len(log) / 5 / 3  # a turn is five calls


def test_a_disturbed_round_is_measured_again_at_the_end_and_a_fifth_of_them_at_most(monkeypatch):
    quiet(monkeypatch, iter([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    first = candidate("dense")
    _measure([[first]], rounds=5, seconds=0.001)
    assert [entry["round"] for entry in first.rounds] == [1, 2, 3, 4, 0]
    assert all(entry["status"] == "measured" for entry in first.rounds)
    quiet(monkeypatch, iter([1.0] * 6))
    second = candidate("dense")
    _measure([[second]], rounds=5, seconds=0.001)
    assert len(second.rounds) == 5 and {entry["status"] for entry in second.rounds} == {"disturbed"}


def test_an_engine_that_uses_no_cpu_here_ends_and_is_said_to_be_short(monkeypatch):
    quiet(monkeypatch, iter([0.0] * 9))
    monkeypatch.setattr(profile, "PATIENCE", 2)
    idle = _Candidate(candidate("dense").about, lambda _: time.sleep(0.01), [{}])
    _measure([[idle]], rounds=2, seconds=0.05)
    assert {entry["status"] for entry in idle.rounds} == {"short"} and np.isfinite(idle.rounds[0]["cpu_s_per_1000"])


@pytest.mark.parametrize("busy", [False, True])
def test_other_processes_are_seen(monkeypatch, busy):
    clock = iter([100.0, 100.0 + (0.3 if busy else 0.01)])
    monkeypatch.setattr("fairweight.core.resource_usage._busy_cpu_s", lambda: next(clock))
    with Disturbance() as around:
        time.sleep(0.1)
    assert (around.other_cores > 1) == busy and (busy or around.other_cores == 0)
