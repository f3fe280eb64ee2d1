"""Discover the slices of the inputs in which a variant's loss rises, for all variants of one comparison."""

from typing import TypedDict

import numpy as np

from fairweight.core.artifacts import read_table, write_rows
from fairweight.core.random_streams import generator
from fairweight.core.table import Table
from fairweight.evaluation.compare import PredictionsOf, read_models
from fairweight.statistics.comparison import log_loss
from fairweight.statistics.slices import Features, discover

SCHEMA = {
    "variant": "string",
    "baseline": "string",
    "rank": "int64",
    "conditions": "string",
    "value": "double",
    "low": "double",
    "high": "double",
    "p_value": "double",
    "n": "int64",
}


class SliceRow(TypedDict):
    """A slice of one variant, see `slices.Slice`."""

    variant: str
    baseline: str
    rank: int
    conditions: str
    value: float
    low: float
    high: float
    p_value: float
    n: int


def discover_slices(
    *,
    predictions: list[str],
    about: list[PredictionsOf],
    table: str,
    baselines: dict[str, str],
    smallest_group: int,
    destination: str,
) -> None:
    """Write the slices of each variant whose log loss rises most on one half of the test rows, tested on the other.

    Args:
        predictions: Parquet files of the predictions of every variant and seed.
        about: variant and seed of each of these files.
        table: Parquet file of the dataset. Slices of images are by brightness of their parts and by class; slices of
            texts by length and by class, so that their words are not shown.
        baselines: variant -> the variant that it is compared with.
        smallest_group: fewest rows of a slice.
        destination: Parquet file to write, one row per variant and slice.
    """
    models = read_models(predictions, about)
    features = _features(read_table(table).take(models.rows))
    rows: list[SliceRow] = []
    for variant, baseline in baselines.items():
        (_, scores), (_, base_scores) = models.by_variant[variant], models.by_variant[baseline]
        if variant == baseline or scores is None or base_scores is None:
            continue
        changes = log_loss(scores, models.labels) - log_loss(base_scores, models.labels)
        slices = discover(changes, features, generator("slices", variant), smallest=smallest_group)
        for rank, entry in enumerate(slices, start=1):
            rows.append(
                {
                    "variant": variant,
                    "baseline": baseline,
                    "rank": rank,
                    "conditions": " and ".join(entry.conditions),
                    "value": entry.value,
                    "low": entry.low,
                    "high": entry.high,
                    "p_value": entry.p_value,
                    "n": entry.n,
                }
            )
    write_rows(destination, rows, SCHEMA)


def _features(rows: Table) -> Features:
    if rows.images is not None:
        return Features.from_images(rows.images, rows.label, rows.classes)
    if rows.texts is not None:
        words = np.array([len(str(text).split()) for text in rows.texts])
        return Features.from_texts(words, rows.label, rows.classes)
    # the table holds numbers minus their origin, and float32 could not hold the sum
    names = tuple(f"{n} - {rows.origins[n]:.15g}" if n in rows.origins else n for n in rows.numeric_names)
    return Features.from_table(rows.numeric, names, rows.categorical, rows.levels)
