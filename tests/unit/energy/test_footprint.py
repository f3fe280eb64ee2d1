"""The footprint of making a variant is the same for every reader, over the seeds in which it was made."""

import pandas as pd
import pytest

from fairweight.energy import footprint
from fairweight.energy.life_cycle import STAGES
from fairweight.evaluation.summarize import _making

CELL = {"dataset": "d", "augmentation": "none", "model": "m"}


def step(rule, amount, seed=None, variant=None, **other):
    where = {**dict.fromkeys(("augmentation", "model")), "dataset": "d", "seed": seed, "variant": variant}
    where |= CELL if variant else {}
    return {"rule": rule, **where, **other, **dict.fromkeys(footprint.AMOUNTS, float(amount))}


# six seeds of the parent and of another model; the variant is made in one of them
USAGE = pd.DataFrame(
    [
        step("read", 4),
        step("card", 100),
        *(step("split", 1, s) for s in range(6)),
        *(step("augment", 0.5, s, augmentation="none") for s in range(6)),
        *(step("augment", 50, s, augmentation="jitter") for s in range(6)),
        *(step("train", 10 + s, s, "dense") for s in range(6)),
        *(step("train", 70, s, "dense", model="n") for s in range(6)),
        step("prune", 3, 0, "pruned"),
        step("export", 2, 0, "pruned"),
        step("assess", 100, 0, "pruned"),
        step("pretrained", 6, 0, "published"),
    ]
).astype({"seed": "Int64"})
SEEDS = {"dense": range(6), "pruned": [0], "published": [0]}
LINEAGES = {"dense": ["dense"], "pruned": ["pruned", "dense"], "published": ["published"]}
ONE_MODEL = {"dense": 4 + 1.5 + 12.5, "pruned": 4 + 1.5 + 10 + 3 + 2, "published": 4 + 1.5 + 6}


@pytest.mark.parametrize("variant", LINEAGES)
def test_one_model_is_the_mean_over_the_seeds_of_the_variant(variant):
    lineage = LINEAGES[variant]
    assert footprint.seeds_of(USAGE, CELL, lineage) == list(SEEDS[variant])
    model = footprint.of_model(USAGE, CELL, lineage)
    assert model.emissions_g == model.cpu_s == pytest.approx(ONE_MODEL[variant])
    every = footprint.of_variant(USAGE, CELL, lineage)
    assert every.energy_j == pytest.approx((ONE_MODEL[variant] - 4) * len(SEEDS[variant]) + 4)  # the data are read once


@pytest.mark.parametrize("variant", LINEAGES)
def test_summaries_agree_on_each_seed(variant):
    assessed = pd.DataFrame([{**CELL, "seed": s, "variant": variant, "engine": "e"} for s in SEEDS[variant]])
    rows = _making(USAGE, assessed, LINEAGES)
    assert rows.groupby("measure")["value"].mean().to_dict() == pytest.approx(
        dict.fromkeys(("making_cpu_s", "making_energy_j"), ONE_MODEL[variant])
    )


def test_every_step_of_making_has_a_stage_of_the_life_cycle():
    assert set(STAGES) == {*footprint.MAKING, *footprint.BEFORE}
