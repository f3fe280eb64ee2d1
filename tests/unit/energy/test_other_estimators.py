"""Our version of CodeCarbon's formulas against CodeCarbon itself, run beside a computation, and the table."""

import hashlib
import logging
import time

import pandas as pd
import pytest
from codecarbon import OfflineEmissionsTracker
from codecarbon.external.hardware import CPU
from codecarbon.external.ram import RAM

from fairweight.core import resource_usage
from fairweight.energy import other_estimators
from fairweight.energy.other_estimators import GIB, Machine

RECIPE = {
    "watts_per_core": {"low": 5, "central": 10, "high": 20},
    "watts_per_gb": {"low": 0, "central": 0, "high": 0},
    "processor": None,
    "g_per_kwh": None,
    "pue": 1.5,
    "country": "DEU",
}


@pytest.fixture(scope="module", params=["process", "machine"])
def tracked(request, tmp_path_factory):
    """CodeCarbon beside two busy seconds of one thread: its figures, and ours for the same time."""
    logging.getLogger("codecarbon").disabled = True
    tracker = OfflineEmissionsTracker(
        country_iso_code="DEU",
        tracking_mode=request.param,
        output_methods=[],
        measure_power_secs=0.5,
        log_level="error",
        output_dir=str(tmp_path_factory.mktemp("codecarbon")),
        allow_multiple_runs=True,
    )
    tracker.start()
    began, cpu, busy = time.perf_counter(), time.process_time(), resource_usage._busy_cpu_s()
    block = bytes(2**20)
    while time.perf_counter() - began < 2:
        hashlib.sha256(
            block
        )  # releases the interpreter for the tracker's own thread, which would measure late and twice otherwise
    wall, cpu, busy = time.perf_counter() - began, time.process_time() - cpu, resource_usage._busy_cpu_s() - busy
    tracker.stop()
    processor_w = next(hardware._tdp for hardware in tracker._hardware if isinstance(hardware, CPU))
    return request.param, tracker.final_emissions_data, processor_w, wall, cpu, busy


def test_codecarbon_agrees_with_our_version_of_its_formula(tracked):
    mode, theirs, processor_w, wall, cpu, busy = tracked
    threads, memory = resource_usage.machine()
    machine = Machine(threads, memory, processor_w)
    if mode == "process":
        ours = other_estimators.process_mode_j(cpu, wall, 0.3 * GIB, machine)
    else:
        ours = wall * other_estimators.machine_mode_w(min(1.0, busy / wall / threads), machine)
    assert (theirs.cpu_energy + theirs.ram_energy) * 3.6e6 == pytest.approx(float(ours), rel=0.25)  # it samples


@pytest.mark.parametrize("gib", [0.3, 1.9, 4, 8, 15.6, 31, 64, 100, 250, 500, 1500])
def test_the_power_of_memory_is_codecarbons(gib):
    assert other_estimators.memory_w(gib) == pytest.approx(RAM()._calculate_ram_power(gib))


@pytest.mark.parametrize("load", [0, 0.3, 0.5, 1.0])
def test_the_power_of_a_machine_is_codecarbons(load, monkeypatch):
    cpu = CPU.from_utils("", "cpu_load", "a processor", 100, tracking_mode="machine")
    monkeypatch.setattr(cpu._cpu_load_meter, "percent", lambda: load * 100)
    machine = Machine(4, 8 * GIB, 100.0)
    assert other_estimators.machine_mode_w(load, machine) - 10 == pytest.approx(cpu._get_power_from_cpu_load().W)


def ledger(*steps):
    rows = [
        {"kind": "step", "started": s, "wall_s": w, "cpu_s": c, "threads": 1, "peak_memory_bytes": 0.0}
        for s, w, c in steps
    ]
    return pd.DataFrame(rows)


def test_a_machine_is_counted_twice_if_two_steps_run_at_once():
    machine = Machine(2, 8 * GIB, 8.0)
    table = other_estimators.compare(ledger((0, 10, 10), (0, 10, 10)), RECIPE, machine).set_index("mode")["energy_j"]
    assert table["CPU-seconds"] == pytest.approx(2 * 10 * 10 * 1.5)
    assert table["cores held"] == pytest.approx(table["CPU-seconds"])  # both were busy all the time
    assert table["machine, one tracker for all"] == pytest.approx(10 * (8 + 10))
    assert table["machine, one tracker a step"] == pytest.approx(2 * table["machine, one tracker for all"])
    assert table["process, one tracker a step"] == pytest.approx(2 * 10 * (4 + 10))


def test_a_step_that_waits_counts_by_cores_held_but_not_by_cpu_seconds_and_a_gap_not_at_all():
    table = other_estimators.compare(ledger((0, 10, 5), (100, 10, 5)), RECIPE, Machine(2, 8 * GIB, 8.0))
    table = table.set_index("mode")
    assert table.loc["cores held", "ratio"] == pytest.approx(2)
    load = 0.25
    assert table.loc["machine, one tracker for all", "energy_j"] == pytest.approx(20 * (8 * (0.1 + 0.9 * load**3) + 10))
    said = other_estimators.text(table.reset_index())
    assert "machine, one tracker a step" in said and max(map(len, said.splitlines())) <= 110
