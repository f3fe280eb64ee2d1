"""What `fairweight energy` prints and writes, from the files of a run."""

import json
import re

import pandas as pd
import pytest
import yaml
from studies import tiny

from fairweight.energy import carbon_intensity
from fairweight.energy.energy_summary import _break_even, account
from fairweight.energy.life_cycle import repayments
from fairweight.energy.savings import extra_of_file, extra_of_making, saving_of_prediction
from fairweight.study import schema

RECIPE = schema.resolve(tiny())["energy"] | {
    "watts_per_core": {"low": 5, "central": 10, "high": 20},
    "watts_per_gb": {"low": 0, "central": 0, "high": 0},
    "pue": 1,
    "country": "DEU",
}
CELL = {"dataset": "d", "augmentation": "none", "model": "m", "variant": "int8", "engine": "onnxruntime"}
SIZED, DENSE = CELL | {"batch_size": 1}, CELL | {"batch_size": 1, "variant": "dense"}


DENSE_CPU_S = 0.02  # of 1,000 predictions of the baseline


FACTORS = {
    "downloads": 0,
    "years": 0,
    "transfer_kwh_per_gb": {"low": 0.001, "central": 0.01, "high": 0.1},
    "storage_kwh_per_gb_year": {"low": 0.001, "central": 0.01, "high": 0.1},
}


def tables(made, ratio):
    """Changes of making by seed, and the ratio of the CPU-seconds of a prediction with its bounds."""
    profile = {**CELL, "seed": 0, "batch_size": 1, "size_bytes": 4_000_000, "transfer_bytes": 3_000_000}
    smaller = {**profile, "size_bytes": 1_000_000, "transfer_bytes": 1_000_000, "cpu_s_per_1000": 0.5}
    dense = {**profile, "variant": "dense", "cpu_s_per_1000": DENSE_CPU_S}
    making = [{**CELL, "seed": s, "measure": "making_cpu_s", "value": v} for s, v in enumerate(made)]
    low, central, high = ratio
    took = [{**CELL, "variant": "dense", "seed": s, "measure": "making_cpu_s", "value": 3.0} for s in range(len(made))]
    return {
        "changes": pd.DataFrame(making),
        "measures": pd.DataFrame(took),
        "profiles": pd.DataFrame([smaller, dense]),
        "ratios": pd.DataFrame([{**CELL, "batch_size": 1, "ratio": central, "low": low, "high": high}]),
    }


def repaid(made, ratio, **factors):
    table = repayments(tables(made, ratio), {"d": 103.0}, RECIPE, FACTORS | factors, {"int8": "dense"})
    return table.set_index("scope").to_dict("index")


def test_a_break_even_is_the_extra_energy_of_making_over_the_saving_of_a_prediction():
    table = repaid([2.0, 2.1, 1.9], (0.4, 0.5, 0.6))
    row = table["making"]
    assert row["status"] == "after" and row["predictions"] == pytest.approx(2.0 / 0.00001)  # 0.01 CPU-s a thousand
    half = 4.302653 * 0.1 / 3**0.5  # Student's quantile for 3 seeds at 95 %
    assert row["low"] == pytest.approx((2 - half) / 0.000012) and row["high"] == pytest.approx((2 + half) / 0.000008)
    assert row["batch_size"] == 1 and row["low"] < row["predictions"] < row["high"]
    # the whole study less one baseline, which is needed anyway
    assert table["making and search"]["predictions"] == pytest.approx((103 - 3) / 0.00001)


def test_a_variant_that_is_slower_never_repays():
    assert repaid([2.0, 2.1], (1.4, 1.5, 1.6))["making"]["status"] == "never"


@pytest.mark.parametrize(
    ("ratio", "status"),
    [((0.545, 0.69, 0.874), "after"), ((0.9, 0.98, 1.07), "undecided"), ((1.01, 1.2, 1.4), "never")],
)
def test_the_break_even_says_the_same_as_the_ratio(ratio, status):
    """A ratio whose interval excludes 1 is decided, whatever the spread of single seeds."""
    assert repaid([2.0, 2.1, 1.9], ratio)["making"]["status"] == status
    saved = saving_of_prediction(tables([2.0], ratio)["ratios"], tables([2.0], ratio)["profiles"], SIZED, DENSE)
    assert saved == pytest.approx([DENSE_CPU_S / 1000 * (1 - r) for r in reversed(ratio)])


def test_one_seed_or_one_round_gives_no_interval():
    assert repaid([2.0], (0.4, 0.5, 0.6))["making"]["status"] == "not estimable"
    assert repaid([2.0, 2.1], (float("nan"), 0.5, float("nan")))["making"]["status"] == "not estimable"


def test_the_extra_cost_of_making_is_paired_by_seed():
    changes = tables([2.0, 2.1, 1.9], (0.4, 0.5, 0.6))["changes"]
    half = 4.302653 * 0.1 / 3**0.5
    assert extra_of_making(changes, CELL) == pytest.approx((2 - half, 2, 2 + half))


