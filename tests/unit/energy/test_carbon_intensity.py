"""Carbon intensities of countries, regions, users and hours, and the errors of unknown places."""

import pandas as pd
import pytest
from hourly_files import MIDNIGHT, by_hour
from studies import tiny

from fairweight.core.errors import InputError
from fairweight.energy import carbon_intensity, energy_model
from fairweight.energy.gather_intensity import write_intensity
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
