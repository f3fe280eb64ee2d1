"""Carbon intensity of electricity: of a country, of a cloud region, as stated, or hour by hour (standard library only)."""

import csv
import difflib
import functools
import importlib.util
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from fairweight.core.errors import InputError
from fairweight.energy.hourly_intensity import read_hours

# keys of `energy` that tell the intensity; one of them takes the place of `country`
PLACES = ("cloud_region", "g_per_kwh", "hourly", "electricity_maps")
HOURLY = ("hourly", "electricity_maps")
HOUR_S = 3600
NEAREST = 3


@dataclass(frozen=True)
class Intensity:
    """Carbon intensity of electricity, with its year and source.

    Attributes:
        place: ISO 3166 alpha-3 of a country, `provider/region` of a cloud, or a zone of Electricity Maps.
        name: what people call it.
        g_per_kwh: gCO2e/kWh; of hourly intensities their mean.
        year: that the figure is of; None where the source does not tell.
        source: where the figure comes from.
        hours: gCO2e/kWh by the start of the hour, in hours since 1970 (UTC); empty where there is one figure for all time.
    """

    place: str
    name: str
    g_per_kwh: float
    year: int | None
    source: str
    hours: Mapping[int, float] = field(default_factory=dict, repr=False)

    def during(self, started: float, lasted_s: float) -> float:
        """Mean gCO2e/kWh over a time (Unix seconds, s); the mean of all known hours stands in for unknown ones."""
        if not self.hours or math.isnan(started) or math.isnan(lasted_s):
            return self.g_per_kwh
        first, last = int(started // HOUR_S), int((started + max(lasted_s, 0.0)) // HOUR_S)
        if first == last:
            return self.hours.get(first, self.g_per_kwh)
        shares = {
            hour: min(started + lasted_s, (hour + 1) * HOUR_S) - max(started, hour * HOUR_S)
            for hour in range(first, last + 1)
        }
        return sum(s * self.hours.get(hour, self.g_per_kwh) for hour, s in shares.items()) / lasted_s

    def knows(self, started: float, lasted_s: float) -> bool:
        """Whether there is a figure for all of a time."""
        if not self.hours:
            return True
        first, last = int(started // HOUR_S), int((started + lasted_s) // HOUR_S)
        return all(hour in self.hours for hour in range(first, last + 1))


def intensity_of(recipe: Mapping[str, Any]) -> Intensity:
    """Carbon intensity of a study.

    Args:
        recipe: `energy` of the study file; of hourly intensities `hours` is the file that the rule `intensity` wrote.

    Raises:
        InputError: it is not known.
    """
    told, year = recipe.get("intensity_source"), recipe.get("intensity_year")
    if recipe.get("g_per_kwh") is not None:
        return Intensity(
            recipe["country"], "stated in the study file", float(recipe["g_per_kwh"]), year, told or "energy: g_per_kwh"
        )
    if recipe.get("cloud_region") is not None:
        return cloud_region(recipe["cloud_region"])
    if recipe.get("electricity_maps") is not None:
        zone = recipe["electricity_maps"]["zone"]
        return _by_hour(Path(recipe.get("hours") or ""), zone, zone, "Electricity Maps, life cycle, hourly")
    if recipe.get("hourly") is not None:
        path = Path(recipe.get("hours") or recipe["hourly"])
        return _by_hour(path, recipe["country"], "hour by hour", told or f"energy: hourly: {recipe['hourly']}")
    return country(recipe["country"])


def with_hours(recipe: Mapping[str, Any], file: str | Path | list[str] | None) -> dict[str, Any]:
    """A recipe that knows its file of hourly intensities, if there is one (of a rule's input, none is an empty list)."""
    return {**recipe, "hours": str(file) if file else None}


def _by_hour(path: Path, place: str, name: str, source: str) -> Intensity:
    hours = read_hours(path, gaps=True)  # the user's file was checked; what was fetched run by run may have some
    by_hour = {int(hour.start.timestamp()) // HOUR_S: hour.g_per_kwh for hour in hours}
    mean = sum(by_hour.values()) / len(by_hour)
    return Intensity(place, name, mean, hours[-1].start.year, source, by_hour)


def check(recipe: Mapping[str, Any]) -> None:
    """Tell what is wrong with where a study says that it runs, while the workflow is parsed.

    A file of hourly intensities is looked at if it is there: an archive has what was made of it.

    Raises:
        InputError: an unknown place, two places at once, a fault in the file.
    """
    stated = [key for key in PLACES if recipe.get(key) is not None]
    if len(stated) > 1:
        raise InputError(f"energy: {' and '.join(stated)} each tell the carbon intensity; take all but one out.")
    country(recipe["country"])
    for place in recipe.get("elsewhere", ()):
        somewhere(place)
    if stated and stated[0] not in HOURLY:
        intensity_of(recipe)
    if recipe.get("hourly") is not None and Path(recipe["hourly"]).is_file():
        try:
            read_hours(Path(recipe["hourly"]))
        except InputError as error:
            raise InputError(f"energy: hourly: {error}") from None


def somewhere(place: str, key: str = "energy: elsewhere") -> Intensity:
    """Intensity of a country (`FRA`) or a cloud region (`gcp/europe-west9`)."""
    return (cloud_region if "/" in place else country)(place, key)


def _unknown(place: str, legal: Mapping[str, str], key: str, what: str) -> InputError:
    """One sentence with the places that it may have meant, by code or by name; `legal` has names by code."""
    codes = {name.lower(): code for code, name in legal.items()}
    begins = [code for name, code in codes.items() if name.startswith(place.lower())]
    named = [codes[n] for n in difflib.get_close_matches(place.lower(), codes, n=NEAREST)]
    spelt = difflib.get_close_matches(place, legal, n=NEAREST)
    near = list(dict.fromkeys(begins + named + spelt))[:NEAREST]
    hint = f"did you mean {' or '.join(f'{c} ({legal[c]})' for c in near)}?" if near else f"it has {', '.join(legal)}."
    return InputError(f"{key}: {place!r} is not in {what}; {hint}")


def _data() -> Path:
    # found without importing it: the package starts meters and reads settings when it is imported
    spec = importlib.util.find_spec("codecarbon")
    if spec is None or spec.origin is None:
        raise InputError("energy: the package codecarbon, whose table of carbon intensities is read, is not installed.")
    return Path(spec.origin).parent / "data"


@functools.cache
def _countries() -> dict[str, Any]:
    path = _data() / "private_infra" / "global_energy_mix.json"
    countries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return countries


@functools.cache
def _regions() -> dict[str, dict[str, str]]:
    with (_data() / "cloud" / "impact.csv").open(newline="", encoding="utf-8-sig") as file:
        return {f"{row['provider']}/{row['region']}": row for row in csv.DictReader(file)}


def country(code: str, key: str = "energy: country") -> Intensity:
    """Carbon intensity of a country (ISO 3166 alpha-3), from the table that CodeCarbon ships.

    Raises:
        InputError: the table has no such country; near codes and the codes of countries named so are told.
    """
    countries = _countries()
    if code not in countries:
        names = {code: str(entry["country_name"]) for code, entry in countries.items()}
        raise _unknown(code, names, key, "CodeCarbon's table of carbon intensities")
    entry = countries[code]
    g_per_kwh = float(entry["carbon_intensity"])
    return Intensity(code, entry["country_name"], g_per_kwh, int(entry["year"]), "CodeCarbon, global_energy_mix")


def _city(row: Mapping[str, str]) -> str:
    return ", ".join(filter(None, [row["city"], row["country_name"]]))


def cloud_region(name: str, key: str = "energy: cloud_region") -> Intensity:
    """Carbon intensity of a cloud region (`gcp/europe-west9`), from the table that CodeCarbon ships; it tells no year.

    Raises:
        InputError: the table has no such region.
    """
    regions = _regions()
    if name not in regions:
        providers = sorted({region.split("/")[0] for region in regions})
        if name.split("/", maxsplit=1)[0] not in providers:
            raise InputError(
                f"{key}: {name!r} is not in CodeCarbon's table of cloud regions, which knows the provider "
                f"{' or '.join(providers)} only; state the country, or g_per_kwh."
            )
        raise _unknown(name, {n: _city(r) for n, r in regions.items()}, key, "CodeCarbon's table of cloud regions")
    row = regions[name]
    source = f"CodeCarbon {metadata.version('codecarbon')}, cloud/impact, after {row['source']}"
    return Intensity(name, f"{name} ({_city(row)})", float(row["impact"]), None, source)
