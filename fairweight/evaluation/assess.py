"""Assess predictions: compute every metric family of the task on validation and test rows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fairweight.core import components
from fairweight.core.artifacts import PARTS, describe_table, number_of_rows, read_labels, read_predictions, write_rows
from fairweight.core.intersections import crossed
from fairweight.core.memory import check_memory
from fairweight.core.table import Labels, narrowed, take_rows
from fairweight.evaluation.metric_rows import SCHEMA, Assessed
from fairweight.statistics.conformal import half_width

# columns of predictions that metrics take
PREDICTED = ("label", "prediction", "score", "probabilities", "swapped", "nll", "tokens", "utf8_bytes")

BYTES_OF_A_SCORED_ROW = 20  # measured; the largest part alone takes more, the others have gone by then


def assess(
    *,
    predictions: str,
    baseline: str | None,
    table: str,
    destination: str,
    families: Sequence[str],
    smallest_group: int,
    intersections: bool,
) -> None:
    """Write one tidy row for each part, metric and group.

    Args:
        predictions: Parquet file of the variant's predictions.
        baseline: Parquet file of the predictions of the variant that it is compared with, of the same seed,
            augmentation, model and engine; or None.
        table: Parquet file of the dataset, for groups.
        destination: Parquet file to write.
        families: names of the metric families that the task is assessed by.
        smallest_group: rates that are shares of fewer rows are reported as insufficient, and not ranked.
        intersections: whether every pair of attributes is also an attribute.
    """
    _check_fits(predictions, table, intersections)
    of_rows, _ = read_predictions(predictions, ("row", "part"))
    labels = read_labels(table, of_rows["row"])  # a row's id is its position in the table
    if intersections:
        groups, levels = crossed(labels.groups, labels.group_levels)
        labels = replace(labels, groups=groups, group_levels=levels)
    half = _half_width(predictions) if labels.label.dtype.kind == "f" else None
    rows = []
    for code, part in enumerate(PARTS):
        member = np.flatnonzero(of_rows["part"] == code)
        if len(member):
            assessed = _assessed(predictions, baseline, part, take_rows(labels, member), smallest_group)
            assessed = assessed if half is None else replace(assessed, half_width=half)
            for family in families:
                rows += [
                    {"part": part, "family": family, **row} for row in components.load("metrics", family)(assessed)
                ]
    write_rows(destination, rows, {"part": "string", "family": "string", **SCHEMA})


def _check_fits(predictions: str, table: str, intersections: bool) -> None:
    """See `memory.check_memory`. All rows have codes of groups, and those of one part scores and ranks."""
    rows, described = number_of_rows(predictions), describe_table(table)
    groups = len(described.groups)
    codes = groups * (groups + 1) // 2 if intersections else groups
    needed = rows * (20 + codes + BYTES_OF_A_SCORED_ROW + 4 * len(described.classes))
    check_memory("assess", needed, f"{rows:,} predicted rows", "use fewer test rows, or fewer groups")


def _half_width(predictions: str) -> float | None:
    """Half of the width of the intervals around predicted numbers, from validation rows."""
    columns, _ = read_predictions(predictions, ("label", "prediction"), "validation")
    return half_width(columns["prediction"], columns["label"])


def _assessed(predictions: str, baseline: str | None, part: str, labels: Labels, smallest_group: int) -> Assessed:
    """What metrics take, of the rows of one part."""
    columns, _ = read_predictions(predictions, PREDICTED, part)
    other = read_predictions(baseline, ("prediction", "nll"), part)[0] if baseline else {}
    nothing = np.full(len(labels), -1)
    return Assessed(
        labels=narrowed(columns.get("label", nothing)),
        predictions=narrowed(columns.get("prediction", nothing)),
        scores=columns.get("score"),
        probabilities=columns.get("probabilities"),
        classes=len(labels.classes),
        groups=labels.groups,
        group_levels=labels.group_levels,
        baseline=narrowed(other["prediction"]) if "prediction" in other else None,
        baseline_nll=other.get("nll"),
        pairs=labels.pairs,
        class_names=labels.classes,
        smallest_group=smallest_group,
        swapped=columns.get("swapped"),
        nll=columns.get("nll"),
        tokens=columns.get("tokens"),
        utf8_bytes=columns.get("utf8_bytes"),
    )
