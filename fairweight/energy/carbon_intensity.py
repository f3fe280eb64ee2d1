"""Carbon intensity of electricity by country, cloud region, own figure or hour (standard library only)."""

import bisect
import csv
import difflib
import functools
import importlib.util
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TypedDict

from fairweight.core.errors import InputError, listed, quoted
from fairweight.core.local_files import is_file
from fairweight.core.recipes import EnergyRecipe
from fairweight.energy.country_names import suggested
from fairweight.energy.hourly_intensity import read_hours

# keys of `energy` that set the intensity; each of them replaces `country`
PLACES = ("cloud_region", "g_per_kwh", "hourly", "electricity_maps")
HOURLY = ("hourly", "electricity_maps")
HOUR_S = 3600
ROUNDING_S = 1e-3  # times of steps are kept to a millisecond
NEAREST = 3


class Country(TypedDict):
    """Entry of CodeCarbon's table of countries; intensity in gCO2e/kWh."""

    country_name: str
    carbon_intensity: float
    year: int


@dataclass(frozen=True)
class Intensity:
    """Carbon intensity of electricity, with its year and source.

    Attributes:
        place: ISO 3166 alpha-3 code of a country, `provider/region` of a cloud, or a zone of Electricity Maps.
        name: name for people.
        g_per_kwh: gCO2e/kWh; the mean of hourly intensities.
        year: year of the figure; None where the source gives none.
        source: where the figure comes from.
        hours: gCO2e/kWh by the start of the hour in Unix seconds, which need not be a full hour of UTC; hours do not
            overlap. Empty where one figure holds for all time.
    """

    place: str
    name: str
    g_per_kwh: float
    year: int | None
    source: str
    hours: Mapping[int, float] = field(default_factory=dict, repr=False)

    def during(self, started: float, lasted_s: float) -> float:
        """Mean gCO2e/kWh over a period; unknown hours count with the mean of all known hours.

        Args:
            started: start in Unix seconds; NaN gives the mean.
            lasted_s: length in s; NaN gives the mean.
        """
        if not self.hours or math.isnan(started) or math.isnan(lasted_s):
            return self.g_per_kwh
        parts = list(self._parts(started, lasted_s))
        if lasted_s <= 0:
            return parts[0][1] if parts else self.g_per_kwh
        unknown_s = lasted_s - sum(seconds for seconds, _ in parts)
        return (sum(seconds * value for seconds, value in parts) + unknown_s * self.g_per_kwh) / lasted_s

    def knows(self, started: float, lasted_s: float) -> bool:
        """Whether there is a figure for every hour of a period (Unix seconds, s)."""
        if not self.hours:
            return True
        parts = list(self._parts(started, lasted_s))
        return bool(parts) and sum(seconds for seconds, _ in parts) >= lasted_s - ROUNDING_S

    def _parts(self, started: float, lasted_s: float) -> Iterator[tuple[float, float]]:
        """(s, gCO2e/kWh) of each known hour of a period; 0 s of the hour in which a period of no length lies."""
        ended = started + max(lasted_s, 0.0)
        for hour in self._starts[max(0, bisect.bisect_right(self._starts, started) - 1) :]:
            if hour > ended or (hour == ended > started):
                return
            if started < hour + HOUR_S:
                yield min(ended, hour + HOUR_S) - max(started, hour), self.hours[hour]

    @functools.cached_property
    def _starts(self) -> list[int]:
        return sorted(self.hours)


def intensity_of(recipe: EnergyRecipe) -> Intensity:
    """Carbon intensity of a study.

    Args:
        recipe: `energy` of the study file. With hourly intensities, `hours` is the file that the rule
            `gather_intensity` wrote.

    Raises:
        InputError: it is not known.
    """
    source, year = recipe.get("intensity_source"), recipe.get("intensity_year")
    if (g_per_kwh := recipe.get("g_per_kwh")) is not None:
        source = source or "energy: g_per_kwh"
        return Intensity(recipe["country"], "stated in the study file", float(g_per_kwh), year, source)
    if (region := recipe.get("cloud_region")) is not None:
        return cloud_region(region)
    if (maps := recipe.get("electricity_maps")) is not None:
        zone = maps["zone"]
        return _by_hour(Path(recipe.get("hours") or ""), zone, zone, "Electricity Maps, life cycle, hourly")
    if (hourly := recipe.get("hourly")) is not None:
        path = Path(recipe.get("hours") or hourly)
        return _by_hour(path, recipe["country"], "hour by hour", source or f"energy: hourly: {hourly}")
    return country(recipe["country"])


def with_hours(recipe: EnergyRecipe, file: str | Path | list[str] | None) -> EnergyRecipe:
    """Add the file of hourly intensities to a recipe.

    Args:
        recipe: `energy` of the study file.
        file: the file; None, or the empty list that Snakemake passes for a missing input, if there is none.
    """
    return {**recipe, "hours": str(file) if file else None}


def _by_hour(path: Path, place: str, name: str, source: str) -> Intensity:
    hours = read_hours(path, gaps=True)  # the user's file was checked; what was fetched run by run may have gaps
    by_hour = {int(hour.start.timestamp()): hour.g_per_kwh for hour in hours}
    mean = sum(by_hour.values()) / len(by_hour)
    return Intensity(place, name, mean, hours[-1].start.year, source, by_hour)