def test_what_a_smaller_file_saves_in_transfer_and_storage_is_subtracted():
    # 2 MB a download x 0.01 kWh/GB = 72 J = 7.2 CPU-s at 10 W; 3 MB a year = 108 J = 10.8 CPU-s
    made, ratio = [40.0, 40.001, 39.999], (0.4999, 0.5, 0.5001)
    once = repaid(made, ratio, downloads=1)["making"]
    assert once["predictions"] == pytest.approx((40 - 7.2) / 0.00001)
    assert once["low"] == 0 and once["high"] == pytest.approx((40 - 0.36) / 0.00001, rel=0.01)  # 144 CPU-s to 0.36
    both = repaid(made, ratio, downloads=1, years=1)["making"]
    assert both["predictions"] == pytest.approx((40 - 7.2 - 10.8) / 0.00001)
    profiles = tables(made, ratio)["profiles"]
    # the largest saving: high factor at low watts; the smallest: low factor at high watts
    extra = extra_of_file(profiles, CELL, DENSE, RECIPE, FACTORS | {"downloads": 1, "years": 1})
    assert extra == pytest.approx((-(720 + 1080) / 5, -18.0, -(7.2 + 10.8) / 20))


def test_a_run_of_the_local_executor_is_summarized_with_what_is_not_known(tmp_path):
    results = tmp_path / "results" / "mine"
    (results / "summary").mkdir(parents=True)
    usage = {"cpu_s": 36.0, "wall_s": 40.0, "started": 1.0, "peak_memory_bytes": 10**9, "threads": 1, "host": "here"}
    (results / "train.usage.json").write_text(json.dumps(usage))
    never = repayments(tables([2.0, 2.1], (1.4, 1.5, 1.6)), {"d": 103.0}, RECIPE, FACTORS, {"int8": "dense"})
    never.to_parquet(results / "summary" / "break_even.parquet")
    said = account(results, RECIPE | {"elsewhere": ["POL", "FRA"]})
    assert "360 (180 to 720)" in said and re.search(r"Green Algorithms \(cores held\) +400 J", said)
    assert "1 steps are known from their usage files only" in said and "What Snakemake used itself is not known" in said
    assert said.index("France") < said.index("Poland") and "never" in said
    card = yaml.safe_load((results / "summary" / "carbon.yaml").read_text())["co2_eq_emissions"]
    assert card["emissions"] == pytest.approx(360 / 3.6e6 * carbon_intensity.country("DEU").g_per_kwh, abs=1e-4)
    assert "operational only" in card["source"] and card["geographical_location"] == "Germany"
    assert pd.read_parquet(results / "summary" / "ledger.parquet")["recorded_by"].tolist() == ["step"]


def test_break_even_points_are_those_of_the_batch_that_is_decided_on_without_replicates(tmp_path):
    results = tmp_path / "mine"
    (results / "summary").mkdir(parents=True)
    usage = {"cpu_s": 36.0, "wall_s": 40.0, "started": 1.0, "peak_memory_bytes": 10**9, "threads": 1, "host": "here"}
    (results / "train.usage.json").write_text(json.dumps(usage))
    cell = {"dataset": "d", "augmentation": "none", "model": "m", "engine": "onnxruntime"}
    after = {"status": "after", "predictions": 3.51e8, "low": 3.14e8, "high": 3.58e8}
    later = {"status": "after", "predictions": 2.2e13, "low": 2.1e13, "high": 2.4e13}
    open_ended = {"status": "undecided", "predictions": None, "low": 1.25e7, "high": None}
    long = "a_variant_with_a_long_name_that_fills_a_column"
    pd.DataFrame(
        {**cell, "variant": variant, "batch_size": size, "scope": scope, **point}
        for variant in ("dense_again", "int8", long)
        for size in (1, 64)
        for scope, point in (("making", after if size == 1 else open_ended), ("making and search", later))
    ).to_parquet(results / "summary" / "break_even.parquet")
    said = account(results, RECIPE, batch=64, replicates=["dense_again"])
    points = said[said.index("Predictions at batch 64") :].splitlines()
    assert points[2:] == [
        "d, none, m, onnxruntime",
        f"  {'':22}  {'making one model':40}  with the whole search",
        f"  {'int8':22}  {'undecided, from 12,500,000':40}  2.2e+13 (2.1e+13 to 2.4e+13)",
        f"  {long}",
        f"  {'':22}  {'undecided, from 12,500,000':40}  2.2e+13 (2.1e+13 to 2.4e+13)",
    ]
    assert _break_even({"status": "after", "predictions": 0.0, "low": 0.0, "high": 3e5}) == "at once (0 to 300,000)"
    first = account(results, RECIPE)
    assert "351,000,000 (314,000,000 to 358,000,000)" in first and "dense_again" in first
    for text in (said, first):
        points = text[text.index("Predictions at") :].splitlines()
        assert max(map(len, points)) <= 110
