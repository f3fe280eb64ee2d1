"""Comparison of all variants of one dataset, augmentation, model and engine with their baselines, over all seeds."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairweight.core.artifacts import PARTS, read_predictions, read_table, write_rows
from fairweight.core.intersections import crossed
from fairweight.core.random_streams import generator
from fairweight.statistics import comparison, rates
from fairweight.statistics.comparison import SCHEMA, Pair, Row
from fairweight.statistics.crossed import counted, resampled
from fairweight.statistics.rates import Layout

Array = np.ndarray[Any, Any]
REPLICATES = 10_000
OF_CLASSES = ("accuracy", "accuracy_difference", "worst_group_accuracy")  # what is compared between classes
KEPT = {"variant": "string", "replicate": "int64", "accuracy": "double", "worst_group_accuracy": "double"}


def compare(
    *, predictions: list[str], about: list[dict[str, Any]], table: str, baselines: dict[str, str],
    smallest_group: int, intersections: bool, comparisons: str, replicates: str,
) -> None:  # fmt: skip
    """Write how each variant differs from its baseline on test rows, and bootstrap replicates of all variants.

    Args:
        predictions: Parquet files of the predictions of every variant and seed.
        about: variant and seed of each of these files.
        table: Parquet file of the dataset, for groups.
        baselines: variant -> the variant that it is compared with.
        smallest_group: rates that are shares of fewer rows are reported as insufficient, and not ranked.
        intersections: whether every pair of attributes is an attribute, too.
        comparisons: Parquet file to write, one tidy row a variant, metric and group.
        replicates: Parquet file to write, for each replicate of seeds and rows the accuracy of each variant and that of
            its worst group by the first attribute; all variants share the draws.
    """
    models = read_models(predictions, about)
    labels = models.labels
    rows = read_table(table, inputs=False).take(models.rows)
    groups, levels = crossed(rows.groups, rows.group_levels) if intersections else (rows.groups, rows.group_levels)
    groups = {name: codes for name, codes in groups.items() if (codes >= 0).any()}
    layout = Layout.of(
        labels, groups | {"class": labels}, levels | {"class": rows.classes}, len(rows.classes)
    )  # a class's accuracy is its recall
    study = Compared(layout, labels, models.of, smallest_group)
    drawn = study.bootstrap(baselines)
    found = []
    for variant, baseline in drawn.baselines.items():
        entries = study.compare(variant, baseline, drawn)
        found += [{"variant": variant, "baseline": baseline, **entry} for entry in entries]
    write_rows(comparisons, found, {"variant": "string", "baseline": "string", **SCHEMA})
    write_rows(replicates, drawn.front(), KEPT)


@dataclass(frozen=True)
class Models:
    """Models of all variants and seeds on the same test rows."""

    rows: Array  # (n,) row ids, which are positions in the table
    labels: Array  # int (n,)
    of: dict[str, tuple[Array, Array | None]]  # variant -> predictions (n, K), probabilities (n, K, classes)


def read_models(paths: list[str], about: list[dict[str, Any]]) -> Models:
    """Read the predictions of every variant and seed on test rows.

    Args:
        paths: Parquet files of predictions.
        about: `variant` of each of them; the seeds of every variant come in the same order.
    """
    columns: dict[str, list[dict[str, Array]]] = {}
    for path, of in zip(paths, about, strict=True):
        stored = read_predictions(path)[0]
        test = stored["part"] == PARTS.index("test")
        columns.setdefault(of["variant"], []).append({name: column[test] for name, column in stored.items()})
    first = next(iter(columns.values()))[0]
    found: dict[str, tuple[Array, Array | None]] = {}
    for variant, seeds in columns.items():
        if not all(np.array_equal(seed["row"], first["row"]) for seed in seeds):
            raise ValueError(f"the seeds of {variant} do not predict the same test rows")
        scores = np.stack([s["probabilities"] for s in seeds], axis=1) if "probabilities" in seeds[0] else None
        found[variant] = (np.stack([s["prediction"] for s in seeds], axis=1), scores)
    return Models(first["row"], first["label"], found)


class Compared:
    """Variants on the same rows and seeds.

    Args:
        layout: groups of the rows.
        labels: int (n,).
        models: variant -> (predictions (n, K), probabilities (n, K, classes) or None).
        smallest: rates that are shares of fewer rows are not ranked.
    """

    def __init__(self, layout: Layout, labels: Array, models: dict[str, Any], smallest: int) -> None:
        self.layout, self.labels, self.models, self.smallest = layout, labels, models, smallest
        self.seeds = next(iter(models.values()))[0].shape[1]
        self.marks = layout.marks(np.concatenate([predictions for predictions, _ in models.values()], axis=1), labels)
        self.columns = {v: slice(i * self.seeds, (i + 1) * self.seeds) for i, v in enumerate(models)}
        tallies = counted(layout.cells, self.marks, layout.number)
        self.counts = rates.counts(layout, tallies)
        self.enough = rates.ranked(layout, tallies, smallest)
        found = rates.measured(layout, tallies, self.enough)
        self.values = {key: values[..., 0, :] for key, values in found.items()}  # one replicate: the rows as they are

    def bootstrap(self, baselines: dict[str, str], replicates: int = REPLICATES) -> "Replicates":
        """Bootstrap over rows, and over seeds x rows; every variant sees the same draws."""
        rng = generator("bootstrap")
        kept = Replicates(self.columns, baselines, next((a for a in self.layout.attributes if a != "class"), None))
        for tallies in resampled(self.layout.cells, self.marks, self.layout.number, replicates=replicates, rng=rng):
            size = tallies.rows.shape[1]
            weights = rng.multinomial(self.seeds, [1 / self.seeds] * self.seeds, size=size) / self.seeds
            kept.add(rates.measured(self.layout, tallies, self.enough), weights.astype(np.float32))
        return kept

    def compare(self, variant: str, baseline: str, replicates: "Replicates") -> list[Row]:
        """Rows of a comparison (columns of `comparison.SCHEMA`)."""
        here, there = self.columns[variant], self.columns[baseline]
        rows: list[Row] = []
        for (metric, attribute), values in self.values.items():
            row_variance, low, high = replicates.spread(variant, (metric, attribute))
            change, reference = values[..., here] - values[..., there], values[..., there]
            if attribute is None:
                rows += self._rates(metric, change, reference, (row_variance, low, high))
            elif attribute != "class" or metric in OF_CLASSES:
                n = int(self.counts["accuracy"][1][self.layout.attributes[attribute]].sum())
                about = {
                    "metric": metric,
                    "attribute": attribute,
                    "n": n,
                    "unseen": 1 if metric == "worst_group_accuracy" else 2,
                }
                about |= {"bootstrap_low": float(low), "bootstrap_high": float(high)}
                rows.append(
                    comparison.change(change, reference, float(row_variance), self._fewest(metric, attribute), **about)
                )
        accuracy = self.values["accuracy", None]
        gap = "accuracy_difference"
        gaps = {a: v[here] - v[there] for (m, a), v in self.values.items() if m == gap and a is not None}
        rows += comparison.harm(accuracy[:, here] - accuracy[:, there], self.layout, self.enough["accuracy"], gaps)
        rows += comparison.normalised_recall(accuracy[:, here], accuracy[:, there], self.layout)
        (one, scores), (two, other) = self.models[variant], self.models[baseline]
        pair = Pair(self.labels, one, two, scores, other)
        rows += comparison.disagreement(pair, self.layout, self.smallest)
        return rows + comparison.row_values(pair, self.layout, self.smallest)

    def _fewest(self, metric: str, attribute: str) -> int:
        """Rows of the smallest ranked group: the sample need not show which group is the worst, so any of them may be."""
        groups = self.layout.attributes[attribute]
        of = rates.GAPS.get(metric.removesuffix("_mean"), ("accuracy",))
        return int(min(self.counts[rate][1][groups[self.enough[rate][groups]], 0].min() for rate in of))

    def _rates(self, metric: str, change: Array, reference: Array, spread: tuple[Array, Array, Array]) -> list[Row]:
        """Rows of one rate: all rows, then each group; and how each differs from all rows."""
        variances, lows, highs = spread
        below = self.counts[metric][1][:, 0]
        rows: list[Row] = []
        for position, (attribute, group) in enumerate(self.layout.names):
            if attribute == "class" and metric not in OF_CLASSES:
                continue  # within one class of the label they say the same again, or nothing
            about = {"metric": metric, "attribute": attribute, "group": group, "smallest": self.smallest}
            about |= {"n": int(self.counts["accuracy"][1][position, 0, 0])}
            # a rate may be a share of the predicted positives, which differ between models: the fewest count
            row = comparison.change(
                change[position], reference[position], float(variances[position]), int(below[position].min()), **about
            )
            if row["status"] != "undefined":
                row["bootstrap_low"], row["bootstrap_high"] = float(lows[position]), float(highs[position])
                row["normalised"] = row["value"] - rows[0]["value"] if rows else 0.0
            rows.append(row)
        return rows


class Replicates:
    """Replicates of the changes of every variant.

    Args:
        columns: variant -> its models among all.
        baselines: variant -> the variant that it is compared with.
        attribute: the attribute whose worst group is kept for the Pareto front; None keeps none.
    """

    def __init__(self, columns: dict[str, slice], baselines: dict[str, str], attribute: str | None) -> None:
        self.columns, self.attribute = columns, attribute
        self.baselines = {v: b for v, b in baselines.items() if v != b}
        self._changes: dict[tuple[str, Any], list[Array]] = {}
        self._front: dict[str, list[Array]] = {variant: [] for variant in columns}

    def add(self, measured: dict[tuple[str, str | None], Array], weights: Array) -> None:
        """Add a block: measures (..., B, M) and the weights of the seeds (B, K)."""
        for variant, baseline in self.baselines.items():
            here, there = self.columns[variant], self.columns[baseline]
            for key, values in measured.items():
                changes = values[..., here] - values[..., there]
                both = np.stack([(changes * weights).sum(axis=-1), changes.mean(axis=-1)])
                self._changes.setdefault((variant, key), []).append(both)
        worst = measured.get(("worst_group_accuracy", self.attribute))
        for variant, columns in self.columns.items():
            shown = [measured["accuracy", None][0], *([] if worst is None else [worst])]
            self._front[variant].append(np.stack([(values[:, columns] * weights).sum(axis=1) for values in shown]))

    def spread(self, variant: str, key: tuple[str, str | None]) -> tuple[Array, Array, Array]:
        """Variance over rows alone, and the 2.5 and 97.5 % quantiles of seeds x rows, of a change (...)."""
        crossed_, rows = np.concatenate(self._changes[variant, key], axis=-1)
        # a rate that no replicate of a tiny group has stays NaN; one that some lack is that of the others
        quantile = np.nanquantile if np.isnan(crossed_).any() else np.quantile
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            low, high = quantile(crossed_, [0.025, 0.975], axis=-1)
            return np.nanvar(rows, axis=-1, ddof=1, dtype=np.float64), low, high

    def front(self) -> list[Row]:
        """Rows of KEPT: the measures of each variant, replicate by replicate."""
        rows: list[Row] = []
        for variant, blocks in self._front.items():
            values = np.concatenate(blocks, axis=1).tolist()
            worst = values[1] if len(values) > 1 else [None] * len(values[0])
            for number, (accuracy, lowest) in enumerate(zip(values[0], worst, strict=True)):
                rows.append(
                    {"variant": variant, "replicate": number, "accuracy": accuracy, "worst_group_accuracy": lowest}
                )
        return rows
