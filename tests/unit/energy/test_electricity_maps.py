"""Electricity Maps, against a local server that answers as its documentation says."""

import json
import threading

import pytest
from fake_maps import SECRET, Handler, Server

from fairweight.core.errors import InputError
from fairweight.energy import electricity_maps
from fairweight.energy.carbon_intensity import intensity_of, with_hours
from fairweight.energy.electricity_maps import KEY, fetch, update
from fairweight.energy.gather_intensity import hours_of, write_intensity
from fairweight.energy.hourly_intensity import read_hours


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    with Server(("127.0.0.1", 0), Handler) as local:
        threading.Thread(target=local.serve_forever, args=(0.01,), daemon=True).start()
        yield local
        local.shutdown()


def test_the_last_hours_are_fetched_and_unknown_ones_left_out(server):
    hours = fetch("DE", SECRET, server.url)
    assert [(hour.start.hour, hour.g_per_kwh) for hour in hours] == [(0, 301), (2, 322), (3, 345)]
    assert server.seen == (("/v3/carbon-intensity/history?zone=DE", SECRET),)


def test_hours_of_several_runs_are_kept_and_the_key_is_in_no_file(server, tmp_path):
    recipe = {"hourly": None, "electricity_maps": {"zone": "DE", "url": server.url}, "country": "DEU"}
    made = tmp_path / "summary" / "intensity.csv"
    write_intensity(made, recipe)
    server.answer = json.dumps({"history": [{"carbonIntensity": 99, "datetime": "2026-11-25T07:00:00Z"}]})
    write_intensity(made, recipe)
    assert [hour.g_per_kwh for hour in read_hours(made, gaps=True)] == [301, 322, 345, 99]
    intensity = intensity_of(with_hours(recipe, hours_of(tmp_path, recipe)))
    assert intensity.place == "DE" and "Electricity Maps" in intensity.source and len(intensity.hours) == 4
    assert all(SECRET not in path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_without_an_answer_the_hours_that_are_known_are_used(server, tmp_path):
    recipe, archive = {"zone": "DE", "url": server.url}, tmp_path / "hours.csv"
    update(recipe, archive)
    server.status = 503
    assert update(recipe, archive).endswith("status 503. The 3 hours that were fetched earlier are used.")
    assert len(read_hours(archive, gaps=True)) == 3


def test_parts_of_an_hour_are_averaged_and_a_time_without_a_zone_is_refused(server):
    rows = [{"carbonIntensity": 100 + i, "datetime": f"2026-11-24T0{i // 4}:{15 * (i % 4):02}:00Z"} for i in range(8)]
    server.answer = json.dumps({"history": rows})
    assert [(hour.start.hour, hour.g_per_kwh) for hour in fetch("DE", SECRET, server.url)] == [(0, 101.5), (1, 105.5)]
    server.answer = json.dumps({"history": [{"carbonIntensity": 100, "datetime": "2026-11-24T00:00:00"}]})
    with pytest.raises(InputError, match="is not a history of carbon intensities"):
        fetch("DE", SECRET, server.url)


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (403, "", "zone 'DE': the key in the environment variable ELECTRICITYMAPS_API_KEY is not for this zone"),
        (404, "", "zone 'DE': there is no such zone"),
        (429, "", "too many requests were made with this key; try again later"),
        (500, "", "zone 'DE': it answers with status 500"),
        (200, "<html>", "its answer is not JSON"),
        (200, "{}", "the answer is not a history of carbon intensities"),
        (200, '{"history": []}', "the answer has no carbon intensities of 0 or more"),
        (200, '{"history": [{"datetime": "2026-11-24T00:00Z", "carbonIntensity": -1}]}', "no carbon intensities of 0"),
    ],
)
def test_an_unexpected_answer_is_reported_in_one_sentence(server, status, answer, message):
    server.status, server.answer = status, answer
    with pytest.raises(InputError, match=message) as caught:
        fetch("DE", SECRET, server.url)
    assert SECRET not in str(caught.value) and "\n" not in str(caught.value)


def test_a_refused_key_is_reported_and_not_repeated(server):
    with pytest.raises(
        InputError, match="the key in the environment variable ELECTRICITYMAPS_API_KEY is refused"
    ) as caught:
        fetch("DE", "wrong-key", server.url)
    assert "wrong-key" not in str(caught.value)


def test_a_redirect_is_not_followed_with_the_key(server):
    server.status = 302
    with pytest.raises(InputError, match="it answers with status 302"):
        fetch("DE", SECRET, server.url)
    assert len(server.seen) == 1


def test_a_missing_server_is_reported(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match=r"energy: electricity_maps: http://127.0.0.1:\d+ cannot be read \("):
        update({"zone": "DE", "url": server.url}, tmp_path / "hours.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["http://api.electricitymaps.com", "ftp://x.org", "http://127.0.0.1.evil.org"])
def test_the_key_is_sent_over_https_only(url):
    with pytest.raises(InputError, match="the key is sent over https only"):
        fetch("DE", SECRET, url)
    assert electricity_maps.URL.startswith("https://")


@pytest.mark.parametrize(
    ("key", "message"), [("", "is not set; put your key there"), ("a\nb", "does not hold a valid key")]
)
def test_an_invalid_key_is_reported_before_anything_is_sent(server, tmp_path, monkeypatch, key, message):
    monkeypatch.setenv(KEY, key)
    with pytest.raises(InputError, match=message) as caught:
        update({"zone": "DE", "url": server.url}, tmp_path / "hours.csv")
    assert server.seen == () and "a\nb" not in str(caught.value)
