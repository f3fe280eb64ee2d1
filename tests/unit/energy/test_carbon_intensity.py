"""Carbon intensities of countries, regions, users and hours, and the errors of unknown places."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from hourly_files import MIDNIGHT, by_hour
from studies import tiny

from fairweight.core.errors import InputError
from fairweight.energy import carbon_intensity, energy_model
from fairweight.energy.gather_intensity import write_intensity
from fairweight.energy.hourly_intensity import read_hours
from fairweight.study.schema import resolve
from fairweight.study.study import Study


def recipe(**changes):
    return resolve(tiny(energy=changes))["energy"]


def test_a_cloud_region_has_its_city_and_source_and_no_year():
    intensity = carbon_intensity.intensity_of(recipe(cloud_region="gcp/europe-west9"))
    assert intensity.name == "gcp/europe-west9 (Paris, France)" and intensity.year is None
    assert "cloud.google.com" in intensity.source and 0 < intensity.g_per_kwh < 100


def test_an_intensity_of_your_own_says_where_it_comes_from():
    intensity = carbon_intensity.intensity_of(
        recipe(g_per_kwh=33, intensity_source="our landlord", intensity_year=2025)
    )
    assert (intensity.g_per_kwh, intensity.source, intensity.year) == (33, "our landlord", 2025)


def test_a_step_emits_by_the_hours_in_which_it_runs(tmp_path):
    energy = recipe(hourly=by_hour(tmp_path))
    intensity = carbon_intensity.intensity_of(energy)
    assert intensity.g_per_kwh == 300 and intensity.year == 2026
    assert intensity.during(MIDNIGHT + 60, 600) == 100
    assert intensity.during(MIDNIGHT + 1800, 3600) == 150  # half an hour of each
    assert intensity.during(MIDNIGHT + 1800, 7200) == pytest.approx((0.5 * 100 + 200 + 0.5 * 600) / 2)
    assert intensity.during(MIDNIGHT + 3 * 3600, 60) == 300 and not intensity.knows(MIDNIGHT + 3 * 3600, 60)
    cpu_s = pd.Series([3.6e6 / 7.5, 3.6e6 / 7.5, 3.6e6 / 7.5])
    when = [(MIDNIGHT, 10.0), (MIDNIGHT + 7200, 10.0), (float("nan"), 10.0)]
    grams = energy_model.modelled(cpu_s, energy, when=when)["emissions_g"]
    assert grams.tolist() == pytest.approx([100, 600, 300])


def test_the_file_is_kept_with_the_results(tmp_path):
    energy = recipe(hourly=by_hour(tmp_path))
    made = tmp_path / "results" / "summary" / "intensity.csv"
    write_intensity(made, energy)
    again = carbon_intensity.intensity_of(carbon_intensity.with_hours(recipe(hourly="gone.csv"), made))
    assert again.hours == carbon_intensity.intensity_of(energy).hours


MISTAKES = [
    ({"country": "Germany"}, r"energy: country: 'Germany' .* did you mean DEU \(Germany\)\?"),
    ({"country": "GER"}, r"energy: country: 'GER' .* did you mean DEU \(Germany\)"),
    ({"country": "UK"}, r"did you mean GBR \(United Kingdom\)\?$"),
    ({"country": "U.K."}, r"did you mean GBR \(United Kingdom\)\?$"),
    ({"country": "GB"}, r"did you mean GBR \(United Kingdom\)\?$"),
    ({"country": "England"}, r"did you mean GBR \(United Kingdom\)\?$"),
    ({"country": "Cymru"}, r"did you mean GBR \(United Kingdom\)\?$"),
    ({"country": "usa"}, r"did you mean USA \(United States\)\?$"),
    ({"country": "US"}, r"did you mean USA \(United States\)\?$"),
    ({"country": "Holland"}, r"did you mean NLD \(Netherlands\)\?$"),
    ({"country": "Korea"}, r"did you mean KOR \(South Korea\) or PRK \(North Korea\)\?$"),
    ({"country": "DE"}, r"did you mean DEU \(Germany\)\?$"),
    ({"country": "Bayern"}, r"did you mean DEU \(Germany\)\?$"),
    ({"country": "Swizerland"}, r"did you mean CHE \(Switzerland\)\?$"),
    ({"country": "Türkiye"}, r"did you mean TUR \(Turkey\)\?$"),
    ({"elsewhere": ["DEU", "UK"]}, r"energy: elsewhere: 'UK' .* did you mean GBR"),
    ({"country": "Andorra"}, r"\(213 in all\); for another place, set g_per_kwh\.$"),
    ({"country": "XXX"}, "energy: country: 'XXX' is not in CodeCarbon's table of carbon intensities; it has ABW, AFG"),
    (
        {"cloud_region": "gcp/europe-west99"},
        r"energy: cloud_region: .* did you mean gcp/europe-west9 \(Paris, France\)",
    ),
    ({"cloud_region": "aws/eu-west-1"}, "knows the provider gcp only; state the country, or g_per_kwh"),
    ({"elsewhere": ["DEU", "FRNCE"]}, r"energy: elsewhere: 'FRNCE' .* did you mean FRA \(France\)"),
    ({"g_per_kwh": 3, "cloud_region": "gcp/europe-west9"}, "cloud_region and g_per_kwh each set the carbon intensity"),
]


@pytest.mark.parametrize(("energy", "message"), MISTAKES)
def test_a_place_that_does_not_exist_is_reported_while_parsing_with_similar_ones(energy, message):
    with pytest.raises(InputError, match=message):
        Study(resolve(tiny(energy=energy)))


def test_a_negative_intensity_is_reported_while_parsing():
    with pytest.raises(InputError, match="energy: g_per_kwh: -3 is out of range; it is at least 0"):
        resolve(tiny(energy={"g_per_kwh": -3}))


def test_a_gap_in_the_hours_is_reported_while_parsing(tmp_path):
    path = by_hour(tmp_path)
    (tmp_path / "hours.csv").write_text(
        (tmp_path / "hours.csv").read_text().replace("T01", "T02", 1).replace("T02:00Z,6", "T03:00Z,6")
    )
    with pytest.raises(InputError, match=r"energy: hourly: .*follows .*; give every hour once, in order"):
        Study(resolve(tiny(energy={"hourly": path})))


INDIA = datetime(2026, 1, 9, 18, 30, tzinfo=UTC).timestamp()  # 00:00 on January 10 at +05:30
NEPAL = datetime(2026, 1, 9, 18, 15, tzinfo=UTC).timestamp()  # 00:00 on January 10 at +05:45


def zoned(folder, offset, values, day="2026-01-10"):
    """A file of hours of a day whose offset is not a whole number of hours."""
    path = folder / "zoned.csv"
    lines = [f"{day}T{hour:02}:00{offset},{value}" for hour, value in enumerate(values)]
    path.write_text("\n".join(["hour,g_per_kwh", *lines]) + "\n")
    return str(path)


@pytest.mark.parametrize(("offset", "midnight"), [("+05:30", INDIA), ("+05:45", NEPAL)])
def test_hours_need_not_begin_at_a_full_hour_of_utc(tmp_path, offset, midnight):
    intensity = carbon_intensity.intensity_of(recipe(hourly=zoned(tmp_path, offset, [100, 900, 300])))
    assert intensity.during(midnight + 45 * 60, 0) == intensity.during(midnight + 45 * 60, 600) == 100
    assert intensity.during(midnight + 59 * 60, 120) == 500  # a minute of each
    assert intensity.during(midnight + 3600, 3600) == 900 and intensity.during(midnight + 3600, 0) == 900
    assert intensity.during(midnight, 3 * 3600) == pytest.approx(1300 / 3)
    assert intensity.knows(midnight, 3 * 3600) and not intensity.knows(midnight - 60, 120)
    assert not intensity.knows(midnight + 3 * 3600 - 60, 120) and not intensity.knows(midnight + 3 * 3600, 0)
    # an hour that is not known counts with the mean
    assert intensity.during(midnight - 1800, 3600) == pytest.approx((1300 / 3 + 100) / 2)
    assert intensity.during(midnight - 9, 0) == pytest.approx(1300 / 3)


def test_a_day_on_which_clocks_change_has_23_or_25_hours(tmp_path):
    path = tmp_path / "hours.csv"
    hours = ["00:00+02:00", "01:00+02:00", "02:00+02:00", "02:00+01:00", "03:00+01:00"]
    lines = [f"2026-10-25T{hour},{100 * (i + 1)}" for i, hour in enumerate(hours)]
    path.write_text("\n".join(["hour,g_per_kwh", *lines]) + "\n")
    intensity = carbon_intensity.intensity_of(recipe(hourly=str(path)))
    for hour, value in enumerate([100, 200, 300, 400, 500]):
        begin = datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp() + 3600 * hour
        assert intensity.during(begin + 1800, 60) == value


@pytest.mark.parametrize("minutes", [5, 15, 30])
def test_rows_of_less_than_an_hour_are_refused_with_what_to_do(tmp_path, minutes):
    path = tmp_path / "hours.csv"
    rows = [f"2026-01-10T{m // 60:02}:{m % 60:02}Z,{m}" for m in range(0, 180, minutes)]
    path.write_text("\n".join(["hour,g_per_kwh", *rows]) + "\n")
    with pytest.raises(InputError, match=f"after {minutes} minutes; give one row for each hour, with the mean"):
        Study(resolve(tiny(energy={"hourly": str(path)})))
    for gaps in (False, True):
        with pytest.raises(InputError, match=f"after {minutes} minutes"):
            read_hours(path, gaps=gaps)
