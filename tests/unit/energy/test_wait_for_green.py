"""A run waits until the greenest start of a forecast, and shows the time left."""

from datetime import UTC, datetime, timedelta

import pytest

from fairweight.core.errors import InputError
from fairweight.energy.wait_for_green import wait_for_green

DAY = [300, 200, 100, 120, 400, 90]


class Clock:
    def __init__(self, hour, minute=0):
        self.at, self.slept = datetime(2026, 11, 24, hour, minute, tzinfo=UTC), []

    def now(self):
        return self.at

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def forecast(tmp_path):
    path = tmp_path / "forecast.csv"
    path.write_text("hour,g_per_kwh\n" + "".join(f"2026-11-24T{h:02}:00Z,{v}\n" for h, v in enumerate(DAY)))
    return path


def test_it_waits_until_the_greenest_hours_and_shows_the_time_left(forecast, capsys):
    clock = Clock(0, 30)
    wait_for_green(forecast, 2, clock.now, clock.sleep)
    assert clock.at == datetime(2026, 11, 24, 2, tzinfo=UTC)
    said = capsys.readouterr().out
    assert "waiting for the greenest start, 2026-11-24 02:00 UTC: 110 gCO2e/kWh, and 250 now" in said
    assert "fairweight: 1:30:00 left." in said and "0:10:00 left" in said and max(clock.slept) == 600


def test_past_hours_are_ignored(forecast):
    clock = Clock(3, 5)
    wait_for_green(forecast, 1, clock.now, clock.sleep)
    assert clock.at.hour == 5  # not the hour 2 of tomorrow


def test_in_the_greenest_hour_it_starts_at_once(forecast, capsys):
    clock = Clock(5, 59)
    wait_for_green(forecast, 1, clock.now, clock.sleep)
    assert not clock.slept and "the greenest start is now" in capsys.readouterr().out


def test_a_past_forecast_is_reported(forecast):
    clock = Clock(6)
    with pytest.raises(InputError, match=r"ends at 2026-11-24 06:00 UTC, which is past; .*--no-wait"):
        wait_for_green(forecast, 1, clock.now, clock.sleep)


def test_hours_may_begin_at_half_past(tmp_path):
    path = tmp_path / "forecast.csv"
    rows = [f"2026-11-24T{hour:02}:00+05:30,{value}" for hour, value in enumerate(DAY, 6)]
    path.write_text("\n".join(["hour,g_per_kwh", *rows]) + "\n")
    clock = Clock(0, 45)  # 06:15 at +05:30
    wait_for_green(path, 2, clock.now, clock.sleep)
    assert clock.at == datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
