"""Copy the hourly carbon intensities that a study is charged by into its results."""

from pathlib import Path

from fairweight.core.errors import InputError
from fairweight.core.recipes import ElectricityMaps, EnergyRecipe
from fairweight.energy import electricity_maps
from fairweight.energy.carbon_intensity import HOURLY
from fairweight.energy.hourly_intensity import read_hours, write_hours


def fetched(results: Path, recipe: ElectricityMaps) -> Path:
    """File of the hours of a zone that were fetched run by run; no rule declares it.

    Args:
        results: folder of the study.
        recipe: `energy: electricity_maps` of the study file.
    """
    return results / "meter" / f"electricity-maps.{recipe['zone']}.csv"


def hours_of(results: Path, recipe: EnergyRecipe) -> Path | None:
    """File of hourly intensities: that of the finished study, else what was fetched or stated; None without any."""
    if (made := results / "summary" / "intensity.csv").is_file() and any(recipe.get(key) for key in HOURLY):
        return made
    if maps := recipe.get("electricity_maps"):
        return fetched(results, maps)
    return Path(hourly) if (hourly := recipe.get("hourly")) else None


def write_intensity(destination: str | Path, recipe: EnergyRecipe) -> None:
    """Write the hourly intensities: a copy of the user's file, or what Electricity Maps has returned so far.

    Args:
        destination: `summary/intensity.csv` of the study's results.
        recipe: `hourly` and `electricity_maps` of `energy`; one of them is not None.

    Raises:
        InputError: a fault in the file, or nothing could be fetched, now or earlier.
    """
    destination = Path(destination)
    if (hourly := recipe["hourly"]) is not None:
        try:
            hours = read_hours(Path(hourly))
        except InputError as error:
            raise InputError(f"energy: hourly: {error}") from None
    else:
        maps = recipe["electricity_maps"]
        assert maps is not None
        archive = fetched(destination.parents[1], maps)
        print(electricity_maps.update(maps, archive))
        hours = read_hours(archive, gaps=True)
    write_hours(destination, hours)
