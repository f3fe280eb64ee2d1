"""A start is proposed in the cleanest hours, and faults of a forecast are reported."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fairweight.core.errors import InputError
from fairweight.energy.hourly_intensity import read_hours
from fairweight.energy.start_window import greenest

DAY = [300, 200, 100, 120, 400, 90]


def forecast(folder, lines):
    path = folder / "forecast.csv"
    path.write_text("\n".join(["hour,g_per_kwh", *lines]) + "\n")
    return path


def hours(values):
    return [f"2026-11-24T{hour:02}:00Z,{value}" for hour, value in enumerate(values)]


@pytest.mark.parametrize(
    ("length", "start", "mean"), [(1, 5, 90), (2, 2, 110), (1.5, 2, (100 + 60) / 1.5), (6, 0, 1210 / 6)]
)
def test_the_cleanest_hours_are_found(tmp_path, length, start, mean):
    best = greenest(read_hours(forecast(tmp_path, hours(DAY))), length)
    assert best.start == datetime(2026, 11, 24, start, tzinfo=UTC) and best.g_per_kwh == pytest.approx(mean)


def test_times_with_an_offset_are_understood(tmp_path):
    (only,) = read_hours(forecast(tmp_path, ["2026-11-24T13:00+01:00,5"]))
    assert only.start == datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            hours(DAY)[:2] + hours(DAY)[3:],
            "2026-11-24T03:00:00.00:00 follows 2026-11-24T01:00:00.00:00; give every hour",
        ),
        (["2026-11-24T00:00Z,-3"], "line 2: g_per_kwh is '-3'; give grams of CO2e per kWh, 0 or more"),
        (["2026-11-24T00:00Z,"], "line 2: g_per_kwh is ''"),
        (["2026-11-24T00:00Z"], "line 2: has 1 cells, and the first line 2"),
        (["2026-11-24T00:00Z,3,4"], "line 2: has 3 cells, and the first line 2"),
        (["0001-01-01T00:00+14:00,3"], "line 2: '0001-01-01T00:00.14:00' is not a time"),
        (["9999-12-31T23:00Z,3"], "line 2: '9999-12-31T23:00Z' is not a time"),
        (["noon,3"], "line 2: 'noon' is not a time"),
        (["2026-11-24T00:00,3"], "line 2: '2026-11-24T00:00' has no time zone; write 2026-11-24T00:00Z for UTC"),
        ([*hours(DAY)[:2], hours(DAY)[1]], "the hour 2026-11-24T01:00:00.00:00 occurs twice"),
        (hours(DAY)[1::-1], "2026-11-24T00:00:00.00:00 follows 2026-11-24T01:00:00.00:00; give every hour"),
        ([], "there are no hours in it"),
    ],
)
def test_faults_are_reported(tmp_path, lines, message):
    with pytest.raises(InputError, match=message):
        read_hours(forecast(tmp_path, lines))


def test_a_column_twice_is_reported_with_both_places(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("hour,g_per_kwh,g_per_kwh\n2026-11-24T00:00Z,3,400\n")
    with pytest.raises(InputError, match="columns 2 and 3 are both g_per_kwh; rename one"):
        read_hours(path)


def test_a_file_that_is_none_or_too_large_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr("fairweight.energy.csv_rows.MOST_BYTES", 10)
    with pytest.raises(InputError, match="a file of hourly carbon intensities may have 10"):
        read_hours(forecast(tmp_path, hours(DAY)))
    for place in ("/dev/zero", str(tmp_path), "a\0b"):
        with pytest.raises(InputError, match="there is no file"):
            read_hours(Path(place))


@pytest.mark.parametrize(("length", "message"), [(0, "cannot be placed"), (7, "covers 6 hours, and the run takes 7")])
def test_a_run_that_does_not_fit_is_reported(tmp_path, length, message):
    with pytest.raises(InputError, match=message):
        greenest(read_hours(forecast(tmp_path, hours(DAY))), length)
