"""What a model card states of one variant: measures on test rows with their uncertainty."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fairweight.core.frames import where
from fairweight.reporting.report.results import Results
from fairweight.statistics.crossed import estimate

GAPS = ("worst_group_accuracy", "accuracy_difference", "equalized_odds_difference", "demographic_parity_difference")
LANGUAGE = ("perplexity", "perplexity_ratio", "bits_per_byte", "stereotype_score", "stereotype_flips")


@dataclass(frozen=True)
class Measured:
    """A measure, the mean over seeds; what cannot be estimated is None."""

    metric: str
    value: float
    attribute: str | None
    group: str | None
    low: float | None  # 95 % interval over seeds and test rows
    high: float | None
    sd: float | None  # over seeds
    seeds: int
    rows: int
    by_chance: float | None = None  # of a gap: its expectation if all groups were equal
    change: tuple[float, float, float] | None = None  # of a gap, from the baseline: value, and 95 % interval


def measured(results: Results, cell: dict[str, str]) -> Iterator[Measured]:
    """Accuracy of all rows and of each declared group, with intervals; then gaps.  Of language models, likelihoods.

    The interval of a gap itself would mislead: it leaves out 0 even where all groups are equal.  What stands beside it is
    what chance makes of equal groups, and the change from the baseline with its interval.
    """
    table = where(results.assessments, cell)
    table = table[(table["part"] == "test") & table["class"].isna() & table["value"].notna()]
    declared = list(results.study["datasets"][cell["dataset"]]["groups"])
    yield from _likelihoods(table[table["metric"].isin(LANGUAGE)])
    accuracy = table[table["metric"] == "accuracy"]
    yield from _shares(accuracy[accuracy["attribute"].isna()])
    for attribute in declared:
        yield from _shares(accuracy[(accuracy["attribute"] == attribute) & accuracy["group"].notna()])
        for metric in GAPS:
            of = table[(table["metric"] == metric) & (table["attribute"] == attribute)]
            if len(of):
                yield _gap(of, _change(results, cell, metric, attribute))


def _likelihoods(rows: pd.DataFrame) -> Iterator[Measured]:
    """Of published weights, which no seed changes: their intervals are over texts or pairs."""
    for _, row in rows.drop_duplicates(["metric", "attribute", "group"]).iterrows():
        attribute, group = (row[k] if isinstance(row[k], str) else None for k in ("attribute", "group"))
        low, high = (None if pd.isna(row[end]) else float(row[end]) for end in ("low", "high"))
        yield Measured(row["metric"], float(row["value"]), attribute, group, low, high, None, 1, int(row["n"]))


def _shares(rows: pd.DataFrame) -> Iterator[Measured]:
    for _, of in rows.groupby("group", dropna=False, sort=False):
        first, values = of.iloc[0], of["value"].to_numpy(float)
        count = int(of["denominator"].min())
        # the binomial variance of one model bounds that of the mean over seeds, which predict the same rows
        found = estimate(values, float(np.mean(values * (1 - values)) / count), count)
        low: float | None
        high: float | None
        low, high = (float(np.clip(bound, 0, 1)) for bound in found.interval())
        attribute, group = (first[k] if isinstance(first[k], str) else None for k in ("attribute", "group"))
        if not 0 < found.value < 1:
            low = high = None  # of 0 and 1 this variance knows nothing
        yield Measured("accuracy", found.value, attribute, group, low, high, _sd(values), len(values), count)


def _gap(rows: pd.DataFrame, change: tuple[float, float, float] | None) -> Measured:
    first, values, by_chance = rows.iloc[0], rows["value"].to_numpy(float), rows["by_chance"].dropna()
    return Measured(
        first["metric"], float(values.mean()), first["attribute"], None, None, None, _sd(values), len(values),
        int(rows["n"].max()), float(by_chance.mean()) if len(by_chance) else None, change,
    )  # fmt: skip


def _change(results: Results, cell: dict[str, str], metric: str, attribute: str) -> tuple[float, float, float] | None:
    """From the baseline, over seeds and test rows; None for a baseline, and where it could not be estimated."""
    found = where(results.comparisons, {**cell, "metric": metric, "attribute": attribute, "status": "ok"})
    found = found[found["group"].isna()]
    if len(found) != 1 or found[["value", "low", "high"]].isna().any(axis=None):
        return None
    value, low, high = (float(found[key].iloc[0]) for key in ("value", "low", "high"))
    return value, low, high


def _sd(values: np.ndarray) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
