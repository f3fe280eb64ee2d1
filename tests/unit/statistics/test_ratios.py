"""Ratios of what was measured side by side: an exact case, a hand-made interval, coverage, and what disturbs both alike."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fairweight.evaluation.summarize import ratio_table
from fairweight.statistics.ratios import paired_ratio


def test_one_seed_has_the_interval_of_a_paired_t_test_on_logs():
    rng = np.random.default_rng(0)
    values, others = rng.lognormal(0.0, 0.1, (5, 1)), rng.lognormal(0.5, 0.1, (5, 1))
    theirs = stats.ttest_rel(np.log(values[:, 0]), np.log(others[:, 0])).confidence_interval(0.95)
    found = paired_ratio(values, others)
    assert (found["low"], found["high"]) == pytest.approx((np.exp(theirs.low), np.exp(theirs.high)))


def test_the_interval_covers_and_a_disturbed_round_cancels():
    rng = np.random.default_rng(1)
    covered, widths = 0, []
    for _ in range(300):
        slow = rng.lognormal(0, 1.0, (5, 1))  # falls on both
        dense = slow * rng.lognormal(0, 0.03, (5, 3)) * rng.lognormal(0, 0.02, (1, 3))
        half = 0.5 * slow * rng.lognormal(0, 0.03, (5, 3))
        found = paired_ratio(half, dense)
        covered += found["low"] <= 0.5 <= found["high"]
        widths.append(found["high"] - found["low"])
    assert covered / 300 >= 0.93 and np.median(widths) < 0.08


def test_one_round_has_no_interval():
    found = paired_ratio(np.array([[2.0, 2.0]]), np.array([[1.0, 1.0]]))
    assert found["ratio"] == 2 and np.isnan(found["low"]) and np.isnan(found["high"])


def test_the_table_pairs_rounds_and_seeds_and_counts_those_that_were_not_clean():
    rows = [
        {"dataset": "d", "augmentation": "none", "model": "m", "engine": "e", "variant": v, "batch_size": 1, "seed": s,
         "round": r, "cpu_s": 0.04, "cpu_s_per_1000": (1 + r) * (0.5 if v == "small" else 1.0), "other_cores": 0.1 * r,
         "status": "disturbed" if (r, v) == (1, "small") else "measured"}
        for v in ("dense", "small") for s in (0, 1) for r in (0, 1, 2)
    ]  # fmt: skip
    shuffled = pd.DataFrame(rows).sample(frac=1, random_state=0)
    (row,) = ratio_table(shuffled, {"dense": "dense", "small": "dense"}).to_dict("records")
    assert row["ratio"] == pytest.approx(0.5) and row["high"] == pytest.approx(0.5)
    assert row["not_clean"] == 2 and row["rounds"] == 3 and row["seeds"] == 2 and row["other_cores"] == 0.2
    assert ratio_table(pd.DataFrame(), {}).empty
