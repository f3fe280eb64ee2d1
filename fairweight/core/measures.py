"""Measures of a variant: one record each, which summaries, decision, report, papers and cards read.

A record says what a measure is called, the unit that it is stored in, and how it is shown. To add a measure, add its
record here; the step that computes it writes the key. `core/shown_measures.py` writes values as text (standard library
only here, so that an edit of the formatting of numbers reruns no step that computes them).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

Source = Literal["metric", "groups", "profile", "file", "making", "check"]
Direction = Literal["higher", "lower"]


@dataclass(frozen=True)
class Measure:
    """How one measure is named, stored and shown.

    Attributes:
        key: its name in the summary tables (column `measure` or `metric`).
        title: its name for people, without unit.
        unit: unit of a shown value; empty for a plain number.
        digits: decimals of a shown value.
        better: which direction is better; None where neither is.
        scale: factor from a stored to a shown value.
        stored_unit: unit of a stored value, as in column `unit` of the summary tables.
        source: where summaries take it from: a `metric` of all rows, a comparison of `groups`, a `profile` of latency,
            a `file`, or the steps of `making` a variant. A `check` of a file is in no table of measures; it is a column
            of the tables `files` and `language`.
        modelled: whether it is derived from CPU-seconds by the energy model instead of measured.
        interval: prefix of its bounds in the table of language models, where it has an interval over texts there.
        language: whether only language models have it.
        by_group: whether summaries have it for each group also; only for a `metric`.
    """

    key: str
    title: str
    unit: str
    digits: int
    better: Direction | None
    scale: float = 1.0
    stored_unit: str = "share"
    source: Source = "metric"
    modelled: bool = False
    interval: str | None = None
    language: bool = False
    by_group: bool = False

    @property
    def heading(self) -> str:
        """Title with unit, as a column or an axis has it: "Accuracy, %"."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    def scaled(self, value: float) -> float:
        """A stored value in the unit that is shown."""
        return value * self.scale


def _percent(
    key: str, title: str, better: Direction | None = "higher", source: Source = "metric", digits: int = 2
) -> Measure:
    return Measure(key, title, "%", digits, better, scale=100.0, source=source)


def _gap(key: str, title: str) -> Measure:
    return Measure(key, title, "points", 2, "lower", scale=100.0, source="groups")


