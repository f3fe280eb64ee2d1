"""Ratios of measurements side by side: an exact case, a t-test, coverage, and disturbances that affect both."""

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
    ratio = paired_ratio(values, others)
    assert (ratio["low"], ratio["high"]) == pytest.approx((np.exp(theirs.low), np.exp(theirs.high)))


def test_the_interval_covers_and_a_disturbed_round_cancels():
    rng = np.random.default_rng(1)
    covered, widths = 0, []
    for _ in range(300):
        slow = rng.lognormal(0, 1.0, (5, 1))  # affects both
        dense = slow * rng.lognormal(0, 0.03, (5, 3)) * rng.lognormal(0, 0.02, (1, 3))
        half = 0.5 * slow * rng.lognormal(0, 0.03, (5, 3))
        ratio = paired_ratio(half, dense)
        covered += ratio["low"] <= 0.5 <= ratio["high"]
        widths.append(ratio["high"] - ratio["low"])
    assert covered / 300 >= 0.93 and np.median(widths) < 0.08


def test_one_round_has_no_interval():
    ratio = paired_ratio(np.array([[2.0, 2.0]]), np.array([[1.0, 1.0]]))
    assert ratio["ratio"] == 2 and np.isnan(ratio["low"]) and np.isnan(ratio["high"])


def test_the_table_pairs_rounds_and_seeds_and_counts_disturbed_rounds():
    place = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "e", "batch_size": 1}
    rows = [
        {
            **place,
            "variant": variant,
            "seed": seed,
            "round": number,
            "cpu_s": 0.04,
            "cpu_s_per_1000": (1 + number) * (0.5 if variant == "small" else 1.0),
            "latency_p50_ms": (1 + number) * (0.8 if variant == "small" else 1.0),
            "other_cores": 0.1 * number,
            "status": "disturbed" if (number, variant) == (1, "small") else "measured",
        }
        for variant in ("dense", "small")
        for seed in (0, 1)
        for number in (0, 1, 2)
    ]
    shuffled = pd.DataFrame(rows).sample(frac=1, random_state=0)
    (row,) = ratio_table(shuffled, {"dense": "dense", "small": "dense"}).to_dict("records")
    assert row["ratio"] == pytest.approx(0.5) and row["high"] == pytest.approx(0.5)
    assert row["latency_ratio"] == pytest.approx(0.8) and row["latency_low"] == pytest.approx(0.8)
    assert row["not_clean"] == 2 and row["rounds"] == 3 and row["seeds"] == 2 and row["other_cores"] == 0.2
    assert ratio_table(pd.DataFrame(), {}).empty
