"""Measures that the summary tables hold, in their order."""

import pytest

from fairweight.core.measures import MEASURES
from fairweight.evaluation import compare, discover, power, summarize
from fairweight.statistics import comparison


def test_measures_come_from_their_records_in_the_order_of_the_tables():
    assert (
        *("accuracy", "balanced_accuracy", "f1", "log_loss", "auc", "mean_absolute_error", "mean_squared_error"),
        *("root_mean_squared_error", "r2", "mean_error", "interval_half_width", "coverage"),
        *("flips", "counterfactual_flips"),
        *("perplexity", "perplexity_ratio", "bits_per_byte", "stereotype_score", "stereotype_flips"),
        *("choice_accuracy", "choice_flips"),
    ) == summarize.OVERALL
    assert summarize.BY_GROUP == ("accuracy", "mean_absolute_error", "r2", "mean_error", "coverage")
    assert summarize.COMPARED == (
        "largest_group_mean_absolute_error",
        "mean_absolute_error_difference",
        "mean_error_difference",
        "mean_prediction_difference",
        "worst_group_accuracy",
        "accuracy_difference",
        "demographic_parity_difference",
        "equal_opportunity_difference",
        "equalized_odds_difference",
    )
    assert (
        *("latency_p50_ms", "latency_p95_ms", "cpu_s_per_1000"),
        *("prefill_tokens_per_cpu_s", "decode_tokens_per_cpu_s"),
    ) == summarize.PROFILED
    assert summarize.STORED == ("size_bytes", "transfer_bytes")


def test_units_of_stored_values():
    units = {key: record.stored_unit for key, record in MEASURES.items() if record.stored_unit != "share"}
    assert units == {
        "log_loss": "nats",
        "mean_squared_error": "label squared",
        **dict.fromkeys(
            (
                *("mean_absolute_error", "root_mean_squared_error", "mean_error", "interval_half_width"),
                *("mean_absolute_error_difference", "mean_error_difference", "mean_prediction_difference"),
                "largest_group_mean_absolute_error",
            ),
            "label",
        ),
        "perplexity": "tokens",
        "perplexity_ratio": "ratio",
        "bits_per_byte": "bits",
        "latency_p50_ms": "ms",
        "latency_p95_ms": "ms",
        "cpu_s_per_1000": "CPU-s",
        "prefill_tokens_per_cpu_s": "tokens/CPU-s",
        "decode_tokens_per_cpu_s": "tokens/CPU-s",
        "energy_j_per_1000": "J",
        "size_bytes": "bytes",
        "transfer_bytes": "bytes",
        "bits_per_weight": "bits",
        "inference_memory_bytes": "bytes",
        "making_cpu_s": "CPU-s",
        "making_energy_j": "J",
    }


@pytest.mark.parametrize(
    ("schema", "row"),
    [
        (comparison.SCHEMA, comparison.ComparisonRow),
        (compare.KEPT, compare.ReplicateRow),
        (discover.SCHEMA, discover.SliceRow),
        (power.SCHEMA, power.PowerRow),
    ],
    ids=["comparison", "replicate", "slice", "power"],
)
def test_rows_have_the_columns_of_their_schema(schema, row):
    assert list(schema) == list(row.__annotations__)
