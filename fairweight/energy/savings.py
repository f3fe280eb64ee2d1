"""What a variant saves against its baseline in CPU-seconds: by prediction, in making it, and by its file."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairweight.core.lineage import CELL
from fairweight.core.recipes import Bounds, EnergyRecipe, LifeCycleFactors
from fairweight.energy import energy_model
from fairweight.statistics.break_even import Interval, mean_interval

STORAGE, TRANSFER = "storage", "transfer"  # stages after a file is made
MAKING_CPU_S = "making_cpu_s"  # the measure

Cell = Mapping[str, Any]  # values of the columns CELL, perhaps with others


def saving_of_latency(ratios: pd.DataFrame, profiles: pd.DataFrame, cell: Cell, baseline: Cell) -> Interval:
    """Milliseconds of median latency that a variant saves against its baseline; see `saving_of_prediction`."""
    theirs = _at_size(profiles, baseline)["latency_p50_ms"].mean()
    return _saved(_at_size(ratios, cell), theirs, ("latency_high", "latency_ratio", "latency_low"))


def saving_of_prediction(ratios: pd.DataFrame, profiles: pd.DataFrame, cell: Cell, baseline: Cell) -> Interval:
    """CPU-seconds that one prediction of a variant saves against its baseline: low, central, high.

    It is the baseline's CPU-seconds x (1 - ratio), with the bounds of the ratio, so that both say the same. The
    baseline's CPU-seconds, the mean over the profiled seeds, are taken as measured.

    Args:
        ratios: table of `summarize.ratio_table`.
        profiles: one row per seed, file, engine and batch size.
        cell: values of CELL and `batch_size`.
        baseline: the same of the variant that it is compared with.

    Returns:
        Negative where a prediction takes more; NaN without a ratio, bounds NaN with one round.
    """
    theirs = _at_size(profiles, baseline)["cpu_s_per_1000"].mean() / 1000
    return _saved(_at_size(ratios, cell), theirs, ("high", "ratio", "low"))


def _saved(ratio: pd.DataFrame, theirs: float, columns: tuple[str, str, str]) -> Interval:
    """The baseline's figure x (1 - ratio): the high bound of the ratio is the low one of what is saved."""
    if ratio.empty:
        return math.nan, math.nan, math.nan
    low, central, high = (float(theirs * (1 - ratio.iloc[0][name])) for name in columns)
    return low, central, high


def extra_of_making(changes: pd.DataFrame, cell: Cell) -> Interval:
    """CPU-seconds that making one model of a variant takes more than its baseline: low, central, high.

    The mean of the differences, paired by seed, with its 95 % t interval over seeds.

    Args:
        changes: changes of `summarize`, one row per seed, cell and measure.
        cell: values of CELL.

    Returns:
        Negative where it takes less; bounds are NaN with one seed.
    """
    return mean_interval(values_of(changes[changes["measure"] == MAKING_CPU_S], cell))


def extra_of_file(
    profiles: pd.DataFrame, cell: Cell, baseline: Cell, recipe: EnergyRecipe, factors: LifeCycleFactors
) -> Interval:
    """CPU-seconds worth of energy that a variant's file takes more than its baseline's: low, central, high.

    It is the energy of storage and transfer by the factors, divided by the watts of a core and the PUE.
    The bounds are those of the factors and of the watts of a core, not of a sample.

    Args:
        profiles: `size_bytes` and `transfer_bytes` of each profiled seed.
        cell: values of CELL.
        baseline: the same of the variant that it is compared with.
        recipe: `energy` of the study file.
        factors: years, downloads, and kWh/GB of storage and transfer.

    Returns:
        Negative where the file is smaller.
    """
    watts = energy_model.watts_per_core(recipe)
    counts = {STORAGE: factors["years"], TRANSFER: factors["downloads"]}
    joules = dict.fromkeys(energy_model.BOUNDS, 0.0)
    mine, theirs = (after_making(rows_of(profiles, which), factors) for which in (cell, baseline))
    for (stage, _, own, factor), (_, _, other, _) in zip(mine, theirs, strict=True):
        more = (own - other) / 1e9 * counts[stage] * energy_model.J_PER_KWH
        joules["central"] += more * factor["central"]
        joules["low"] += min(more * factor["low"], more * factor["high"])
        joules["high"] += max(more * factor["low"], more * factor["high"])
    outer: tuple[energy_model.Bound, ...] = ("low", "high")
    bounds = [joules[bound] / watts[w] / recipe["pue"] for bound in outer for w in outer]
    return min(bounds), joules["central"] / watts["central"] / recipe["pue"], max(bounds)


def file_cpu_s(profiles: pd.DataFrame, cell: Cell, recipe: EnergyRecipe, factors: LifeCycleFactors) -> float:
    """CPU-seconds worth of energy that storing and downloading a file takes, central; arguments as in `extra_of_file`.

    NaN where the file was not profiled.
    """
    counts = {STORAGE: factors["years"], TRANSFER: factors["downloads"]}
    stages = after_making(rows_of(profiles, cell), factors)
    kwh = sum(size / 1e9 * counts[stage] * factor["central"] for stage, _, size, factor in stages)
    return kwh * energy_model.J_PER_KWH / energy_model.watts_per_core(recipe)["central"] / recipe["pue"]


def after_making(profiles: pd.DataFrame, factors: LifeCycleFactors) -> Iterator[tuple[str, str, float, Bounds]]:
    """Stages after a file is made: name, unit that it counts for, mean bytes, and kWh/GB."""
    once = profiles.drop_duplicates(["seed", "variant"])
    yield STORAGE, "a year", float(once["size_bytes"].mean()), factors["storage_kwh_per_gb_year"]
    yield TRANSFER, "a download", float(once["transfer_bytes"].mean()), factors["transfer_kwh_per_gb"]


def rows_of(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Rows of one cell of the grid."""
    return table[(table[CELL] == [cell[name] for name in CELL]).all(axis=1)]


def values_of(table: pd.DataFrame, cell: Cell) -> NDArray[np.float64]:
    """Values of one cell of the grid, one per row."""
    values: NDArray[np.float64] = rows_of(table, cell)["value"].to_numpy()
    return values


def _at_size(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    rows = rows_of(table, cell)
    return rows[rows["batch_size"] == cell["batch_size"]]
