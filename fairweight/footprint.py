"""What a study and each of its variants took to make: the one place where papers, cards and archives read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fairweight.report.results import where
from fairweight.study import SHIPPED

MAKING = (*SHIPPED, "export")
SHARED = ("split", "augment")


@dataclass(frozen=True)
class Footprint:
    """CPU-seconds (measured) of some steps, and the energy and emissions that are modelled from them."""

    jobs: int
    cpu_s: float
    energy_j_low: float
    energy_j: float
    energy_j_high: float
    emissions_g: float  # gCO2e, central


def of_study(costs: pd.DataFrame) -> Footprint:
    """Footprint of the successful attempt of every step of a study.

    Args:
        costs: the summary table, a row a step.
    """
    return _sum(costs)


def of_variant(costs: pd.DataFrame, cell: Mapping[str, Any], lineage: Sequence[str]) -> Footprint:
    """Footprint of making one variant in all its seeds: its own steps and those of its ancestors.

    The split and the augmentation of its seeds are in it, although other variants share them: it is what making this
    variant alone would take.  Assessment is not in it.

    Args:
        costs: the summary table, a row a step.
        cell: `dataset`, `augmentation` and `model`.
        lineage: the variant and its ancestors.
    """
    own = costs[costs["rule"].isin(MAKING) & costs["variant"].isin(lineage)]
    own = where(own, {key: cell[key] for key in ("dataset", "augmentation", "model")})
    shared = where(costs[costs["rule"].isin(SHARED)], {"dataset": cell["dataset"]})
    shared = shared[shared["augmentation"].isna() | (shared["augmentation"] == cell["augmentation"])]
    return _sum(pd.concat([own, shared[shared["seed"].isin(own["seed"])]]))


def _sum(steps: pd.DataFrame) -> Footprint:
    names = ("cpu_s", "energy_j_low", "energy_j_central", "energy_j_high", "emissions_g")
    return Footprint(len(steps), *(float(steps[name].sum()) for name in names))
