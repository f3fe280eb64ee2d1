"""The energy model computes its documented formula, and changes are paired by seed."""

import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest

from fairweight.core.errors import InputError
from fairweight.energy import carbon_intensity, energy_model
from fairweight.statistics.spread import paired_changes, spread

RECIPE = {
    "watts_per_core": {"low": 5, "central": 10, "high": 20},
    "watts_per_gb": {"low": 0.2, "central": 0.4, "high": 0.8},
    "pue": 1.2,
    "country": "DEU",
}


def test_energy_is_cpu_seconds_times_watts_times_pue():
    amounts = energy_model.modelled(100.0, RECIPE)
    assert (amounts["energy_j_low"], amounts["energy_j_central"], amounts["energy_j_high"]) == (600, 1200, 2400)
    assert amounts["emissions_g"] == pytest.approx(1200 / 3.6e6 * carbon_intensity.country("DEU").g_per_kwh)


def test_memory_adds_its_size_times_its_time():
    amounts = energy_model.modelled(100.0, RECIPE, 50.0)
    assert [amounts[f"energy_j_{b}"] for b in energy_model.BOUNDS] == pytest.approx([612, 1224, 2448])


def test_it_is_the_formula_of_green_algorithms_where_all_cores_are_busy():
    # equation 1 of Lannelongue 2021, in kWh: hours x (cores x W x usage + GB x 0.3725 W) x PUE / 1000
    recipe = {
        "watts_per_core": dict.fromkeys(energy_model.BOUNDS, 12.0),
        "watts_per_gb": dict.fromkeys(energy_model.BOUNDS, 0.3725),
    }
    amounts = energy_model.modelled(12 * 12 * 3600.0, recipe | {"pue": 1.67, "country": "DEU"}, 64 * 12 * 3600.0)
    kwh = 12 * (12 * 12 + 64 * 0.3725) * 1.67 / 1000
    assert amounts["energy_j_central"] / energy_model.J_PER_KWH == pytest.approx(kwh)


def test_a_named_processor_replaces_watts():
    watts = energy_model.watts_per_core(RECIPE | {"processor": "Intel Xeon Gold 6148"})
    assert watts == pytest.approx({"low": 4.5, "central": 7.5, "high": 10.5})  # 150 W, 20 cores
    with pytest.raises(InputError, match=r"energy: processor: 'Z80' is not in config/processors.json; it has AMD EPYC"):
        energy_model.watts_per_core(RECIPE | {"processor": "Z80"})


def test_the_power_of_processors_is_that_of_codecarbon():
    data = Path(importlib.util.find_spec("codecarbon").origin).parent / "data" / "hardware" / "cpu_power.csv"
    known = pd.read_csv(data, header=0, names=["name", "watts"]).set_index("name")["watts"]
    for name, processor in json.loads(energy_model.PROCESSORS.read_text())["processors"].items():
        assert float(known[name]) == processor["tdp_w"], name
        assert "https://" in processor["source"]


def test_a_stated_intensity_replaces_the_country():
    assert carbon_intensity.intensity_of(RECIPE | {"g_per_kwh": 50}).g_per_kwh == 50
    assert energy_model.modelled(3.6e5, RECIPE | {"g_per_kwh": 50})["emissions_g"] == pytest.approx(60)


def test_the_intensity_has_country_year_and_source():
    intensity = carbon_intensity.country("FRA")
    assert intensity.name == "France" and 2000 < intensity.year < 2030 and "CodeCarbon" in intensity.source
    assert intensity.g_per_kwh < carbon_intensity.country("POL").g_per_kwh


def test_an_unknown_country_is_reported():
    with pytest.raises(InputError, match="energy: country: 'XYZ' is not in CodeCarbon's table"):
        carbon_intensity.country("XYZ")


def test_spread_and_changes_are_paired_by_seed():
    values = {("dense", 0): 0.8, ("dense", 1): 0.9, ("int8", 0): 0.7, ("int8", 1): 0.85}
    table = pd.DataFrame([{"variant": v, "attribute": None, "seed": s, "value": x} for (v, s), x in values.items()])
    changes = paired_changes(table, {"dense": "dense", "int8": "dense"}, ["variant", "attribute"])
    assert changes["value"].tolist() == pytest.approx([-0.1, -0.05])
    summary = spread(changes, ["variant", "attribute"]).iloc[0]
    assert (
        summary["mean"] == pytest.approx(-0.075) and summary["sd"] == pytest.approx(0.05 / 2**0.5) and summary["n"] == 2
    )


def test_one_seed_has_no_spread():
    table = pd.DataFrame({"variant": ["dense"], "seed": [0], "value": [1.0]})
    assert pd.isna(spread(table, ["variant"])["sd"].item())
