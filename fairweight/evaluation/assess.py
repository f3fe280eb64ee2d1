"""Assessment of predictions: every metric family of the task, on validation and on test rows."""

from collections.abc import Sequence

import numpy as np

from fairweight.core import components
from fairweight.core.artifacts import PARTS, read_predictions, read_table, write_rows
from fairweight.core.intersections import crossed
from fairweight.evaluation.metric_rows import SCHEMA, Assessed


def assess(
    *, predictions: str, baseline: str | None, table: str, destination: str, families: Sequence[str],
    smallest_group: int, intersections: bool,
) -> None:  # fmt: skip
    """Write one tidy row for each part, metric and group.

    Args:
        predictions: Parquet file of the variant's predictions.
        baseline: that of the variant it is compared with, same seed, augmentation, model and engine; or None.
        table: Parquet file of the dataset, for groups.
        destination: Parquet file to write.
        families: names of the metric families that the task is assessed by.
        smallest_group: rates that are shares of fewer rows are reported as insufficient, and not ranked.
        intersections: whether every pair of attributes is an attribute, too.
    """
    columns, _ = read_predictions(predictions)
    other = read_predictions(baseline)[0] if baseline else {}
    rows = read_table(table, inputs=False)
    rows = rows.take(columns["row"])  # a row's id is its position in the table
    groups, group_levels = rows.groups, rows.group_levels
    if intersections:
        groups, group_levels = crossed(groups, group_levels)
    nothing = np.full(len(columns["row"]), -1)
    everything = Assessed(
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
    found = []
    for code, part in enumerate(PARTS):
        member = columns["part"] == code
        if member.any():
            for family in families:
                cells = components.load("metrics", family)(everything.take(member))
                found += [{"part": part, "family": family, **entry} for entry in cells]
    write_rows(destination, found, {"part": "string", "family": "string", **SCHEMA})
