"""A wall meter that keeps a CSV file is joined by its clock, which is checked."""

import json
import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from fairweight.core.errors import InputError
from fairweight.energy.attribution import share
from fairweight.energy.metered_ledger import differing_clocks, meter
from fairweight.energy.power_sampler import main
from fairweight.energy.wall_meter import clock_offset_s, join, read_wall_meter

BEGAN = 1_764_000_000
SECONDS = 300


def cores():
    """Busy cores second by second, in bursts of different lengths, like steps."""
    busy = np.zeros(SECONDS)
    for start, length in ((5, 40), (60, 15), (90, 70), (180, 5), (200, 90)):
        busy[start : start + length] = 2.0
    return busy


def samples():
    at = np.arange(SECONDS + 1)
    phase = np.where(at < 5, "idle", "run")
    table = pd.DataFrame({"phase": phase, "time": BEGAN + at, "clock": at + 7.0, "energy_j": np.nan})
    return table.assign(busy_cpu_s=np.append(0.0, np.cumsum(cores())).round(2))


def write(folder, lines, columns="time,watts"):
    path = folder / "wall.csv"
    path.write_text("\n".join([columns, *lines]) + "\n")
    return path


def watts(ahead=0, until=SECONDS):
    """A machine of 60 W, plus 15 W per busy core, read every second; the meter's clock is `ahead` by some seconds."""
    power = 60 + 15 * cores()
    power += np.random.default_rng(7).normal(0, 1, SECONDS)
    return [f"{datetime.fromtimestamp(BEGAN + s + ahead, UTC).isoformat()},{power[s]:.2f}" for s in range(until)]


def test_its_energy_is_shared_like_that_of_other_meters(tmp_path):
    table = join(samples(), read_wall_meter(write(tmp_path, watts())))
    jobs = pd.DataFrame({"started": BEGAN + 90.0, "wall_s": [70.0, 70.0], "cpu_s": [70.0, 70.0]})
    shares = share(table, jobs)
    assert shares.status == ["measured"] * 2 and shares.jobs[0] == pytest.approx(shares.jobs[1])
    assert shares.jobs.sum() == pytest.approx(30 * 70, rel=0.05) and shares.metered_j > 60 * 290


def test_a_counter_in_kwh_is_the_same_meter(tmp_path):
    counted = [f"{BEGAN + s},{1234.5 + s * 100 / 3.6e6:.9f}" for s in range(0, 61, 10)]
    wall = read_wall_meter(write(tmp_path, counted, "time,kwh"))
    assert np.diff(wall.at(np.array([BEGAN, BEGAN + 60.0]))) == pytest.approx([6000], rel=1e-3)


def test_a_meter_that_ends_early_leaves_the_rest_unattributed(tmp_path):
    table = join(samples(), read_wall_meter(write(tmp_path, watts(until=150))))
    jobs = pd.DataFrame({"started": BEGAN + np.array([60.0, 200.0]), "wall_s": [15.0, 90.0], "cpu_s": [30.0, 180.0]})
    shares = share(table, jobs)
    assert shares.status == ["measured", "not attributable"] and 0 < shares.metered_j < 150 * 90


def test_a_gap_in_the_middle_is_not_bridged(tmp_path):
    lines = watts()
    wall = read_wall_meter(write(tmp_path, lines[:100] + lines[160:]))
    at = wall.at(np.array([BEGAN + 99.0, BEGAN + 130.0, BEGAN + 160.0]))
    assert np.isnan(at).tolist() == [False, True, False] and wall.gaps == [(BEGAN + 99, BEGAN + 160)]


@pytest.mark.parametrize("ahead", [0, 1, 40, -90])
def test_a_clock_that_is_off_is_noticed(tmp_path, ahead):
    offset = clock_offset_s(samples(), read_wall_meter(write(tmp_path, watts(ahead))))
    assert (offset is None) if abs(ahead) <= 2 else offset == pytest.approx(ahead, abs=1)


