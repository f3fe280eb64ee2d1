"""CPU-seconds, energy and emissions of a study or of some of its steps, as sums over rows of the summary tables."""

from dataclasses import dataclass

import pandas as pd

AMOUNTS = ["cpu_s", "energy_j_low", "energy_j_central", "energy_j_high", "emissions_g"]


@dataclass(frozen=True)
class Footprint:
    """Measured CPU-seconds of attempts at some steps, and the energy (J) and emissions that are modelled from them."""

    attempts: int
    cpu_s: float
    energy_j_low: float
    energy_j: float
    energy_j_high: float
    emissions_g: float  # gCO2e, central


def of_study(rules: pd.DataFrame) -> Footprint:
    """Footprint of all attempts at steps of a study, and of Snakemake and Dask themselves.

    It holds what had ended when the table was made. Every total of the study that is shown comes from here.

    Args:
        rules: the summary table, one row per rule.
    """
    attempts = rules.loc[rules["kind"] == "step", "attempts"]
    return Footprint(int(attempts.sum()), *(float(rules[name].sum()) for name in AMOUNTS))


def of_steps(usage: pd.DataFrame) -> Footprint:
    """Footprint of the successful attempts of some steps.

    Args:
        usage: rows of the summary table of steps.
    """
    return Footprint(len(usage), *(float(usage[name].sum()) for name in AMOUNTS))
