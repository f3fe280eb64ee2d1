"""Assess predictions: compute every metric family of the task on validation and test rows."""

from collections.abc import Sequence

import numpy as np

from fairweight.core import components
from fairweight.core.artifacts import PARTS, read_predictions, read_table, write_rows
from fairweight.core.intersections import crossed
from fairweight.evaluation.metric_rows import SCHEMA, Assessed


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
    assessed, part_of_row = _read(predictions, baseline, table, smallest_group, intersections)
    rows = []
    for code, part in enumerate(PARTS):
        member = part_of_row == code
        if member.any():
            for family in families:
                metric_rows = components.load("metrics", family)(assessed.take(member))
                rows += [{"part": part, "family": family, **row} for row in metric_rows]
    write_rows(destination, rows, {"part": "string", "family": "string", **SCHEMA})


def _read(
    predictions: str, baseline: str | None, table: str, smallest_group: int, intersections: bool
) -> tuple[Assessed, np.ndarray]:
    """What metrics take, of all rows with a prediction; and the code of each row's part (n,)."""
    columns, _ = read_predictions(predictions)
    other = read_predictions(baseline)[0] if baseline else {}
    rows = read_table(table, inputs=False)
    rows = rows.take(columns["row"])  # a row's id is its position in the table
    groups, group_levels = rows.groups, rows.group_levels
    if intersections:
        groups, group_levels = crossed(groups, group_levels)
    nothing = np.full(len(columns["row"]), -1)
    assessed = Assessed(
        labels=columns.get("label", nothing),
        predictions=columns.get("prediction", nothing),
        scores=columns.get("score"),
        probabilities=columns.get("probabilities"),
        classes=len(rows.classes),
        groups=groups,
        group_levels=group_levels,
        baseline=other.get("prediction"),
        baseline_nll=other.get("nll"),
        pairs=rows.pairs,
        class_names=rows.classes,
        smallest_group=smallest_group,
        **{name: columns.get(name) for name in ("swapped", "nll", "tokens", "utf8_bytes")},
    )
    return assessed, columns["part"]
