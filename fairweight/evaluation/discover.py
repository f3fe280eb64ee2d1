"""Slices of the inputs that a variant's loss falls on, for all variants of one comparison."""

from typing import Any

import numpy as np

from fairweight.core.artifacts import read_table, write_rows
from fairweight.core.random_streams import generator
from fairweight.core.table import Table
from fairweight.evaluation.compare import read_models
from fairweight.statistics.comparison import log_loss
from fairweight.statistics.slices import Features, discover

SCHEMA = {
    "variant": "string", "baseline": "string", "rank": "int64", "conditions": "string", "value": "double",
    "low": "double", "high": "double", "p_value": "double", "n": "int64",
}  # fmt: skip


def discover_slices(
    *, predictions: list[str], about: list[dict[str, Any]], table: str, baselines: dict[str, str], smallest_group: int,
    destination: str,
) -> None:  # fmt: skip
    """Write the slices of each variant whose log loss rises most on one half of the test rows, tested on the other.

    Args:
        predictions: Parquet files of the predictions of every variant and seed.
        about: variant and seed of each of these files.
        table: Parquet file of the dataset; of images the slices are by brightness of their parts and by class, of texts by
            length and by class: their words are not shown.
        baselines: variant -> the variant that it is compared with.
        smallest_group: rows of a slice, at least.
        destination: Parquet file to write, one row a variant and slice.
    """
    models = read_models(predictions, about)
    rows = read_table(table).take(models.rows)
    found: list[dict[str, Any]] = []
    features = _features(rows)
    for variant, baseline in baselines.items():
        (_, scores), (_, other) = models.of[variant], models.of[baseline]
        if variant == baseline or scores is None or other is None:
            continue
        changes = log_loss(scores, models.labels) - log_loss(other, models.labels)
        slices = discover(changes, features, generator("slices", variant), smallest=smallest_group)
        for rank, entry in enumerate(slices, start=1):
            about_slice = {"variant": variant, "baseline": baseline, "rank": rank}
            found.append(about_slice | vars(entry) | {"conditions": " and ".join(entry.conditions)})
    write_rows(destination, found, SCHEMA)


def _features(rows: Table) -> Features:
    if rows.images is not None:
        return Features.of_images(rows.images, rows.label, rows.classes)
    if rows.texts is not None:
        words = np.array([len(str(text).split()) for text in rows.texts])
        return Features.of_texts(words, rows.label, rows.classes)
    return Features.of(rows.numeric, rows.numeric_names, rows.categorical, rows.levels)
