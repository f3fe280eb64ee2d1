"""The hourly carbon intensities that a study is charged by, brought into its results."""

from pathlib import Path
from typing import Any

from fairweight.core.errors import InputError
from fairweight.energy import electricity_maps
from fairweight.energy.carbon_intensity import HOURLY
from fairweight.energy.hourly_intensity import read_hours, write_hours


def fetched(results: Path, recipe: dict[str, Any]) -> Path:
    """Where the hours of a zone that were fetched run by run are kept; no rule declares it."""
    return results / "meter" / f"electricity-maps.{recipe['zone']}.csv"


def hours_of(results: Path, recipe: dict[str, Any]) -> Path | None:
    """The file of hourly intensities as far as there is one: of the finished study, or what was fetched or stated."""
    if (made := results / "summary" / "intensity.csv").is_file() and any(recipe.get(key) for key in HOURLY):
        return made
    if recipe.get("electricity_maps"):
        return fetched(results, recipe["electricity_maps"])
    return Path(recipe["hourly"]) if recipe.get("hourly") else None


def write_intensity(destination: str | Path, recipe: dict[str, Any]) -> None:
    """Write the hours: a copy of the user's file, or what Electricity Maps has told so far.

    Args:
        destination: `summary/intensity.csv` of the study's results.
        recipe: `hourly` and `electricity_maps` of `energy`; one of them is not None.

    Raises:
        InputError: a fault in the file, or nothing could be fetched, now or earlier.
    """
    destination = Path(destination)
    if recipe["hourly"] is not None:
        try:
            hours = read_hours(Path(recipe["hourly"]))
        except InputError as error:
            raise InputError(f"energy: hourly: {error}") from None
    else:
        archive = fetched(destination.parents[1], recipe["electricity_maps"])
        print(electricity_maps.update(recipe["electricity_maps"], archive))
        hours = read_hours(archive, gaps=True)
    write_hours(destination, hours)
