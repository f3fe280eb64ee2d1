"""Measures of one variant on test rows with their uncertainty, as a model card shows them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fairweight.core import measures
from fairweight.core.frames import where
from fairweight.reporting.report.results import Results
from fairweight.statistics.crossed_uncertainty import estimate

# comparisons of groups that a card shows, in this order
GAPS = ("worst_group_accuracy", "accuracy_difference", "equalized_odds_difference", "demographic_parity_difference")
LANGUAGE = measures.keys(lambda record: record.language and record.source == "metric")


@dataclass(frozen=True)
class Measured:
    """A measure with its uncertainty; what cannot be estimated is None.

    Attributes:
        metric: key of the measure.
        value: mean over seeds.
        attribute: attribute that the groups are of; None for all rows.
        group: the group; None for all groups.
        low, high: 95 % interval over seeds and test rows.
        sd: standard deviation over seeds.
        seeds: number of seeds.
        rows: number of test rows.
        own: value of the file that ships.
        own_low, own_high: 95 % interval of it over test rows.
        by_chance: for a gap, its expected value if all groups were equal.
        change: for a gap, its change from the baseline: value, and low and high of the 95 % interval.
    """

    metric: str
    value: float
    attribute: str | None
    group: str | None
    low: float | None
    high: float | None
    sd: float | None
    seeds: int
    rows: int
    own: float | None = None
    own_low: float | None = None
    own_high: float | None = None
    by_chance: float | None = None
    change: tuple[float, float, float] | None = None


def measured(results: Results, cell: dict[str, str], seed: int) -> Iterator[Measured]:
    """Accuracy of all rows and of each declared group, with intervals; then gaps. For language models, likelihoods.

    The interval of a gap itself would mislead: it leaves out 0 even where all groups are equal. A gap has instead its
    expected value for equal groups, and the change from the baseline with its interval.

    Args:
        results: the study.
        cell: values of CELL.
        seed: seed of the file that ships.
    """
    table = where(results.assessments, cell)
    table = table[(table["part"] == "test") & table["class"].isna() & table["value"].notna()]
    declared = list(results.study["datasets"][cell["dataset"]]["groups"])
    yield from _likelihoods(table[table["metric"].isin(LANGUAGE)])
    accuracy = table[table["metric"] == "accuracy"]
    yield from _shares(accuracy[accuracy["attribute"].isna()], seed)
    for attribute in declared:
        yield from _shares(accuracy[(accuracy["attribute"] == attribute) & accuracy["group"].notna()], seed)
        for metric in GAPS:
            rows = table[(table["metric"] == metric) & (table["attribute"] == attribute)]
            if len(rows):
                yield _gap(rows, seed, _change(results, cell, metric, attribute))


def _likelihoods(rows: pd.DataFrame) -> Iterator[Measured]:
    """Measures of published weights, which no seed changes: their intervals are over texts or pairs."""
    for _, row in rows.drop_duplicates(["metric", "attribute", "group"]).iterrows():
        attribute, group = _place(row)
        value, (low, high) = float(row["value"]), (_known(row[end]) for end in ("low", "high"))
        yield Measured(
            row["metric"], value, attribute, group, low, high, None, 1, int(row["n"]), value, own_low=low, own_high=high
        )


def _shares(rows: pd.DataFrame, seed: int) -> Iterator[Measured]:
    """A share of each group: of the file, and as a mean over seeds."""
    for _, seeds in rows.groupby("group", dropna=False, sort=False):
        values = seeds["value"].to_numpy(float)
        count = int(seeds["denominator"].min())
        # the binomial variance of one model bounds that of the mean over seeds, which predict the same rows
        share = estimate(values, float(np.mean(values * (1 - values)) / count), count)
        low: float | None
        high: float | None
        low, high = (float(np.clip(bound, 0, 1)) for bound in share.interval())
        if not 0 < share.value < 1:
            low = high = None  # the binomial variance of 0 and 1 is 0
        attribute, group = _place(seeds.iloc[0])
        spread = (low, high, _sd(values))
        yield Measured("accuracy", share.value, attribute, group, *spread, len(values), count, *_own(seeds, seed))


def _own(rows: pd.DataFrame, seed: int) -> tuple[float | None, float | None, float | None]:
    """Value and bounds of the file of one seed; None where that seed has none."""
    own = where(rows, {"seed": seed})
    value, low, high = (_known(own.iloc[0][column]) if len(own) else None for column in ("value", "low", "high"))
    return value, low, high


def _known(value: float | None) -> float | None:
    return None if pd.isna(value) else float(value)  # type: ignore[arg-type]


def _place(row: pd.Series) -> tuple[str | None, str | None]:
    """Attribute and group of a metric row; None where it has none."""
    attribute, group = (row[key] if isinstance(row[key], str) else None for key in ("attribute", "group"))
    return attribute, group


def _gap(rows: pd.DataFrame, seed: int, change: tuple[float, float, float] | None) -> Measured:
    first, values, by_chance = rows.iloc[0], rows["value"].to_numpy(float), rows["by_chance"].dropna()
    return Measured(
        first["metric"],
        float(values.mean()),
        first["attribute"],
        group=None,
        low=None,
        high=None,
        sd=_sd(values),
        seeds=len(values),
        rows=int(rows["n"].max()),
        own=_own(rows, seed)[0],
        by_chance=float(by_chance.mean()) if len(by_chance) else None,
        change=change,
    )


def _change(results: Results, cell: dict[str, str], metric: str, attribute: str) -> tuple[float, float, float] | None:
    """Change from the baseline over seeds and test rows; None for a baseline, and where it could not be estimated."""
    rows = where(results.comparisons, {**cell, "metric": metric, "attribute": attribute, "status": "ok"})
    rows = rows[rows["group"].isna()]
    if len(rows) != 1 or rows[["value", "low", "high"]].isna().any(axis=None):
        return None
    value, low, high = (float(rows[key].iloc[0]) for key in ("value", "low", "high"))
    return value, low, high


def _sd(values: np.ndarray) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
