"""The same run in other places and hours, and the Software Carbon Intensity of its functional units."""

import pandas as pd
import pytest
from hourly_files import MIDNIGHT, by_hour
from studies import tiny

from fairweight.core.errors import InputError
from fairweight.energy import carbon_intensity, energy_model
from fairweight.energy.amounts import of_study
from fairweight.energy.sci import YEAR_S, embodied_g, sci_g
from fairweight.energy.what_if import COLUMNS, elsewhere, functional_units, span
from fairweight.study.schema import resolve
from fairweight.study.study import Study

DEVICE = {"total_kg": {"low": 900, "central": 1200, "high": 1800}, "lifetime_years": 4, "cores": 24, "time_used": 1.0}
JOULES = {"low": 1.8e6, "central": 3.6e6, "high": 7.2e6}  # half, one and two kWh


def recipe(**changes):
    return resolve(tiny(energy=changes))["energy"]


def test_the_table_has_the_emissions_here_and_in_other_places():
    rows = elsewhere(JOULES, 334.0, (MIDNIGHT, 60.0), recipe(elsewhere=["POL", "NOR", "gcp/europe-west9"]))
    assert rows.columns.tolist() == COLUMNS
    assert rows["kind"].tolist() == ["here", "country", "region", "country"]  # from clean to dirty
    assert rows["carbon_g"].tolist()[0] == pytest.approx(334)
    norway = rows[rows["place"] == "Norway"].iloc[0]
    known = carbon_intensity.country("NOR")
    assert norway["carbon_g"] == pytest.approx(known.g_per_kwh) and norway["year"] == known.year
    assert (norway["carbon_low_g"], norway["carbon_high_g"]) == pytest.approx(
        (known.g_per_kwh / 2, known.g_per_kwh * 2)
    )
    region = rows[rows["kind"] == "region"].iloc[0]
    assert pd.isna(region["year"]) and "cloud.google.com" in region["source"]


def test_without_hourly_intensities_there_are_no_other_hours():
    assert "hour" not in set(elsewhere(JOULES, 334.0, (MIDNIGHT, 60.0), recipe())["kind"])


def test_other_hours_are_starts_from_which_all_of_the_run_is_known(tmp_path):
    energy = recipe(hourly=by_hour(tmp_path, [100, 200, 600, 300]), elsewhere=[])
    steps = pd.DataFrame({"started": [MIDNIGHT + 600, MIDNIGHT + 4000], "wall_s": [10.0, 2000.0]})
    assert span(steps) == (MIDNIGHT + 600, 5400)
    rows = elsewhere(JOULES, 130.0, span(steps), energy)
    hours = rows[rows["kind"] == "hour"]
    assert hours["place"].tolist() == [f"2026-11-24 0{h}:00 UTC" for h in range(3)]  # 1.5 h from 03:00 is not known
    assert hours["carbon_g"].tolist() == pytest.approx([400 / 3, (200 + 300) / 1.5, (600 + 150) / 1.5])
    assert rows.iloc[0]["intensity_g_per_kwh"] == pytest.approx(130) and rows.iloc[0]["year"] == 2026


def test_other_hours_begin_where_the_hours_of_the_file_begin(tmp_path):
    path = tmp_path / "hours.csv"
    rows = [f"2026-11-24T0{hour}:00+05:30,{value}" for hour, value in enumerate([100, 200, 600, 300])]
    path.write_text("\n".join(["hour,g_per_kwh", *rows]) + "\n")
    began = MIDNIGHT - 5 * 3600  # 00:30 at +05:30
    rows = elsewhere(JOULES, 130.0, (began, 5400.0), recipe(hourly=str(path), elsewhere=[]))
    hours = rows[rows["kind"] == "hour"]
    assert hours["place"].tolist() == [f"2026-11-23 {h}:30 UTC" for h in (18, 19, 20)]
    assert hours["carbon_g"].tolist() == pytest.approx([400 / 3, (200 + 300) / 1.5, (600 + 150) / 1.5])


def test_the_embodied_share_is_that_of_the_specification():
    # M = TE x TS x RS: an hour on 6 of 24 cores of a device of 1200 kg that serves for 4 years
    share = embodied_g(6 * 3600.0, DEVICE)
    assert share["central"] == pytest.approx(1200e3 * (3600 / (4 * YEAR_S)) * (6 / 24))
    assert (share["low"], share["high"]) == pytest.approx((0.75 * share["central"], 1.5 * share["central"]))
    # a device that is used for half of its life spreads its total over that half
    assert embodied_g(6 * 3600.0, DEVICE | {"time_used": 0.5})["central"] == pytest.approx(2 * share["central"])
    assert embodied_g(1.0, None) is None


def test_bounds_out_of_order_are_reported_while_parsing():
    device = DEVICE | {"total_kg": {"low": 9, "central": 5, "high": 7}}
    with pytest.raises(InputError, match="energy: embodied: total_kg: the bounds must be in order"):
        Study(resolve(tiny(energy={"embodied": device})))


def test_the_score_is_energy_times_intensity_plus_embodied():
    # the example of the Green Software Foundation's guide has this form: (E x I + M) per R
    assert sci_g(JOULES, 400, {"low": 10, "central": 20, "high": 30}) == pytest.approx(
        {"low": 210, "central": 420, "high": 830}
    )
    assert sci_g(JOULES, 400, None)["central"] == pytest.approx(400)


def profiles():
    cell = {"dataset": "d", "augmentation": "none", "model": "m", "variant": "int8", "engine": "onnxruntime"}
    return pd.DataFrame([{**cell, "seed": s, "batch_size": 1, "cpu_s_per_1000": c} for s, c in ((0, 1.0), (1, 3.0))])


STEPS = pd.DataFrame({"wall_s": [1800.0], "threads": [2], "started": [MIDNIGHT]})


def used(energy):
    """A study whose steps took 3,000 CPU-seconds, and Snakemake and Dask 600."""
    rules = pd.DataFrame({"kind": ["step", "run"], "cpu_s": [3000.0, 600.0], "attempts": [1, 1]})
    return of_study(rules.assign(**energy_model.modelled(rules["cpu_s"], energy)))


def test_functional_units_have_bounds_water_and_a_boundary():
    energy = recipe(embodied=DEVICE, wue_l_per_kwh=1.8, pue=1.5, g_per_kwh=100)
    study, thousand = functional_units(used(energy), STEPS, profiles(), energy).to_dict("records")
    assert study["functional_unit"] == "study" and thousand["functional_unit"] == "1,000 predictions"
    assert study["boundary"] == "operational and embodied" and thousand["variant"] == "int8"
    assert study["operational_g"] == pytest.approx(3600 * 7.5 * 1.5 / 3.6e6 * 100)
    assert study["embodied_g"] == pytest.approx(embodied_g(3600.0, DEVICE)["central"])
    assert thousand["energy_j"] == pytest.approx(2 * 7.5 * 1.5)
    for unit in (study, thousand):
        assert unit["sci_g"] == pytest.approx(unit["operational_g"] + unit["embodied_g"])
        assert unit["sci_g_low"] < unit["sci_g"] < unit["sci_g_high"]
    assert study["water_l"] == pytest.approx(3600 * 7.5 / 3.6e6 * 1.8)  # of the machine's own kWh, without the PUE


def test_what_is_not_known_is_missing_and_marked():
    energy = recipe()
    study, _ = functional_units(used(energy), STEPS, profiles(), energy).to_dict("records")
    assert study["boundary"] == "operational only" and study["sci_g"] == pytest.approx(study["operational_g"])
    assert pd.isna(study["embodied_g"]) and pd.isna(study["water_l"])