def check(recipe: EnergyRecipe) -> None:
    """Check the places of a study while the workflow is parsed.

    A file of hourly intensities is checked only if it exists: an archive holds the table that was made from it instead.

    Raises:
        InputError: an unknown place, two places at once, or a fault in the file.
    """
    keys = [key for key in PLACES if recipe.get(key) is not None]
    if len(keys) > 1:
        raise InputError(f"energy: {' and '.join(keys)} each set the carbon intensity; remove all but one of them.")
    country(recipe["country"])
    for place in recipe.get("elsewhere", ()):
        somewhere(place)
    if keys and keys[0] not in HOURLY:
        intensity_of(recipe)
    hourly = recipe.get("hourly")
    if hourly is not None and is_file(hourly):
        try:
            read_hours(Path(hourly))
        except InputError as error:
            raise InputError(f"energy: hourly: {error}") from None


def somewhere(place: str, key: str = "energy: elsewhere") -> Intensity:
    """Intensity of a country (`FRA`) or a cloud region (`gcp/europe-west9`)."""
    return (cloud_region if "/" in place else country)(place, key)


def _unknown(place: str, near: list[str], legal: Mapping[str, str], key: str, table: str) -> InputError:
    """An error that suggests places.

    Args:
        place: what the study file says.
        near: codes of similar places, best first.
        legal: names by code.
        key: place in the study file.
        table: where the codes come from.
    """
    others = f"it has {listed(legal)}; for another place, set g_per_kwh."
    hint = f"did you mean {' or '.join(f'{c} ({legal[c]})' for c in near)}?" if near else others
    return InputError(f"{key}: {quoted(place)} is not in {table}; {hint}")


def _similar(place: str, legal: Mapping[str, str]) -> list[str]:
    """Codes whose name begins with what was written, or that resemble it."""
    codes = {name.lower(): code for code, name in legal.items()}
    begins = [code for name, code in codes.items() if name.startswith(place.lower())]
    named = [codes[n] for n in difflib.get_close_matches(place.lower(), codes, n=NEAREST)]
    spelt = difflib.get_close_matches(place, legal, n=NEAREST)
    return list(dict.fromkeys(begins + named + spelt))[:NEAREST]


def _data() -> Path:
    # located without importing it: on import, the package starts meters and reads settings
    spec = importlib.util.find_spec("codecarbon")
    if spec is None or spec.origin is None:
        raise InputError("energy: the package codecarbon, whose table of carbon intensities is read, is not installed.")
    return Path(spec.origin).parent / "data"


@functools.cache
def _countries() -> dict[str, Country]:
    path = _data() / "private_infra" / "global_energy_mix.json"
    countries: dict[str, Country] = json.loads(path.read_text(encoding="utf-8"))
    return countries


@functools.cache
def _regions() -> dict[str, dict[str, str]]:
    with (_data() / "cloud" / "impact.csv").open(newline="", encoding="utf-8-sig") as file:
        return {f"{row['provider']}/{row['region']}": row for row in csv.DictReader(file)}


def country(code: str, key: str = "energy: country") -> Intensity:
    """Carbon intensity of a country, from the table that CodeCarbon ships.

    Args:
        code: ISO 3166 alpha-3 code.
        key: place in the study file, for the error.

    Raises:
        InputError: the table has no such country; the error suggests similar codes and names.
    """
    countries = _countries()
    if code not in countries:
        names = {code: str(entry["country_name"]) for code, entry in countries.items()}
        raise _unknown(code, suggested(code, names), names, key, "CodeCarbon's table of carbon intensities")
    entry = countries[code]
    g_per_kwh = float(entry["carbon_intensity"])
    return Intensity(code, entry["country_name"], g_per_kwh, int(entry["year"]), "CodeCarbon, global_energy_mix")


def _city(row: Mapping[str, str]) -> str:
    return ", ".join(filter(None, [row["city"], row["country_name"]]))


def cloud_region(name: str, key: str = "energy: cloud_region") -> Intensity:
    """Carbon intensity of a cloud region, from the table that CodeCarbon ships; the table gives no year.

    Args:
        name: provider and region, such as `gcp/europe-west9`.
        key: place in the study file, for the error.

    Raises:
        InputError: the table has no such region.
    """
    regions = _regions()
    if name not in regions:
        providers = sorted({region.split("/")[0] for region in regions})
        if name.split("/", maxsplit=1)[0] not in providers:
            raise InputError(
                f"{key}: {quoted(name)} is not in CodeCarbon's table of cloud regions, which knows the provider "
                f"{' or '.join(providers)} only; state the country, or g_per_kwh."
            )
        cities = {region: _city(row) for region, row in regions.items()}
        raise _unknown(name, _similar(name, cities), cities, key, "CodeCarbon's table of cloud regions")
    row = regions[name]
    source = f"CodeCarbon {metadata.version('codecarbon')}, cloud/impact, after {row['source']}"
    return Intensity(name, f"{name} ({_city(row)})", float(row["impact"]), None, source)