RECORDS = (
    Measure("accuracy", "Accuracy", "%", 2, "higher", scale=100.0, by_group=True),
    _percent("balanced_accuracy", "Balanced accuracy"),
    _percent("f1", "F1"),
    Measure("log_loss", "Log loss", "nats", 3, "lower", stored_unit="nats"),
    Measure("auc", "AUC", "", 3, "higher"),
    # of numbers, in the unit of the label of each dataset
    Measure("mean_absolute_error", "Mean absolute error", "", 3, "lower", stored_unit="label", by_group=True),
    Measure("mean_squared_error", "Mean squared error", "", 3, "lower", stored_unit="label squared"),
    Measure("root_mean_squared_error", "Root mean squared error", "", 3, "lower", stored_unit="label"),
    Measure("r2", "R2", "", 3, "higher", by_group=True),
    Measure("mean_error", "Mean error", "", 3, None, stored_unit="label", by_group=True),
    Measure("interval_half_width", "Half width of 90 % intervals", "", 3, "lower", stored_unit="label"),
    Measure("coverage", "Coverage of 90 % intervals", "%", 1, None, scale=100.0, by_group=True),
    *(
        Measure(key, title, "", 3, "lower", stored_unit="label", source="groups")
        for key, title in (
            ("largest_group_mean_absolute_error", "Worst group's error"),
            ("mean_absolute_error_difference", "Error gap"),
            ("mean_error_difference", "Mean error gap"),
            ("mean_prediction_difference", "Mean prediction gap"),
        )
    ),
    _percent("flips", "Flips", "lower"),
    _percent("counterfactual_flips", "Counterfactual flips", "lower"),
    Measure("perplexity", "Perplexity", "", 2, "lower", stored_unit="tokens", interval="perplexity", language=True),
    Measure(
        "perplexity_ratio",
        "Ratio of perplexities",
        "",
        3,
        "lower",
        stored_unit="ratio",
        interval="perplexity_ratio",
        language=True,
    ),
    Measure("bits_per_byte", "Bits per byte", "bits", 3, "lower", stored_unit="bits", language=True),
    # 50 % is no preference, so that neither direction is better everywhere
    Measure("stereotype_score", "Stereotype score", "%", 1, None, scale=100.0, interval="stereotype", language=True),
    Measure("stereotype_flips", "Flips of the preferred sentence", "%", 2, "lower", scale=100.0, language=True),
    Measure("choice_accuracy", "Accuracy of answers", "%", 1, "higher", scale=100.0, interval="choice", language=True),
    Measure("choice_flips", "Flips of the chosen answer", "%", 2, "lower", scale=100.0, language=True),
    _percent("worst_group_accuracy", "Worst group's accuracy", source="groups"),
    _gap("accuracy_difference", "Accuracy gap"),
    _gap("demographic_parity_difference", "Demographic parity gap"),
    _gap("equal_opportunity_difference", "Equal opportunity gap"),
    _gap("equalized_odds_difference", "Equalized odds gap"),
    Measure("latency_p50_ms", "Latency p50", "µs", 1, "lower", scale=1e3, stored_unit="ms", source="profile"),
    Measure("latency_p95_ms", "Latency p95", "µs", 1, "lower", scale=1e3, stored_unit="ms", source="profile"),
    Measure(
        "cpu_s_per_1000", "CPU time per 1,000 predictions", "CPU-s", 4, "lower", stored_unit="CPU-s", source="profile"
    ),
    Measure(
        "prefill_tokens_per_cpu_s",
        "Prefill speed",
        "tokens/CPU-s",
        0,
        "higher",
        stored_unit="tokens/CPU-s",
        source="profile",
        language=True,
    ),
    Measure(
        "decode_tokens_per_cpu_s",
        "Decode speed",
        "tokens/CPU-s",
        1,
        "higher",
        stored_unit="tokens/CPU-s",
        source="profile",
        language=True,
    ),
    Measure(
        "energy_j_per_1000",
        "Energy per 1,000 predictions",
        "J",
        4,
        "lower",
        stored_unit="J",
        source="profile",
        modelled=True,
    ),
    Measure("size_bytes", "File size", "kB", 1, "lower", scale=1e-3, stored_unit="bytes", source="file"),
    Measure("transfer_bytes", "Transfer size", "kB", 1, "lower", scale=1e-3, stored_unit="bytes", source="file"),
    Measure(
        "inference_memory_bytes",
        "Memory to load and run",
        "MB",
        1,
        "lower",
        scale=1e-6,
        stored_unit="bytes",
        source="check",
    ),
    Measure(
        "bits_per_weight", "Bits per weight", "bits", 2, "lower", stored_unit="bits", source="check", language=True
    ),
    Measure("making_cpu_s", "CPU time to make it", "CPU-s", 1, "lower", stored_unit="CPU-s", source="making"),
    Measure("making_energy_j", "Energy to make it", "J", 1, "lower", stored_unit="J", source="making", modelled=True),
)
MEASURES = {record.key: record for record in RECORDS}
# the same measure of language models, whose files are large
LANGUAGE_FILE_SIZE = replace(MEASURES["size_bytes"], unit="MB", scale=1e-6, language=True)


def measure(key: str) -> Measure:
    """Record of a measure; a share that has none (a rate of a group, a churn) is shown in percent."""
    return MEASURES.get(key) or _percent(key, key.replace("_", " ").capitalize(), None)


def keys(wanted: Callable[[Measure], bool]) -> tuple[str, ...]:
    """Keys of the measures for which a condition holds, in their order."""
    return tuple(record.key for record in RECORDS if wanted(record))
