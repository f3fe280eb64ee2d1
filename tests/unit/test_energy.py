"""The energy model is the arithmetic that it says, and changes are paired by seed."""

import pandas as pd
import pytest

from fairweight import energy
from fairweight.errors import InputError
from fairweight.statistics.spread import paired_changes, spread

RECIPE = {"watts_per_core": {"low": 5, "central": 10, "high": 20}, "pue": 1.2, "country": "DEU"}


def test_energy_is_cpu_seconds_times_watts_times_pue():
    found = energy.modelled(100.0, RECIPE)
    assert (found["energy_j_low"], found["energy_j_central"], found["energy_j_high"]) == (600, 1200, 2400)
    intensity = energy.intensity("DEU")
    assert found["emissions_g"] == pytest.approx(1200 / 3.6e6 * intensity.g_per_kwh)


def test_the_intensity_has_country_year_and_source():
    intensity = energy.intensity("FRA")
    assert intensity.name == "France" and 2000 < intensity.year < 2030 and "CodeCarbon" in intensity.source
    assert intensity.g_per_kwh < energy.intensity("POL").g_per_kwh


def test_an_unknown_country_is_told():
    with pytest.raises(InputError, match="energy: country: 'XYZ' is not in CodeCarbon's table"):
        energy.intensity("XYZ")


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
