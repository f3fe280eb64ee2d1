"""Discover the slices of the inputs in which a variant's loss rises, for all variants of one comparison."""

import functools
from typing import Any, TypedDict

import numpy as np

from fairweight.core.artifacts import describe_table, read_labels, read_rows, write_rows
from fairweight.core.random_streams import generator
from fairweight.core.table import Labels, Table
from fairweight.evaluation.compare import PredictionsOf, check_fits, read_models
from fairweight.statistics.comparison import log_loss
from fairweight.statistics.crossed_uncertainty import blocks
from fairweight.statistics.slices import Features, discover

Array = np.ndarray[Any, Any]
# shares in a slice and in all test rows with which a slice is called one of that group
NEARLY_ALL, MANY = 0.95, 0.9
SCHEMA = {
    "variant": "string",
    "baseline": "string",
    "rank": "int64",
    "conditions": "string",
    "change": "double",
    "value": "double",
    "low": "double",
    "high": "double",
    "p_value": "double",
    "n": "int64",
    "mostly": "string",
    "given": "string",
    "left_out": "string",
}


class SliceRow(TypedDict):
    """A slice of one variant, see `slices.Slice`.

    `mostly` names groups to which nearly all rows of the slice belong. `given` says what the slices are made of, and
    `left_out` which inputs are not among it because they tell a group.
    """

    variant: str
    baseline: str
    rank: int
    conditions: str
    change: float
    value: float
    low: float
    high: float
    p_value: float
    n: int
    mostly: str
    given: str
    left_out: str


def discover_slices(
    *,
    predictions: list[str],
    about: list[PredictionsOf],
    table: str,
    baselines: dict[str, str],
    group_columns: list[str],
    smallest_group: int,
    destination: str,
) -> None:
    """Write the slices of each variant whose log loss rises most on one half of the test rows, tested on the other.

    Slices show harm that no group of the study shows. Inputs from which groups are made, and binned versions of them,
    are therefore left out.

    Args:
        predictions: Parquet files of the predictions of every variant and seed.
        about: variant and seed of each of these files.
        table: Parquet file of the dataset. Slices of images are by brightness of their parts and by class; slices of
            texts by length and by class, so that their words are not shown.
        baselines: variant -> the variant that it is compared with.
        group_columns: columns from which groups are made.
        smallest_group: fewest rows of a slice.
        destination: Parquet file to write, one row per variant and slice.
    """
    check_fits("discover", predictions, [file["variant"] for file in about], _bytes_of_features(table))
    models = read_models(predictions, [file["variant"] for file in about])
    labels = read_labels(table, models.rows)
    features, given, origins = _features(table, models.rows)
    sensitive = {*features.sources_of(labels.groups, generator("slices", "groups")), *group_columns}
    left_out = [name for name in features.inputs if name in sensitive]
    # the table holds numbers minus their origin, and float32 could not hold the sum
    features = features.without(left_out).renamed({n: f"{n} - {origin:.15g}" for n, origin in origins.items()})
    read = functools.lru_cache(maxsize=1)(models.label_probabilities)  # most variants share the baseline
    rows: list[SliceRow] = []
    for variant, baseline in baselines.items():
        if variant == baseline or None in (models.fingerprints[variant], models.fingerprints[baseline]):
            continue
        changes = Changes(models.label_probabilities(variant), read(baseline))
        slices = discover(changes, features, generator("slices", variant), smallest=smallest_group)
        for rank, entry in enumerate(slices, start=1):
            rows.append(
                {
                    "variant": variant,
                    "baseline": baseline,
                    "rank": rank,
                    "conditions": " and ".join(entry.conditions),
                    "change": entry.change,
                    "value": entry.value,
                    "low": entry.low,
                    "high": entry.high,
                    "p_value": entry.p_value,
                    "n": entry.n,
                    "mostly": _mostly(labels, entry.rows),
                    "given": given,
                    "left_out": ", ".join(left_out),
                }
            )
    write_rows(destination, rows, SCHEMA)


def _bytes_of_features(table: str) -> int:
    """Bytes of the features of one row: numbers and levels, of which a half becomes numbers for the tree."""
    described = describe_table(table)
    numbers, levels = len(described.numeric_names), sum(map(len, described.levels.values()))
    return 6 * numbers + 3 * levels


class Changes:
    """Change of the log loss of n rows and K seeds in nats, computed for the rows that are asked for.

    Args:
        ours, theirs: probabilities of the labels by the variant and by its baseline (n, K).
    """

    def __init__(self, ours: Array, theirs: Array) -> None:
        self._ours, self._theirs = ours, theirs

    def __len__(self) -> int:
        return len(self._ours)

    def __getitem__(self, rows: Array | slice) -> Array:
        return log_loss(self._ours[rows]) - log_loss(self._theirs[rows])


def _mostly(labels: Labels, rows: Array) -> str:
    """Groups that make up nearly all of these rows and not nearly all of the test rows, such as "f (sex)"."""
    names = []
    for attribute, codes in labels.groups.items():
        for code, level in enumerate(labels.group_levels[attribute]):
            share, overall = (codes[rows] == code).mean(), (codes == code).mean()
            if share >= NEARLY_ALL and overall < MANY:
                names.append(f"{level} ({attribute})")
    return ", ".join(names)


def _features(table: str, rows: Array) -> tuple[Features, str, dict[str, float]]:
    """What the slices are made of, the same in words, and the origins of numeric inputs."""
    none = read_rows(table, rows[:0])
    made = (_features_of(read_rows(table, rows[some])) for some in blocks(len(rows)))
    features = Features.from_blocks(len(rows), made)
    if none.images is not None:
        return features, "the brightness of the image and of its parts, and the class", none.origins
    if none.texts is not None:
        return features, "the number of words and the class", none.origins
    return features.with_medians(), "the inputs of the model", none.origins


def _features_of(rows: Table) -> Features:
    """Features of some rows; missing numbers stay missing."""
    if rows.images is not None:
        return Features.from_images(rows.images, rows.label, rows.classes)
    if rows.texts is not None:
        words = np.array([len(str(text).split()) for text in rows.texts])
        return Features.from_texts(words, rows.label, rows.classes)
    return Features.from_table(rows.numeric, rows.numeric_names, rows.categorical, rows.levels)
