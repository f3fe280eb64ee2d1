"""How many rounds of a profile were disturbed is said in one sentence, and the energy of a prediction is modelled."""

import re

import pytest
from small_results import results_with

from fairweight.reporting.report import life_cycle, tables
from fairweight.reporting.report.life_cycle import disturbed_rounds

CELL = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "onnxruntime"}
STUDY = {
    "variants": {"dense": {"train": "standard"}, "int8": {"from": "dense", "quantize": "auto"}},
    "profile": {"batch_sizes": [1], "rounds": 5, "seconds": 0.04, "threads": 1},
}


def profiled(disturbed, dataset="d"):
    """One file for each number of disturbed rounds of five; None where it was not counted."""
    return [
        {
            **CELL,
            "dataset": dataset,
            "variant": "dense",
            "seed": seed,
            "batch_size": 1,
            "rounds": 5,
            "disturbed_rounds": n,
        }
        for seed, n in enumerate(disturbed)
    ]


def ratio(other_cores):
    row = {**CELL, "variant": "int8", "baseline": "dense", "batch_size": 1, "ratio": 1.55, "low": 1.5, "high": 1.6}
    return [{**row, "seeds": 3, "rounds": 5, "not_clean": 15, "other_cores": other_cores}]


@pytest.mark.parametrize(
    ("disturbed", "said"), [([5, 5, 5], "15 of 15"), ([0, 2, 0], "2 of 15"), ([None, 3], "3 of 5"), ([0, 0], None)]
)
def test_the_sentence_counts_all_rounds_of_a_dataset(disturbed, said):
    results = results_with(profiles=profiled(disturbed) + profiled([5], "other"), ratios=ratio(1.94))
    sentence = disturbed_rounds(results, "d")
    if said is None:
        assert sentence is None
    else:
        assert f"kept the machine busy in {said} rounds of the profile (more than 0.25 cores, at worst 1.9" in sentence
        assert sentence.endswith("the energy that is modelled from them are less certain.")


def test_nothing_profiled_and_nothing_counted_say_nothing():
    assert disturbed_rounds(results_with(), "d") is None
    assert disturbed_rounds(results_with(profiles=profiled([None, None])), "d") is None


def test_it_stands_beside_every_figure_and_table_of_the_profile():
    used = {"stage": "use", "per": "1,000 predictions", "batch_size": 1, "seeds": 3}
    joules = {"energy_j_low": 0.1, "energy_j_central": 0.2, "energy_j_high": 0.3}
    rows = [{**CELL, "variant": variant, **used, **joules} for variant in ("dense", "int8")]
    results = results_with(study=STUDY, profiles=profiled([5, 5, 5]), ratios=ratio(1.94), life_cycle=rows)
    shown = {
        "table": life_cycle.inference(results, "d").data,
        "figure": life_cycle.inference_ratios(results, "d").data,
        "resources": tables.resources(results, "d").data,
    }
    for name, page in shown.items():
        text = re.sub(r"<[^>]+>", " ", page)
        assert "kept the machine busy in 15 of 15 rounds" in text, name
        assert "modelled" in text, name
    assert "Ratio to the baseline (modelled)" in shown["table"] and "1.550" in shown["table"]
