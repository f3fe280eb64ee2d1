"""CPU-seconds, energy and emissions of making each variant of a study.

Summaries, life cycle, papers, cards and archives read them here. Making one model means making its variant along its
lineage in one seed: fetching and reading its data, its split, its augmentation, and every step of itself and its
ancestors. Other variants share some of these steps; the figures are what making this variant alone would take.
Assessment is not included.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from fairweight.core.operations import SHIPPED
from fairweight.energy.amounts import AMOUNTS, Footprint, of_steps

MAKING = (*SHIPPED, "export")
BEFORE = ("fetch", "read", "split", "augment")  # steps that variants share


def of_variant(usage: pd.DataFrame, cell: Mapping[str, Any], lineage: Sequence[str]) -> Footprint:
    """Footprint of making one variant in all its seeds.

    Args:
        usage: the summary table, one row per step.
        cell: `dataset`, `augmentation` and `model`.
        lineage: the variant and its ancestors.
    """
    return of_steps(making(usage, cell, lineage, seeds_of(usage, cell, lineage)))


def of_model(usage: pd.DataFrame, cell: Mapping[str, Any], lineage: Sequence[str]) -> Footprint:
    """Footprint of making one model of a variant, the mean over its seeds; arguments as in `of_variant`."""
    seeds = seeds_of(usage, cell, lineage)
    steps = making(usage, cell, lineage, seeds)
    return Footprint(len(steps), *per_model(steps, len(seeds)).values())


def seeds_of(steps: pd.DataFrame, cell: Mapping[str, Any], lineage: Sequence[str]) -> list[int]:
    """Seeds in which a variant was made; these can be fewer than those of the study or of an ancestor."""
    return sorted(steps.loc[_own(steps, cell, lineage[:1]), "seed"].dropna().astype(int).unique())


def making(
    steps: pd.DataFrame, cell: Mapping[str, Any], lineage: Sequence[str], seeds: Collection[int]
) -> pd.DataFrame:
    """Select the steps that making a variant in some seeds takes; a step without a seed counts for all of them.

    Args:
        steps: `rule`, `seed`, `dataset`, `augmentation`, `model` and `variant` of each step, as in a usage table or a
            ledger.
        cell: `dataset`, `augmentation` and `model`.
        lineage: the variant and its ancestors.
        seeds: seeds to keep.
    """
    before = steps["rule"].isin(BEFORE) & (steps["dataset"] == cell["dataset"])
    before &= steps["augmentation"].isna() | (steps["augmentation"] == cell["augmentation"])
    return steps[(_own(steps, cell, lineage) | before) & (steps["seed"].isna() | steps["seed"].isin(seeds))]


def per_model(steps: pd.DataFrame, seeds: int) -> dict[str, float]:
    """Amounts of the steps from `making`, for one model: data are read once, the other steps run in each seed."""
    once, used = steps["seed"].isna(), steps[AMOUNTS]
    return {name: float(value) for name, value in (used[once].sum() + used[~once].sum() / max(1, seeds)).items()}


def _own(steps: pd.DataFrame, cell: Mapping[str, Any], lineage: Sequence[str]) -> "pd.Series[bool]":
    """Which steps make the variants of a lineage themselves."""
    own = steps["rule"].isin(MAKING) & steps["variant"].isin(lineage)
    for key in ("dataset", "augmentation", "model"):
        own &= steps[key] == cell[key]
    return own