def test_a_machine_that_is_always_busy_says_nothing_about_clocks(tmp_path):
    table = samples()
    table["busy_cpu_s"] = np.arange(len(table)) * 2.0
    assert clock_offset_s(table, read_wall_meter(write(tmp_path, watts(40)))) is None


def test_the_ledger_is_metered_by_it_and_the_text_reports_clocks(tmp_path):
    folder = tmp_path / "meter"
    folder.mkdir()
    rows = samples().astype(object).where(samples().notna(), None).to_dict("records")
    (folder / "one.here.meter.jsonl").write_text("\n".join(map(json.dumps, rows)))
    steps = pd.DataFrame(
        {"started": [BEGAN + 90.0], "wall_s": [70.0], "cpu_s": [140.0], "kind": "step", "host": "here"}
    )
    wall = read_wall_meter(write(tmp_path, watts()))
    metered, ((_, node),) = meter(steps, folder, wall)
    assert metered["energy_status"].tolist() == ["measured"] and node.metered_j > 0
    assert differing_clocks(folder, wall) != []  # the file ends a second before the machine does
    (off,) = differing_clocks(folder, read_wall_meter(write(tmp_path, watts(45))))
    assert re.search("the clock of the meter is about 4[45] s ahead of that of the machine", off)
    (hour,) = differing_clocks(folder, read_wall_meter(write(tmp_path, watts(3600))))
    assert "has no readings from that time" in hour and "Check its time zone" in hour
    assert meter(steps, folder, None)[0]["energy_status"].tolist() == ["modelled"]


@pytest.mark.parametrize(
    ("lines", "columns", "message"),
    [
        (["2026-11-24T13:00:00,50"] * 2, "time,watts", "line 2: '2026-11-24T13:00:00' has no time zone"),
        (["noon,50"] * 2, "time,watts", "line 2: 'noon' is not a time"),
        (["1,50", "1,50"], "time,watts", "line 3: the time is repeated"),
        (["9,50", "10,50", "4,50"], "time,watts", "line 4: the time goes back: its clock has jumped"),
        (["1,-5", "2,50"], "time,watts", "line 2: watts is '-5'; give a number, 0 or more"),
        (["1,n/a", "2,50"], "time,watts", "line 2: watts is 'n/a'"),
        (["1,5", "2,4"], "time,kwh", "line 3: kwh decreases; it must be a counter that only grows"),
        (["1,5"], "time,watts", "needs two readings or more"),
        (["1,5"], "when,watts", "must name the columns time, and watts or kwh"),
        (["1,5,6"], "time,watts,watts", "columns 2 and 3 are both watts; rename one"),
        (["1,5"], "time,watts,kwh", "line 2: has 2 cells, and the first line 3"),
        (["1,5", "", "", "1,5"], "time,watts", "line 5: the time is repeated"),
        (["nan,5", "2,5"], "time,watts", "line 2: 'nan' is no number of seconds since 1970"),
        (["0001-01-01T00:00+14:00,5"], "time,watts", "line 2: '0001-01-01T00:00.14:00' is not a time"),
        (['"1,5', "2,5"], "time,watts", "this is not CSV in UTF-8"),
        (["1,\0"], "time,watts", "this is not CSV in UTF-8|watts is '.x00'"),
    ],
)
def test_faults_of_its_file_are_reported(tmp_path, lines, columns, message):
    with pytest.raises(InputError, match=message):
        read_wall_meter(write(tmp_path, lines, columns))


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*energy: meter_csv"):
        read_wall_meter(tmp_path / "wall.csv")


def test_the_sampler_beside_it_records_busy_cores_only(tmp_path, monkeypatch):
    monkeypatch.setattr("fairweight.energy.power_sampler.follow", lambda sampler, _: sampler.sample("run"))
    monkeypatch.setattr("sys.stdout.close", lambda: None, raising=False)
    main([str(tmp_path / "meter"), "--external", "--idle-s", "0"])
    (file,) = (tmp_path / "meter").glob("*.meter.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["phase"] for line in lines] == ["idle", "idle", "run"]
    assert all(line["energy_j"] is None and "lost" not in line for line in lines)
