"""Compare all variants of one dataset, augmentation, model and engine with their baselines, over all seeds."""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from fairweight.core.artifacts import prediction_blocks, read_labels, read_predictions, read_table, write_rows
from fairweight.core.intersections import crossed
from fairweight.core.memory import check_memory
from fairweight.core.random_streams import generator
from fairweight.core.table import narrowed
from fairweight.evaluation.compare_losses import compare_numbers
from fairweight.evaluation.per_model import MODELS, FingerprintReader, Fingerprints, model_rows
from fairweight.statistics import comparison, rates
from fairweight.statistics.comparison import SCHEMA, ComparisonRow, LabelScores, Pair
from fairweight.statistics.crossed_uncertainty import counted, effective_seeds, resampled
from fairweight.statistics.paired_shares import Pairs
from fairweight.statistics.rates import Layout

Array = np.ndarray[Any, Any]
Scores = Callable[[], LabelScores]  # reads the scores of one variant
Predictions = tuple[Array, Scores | None]  # predictions (n, K), and how to read the scores, if there are any
Name = tuple[str, str | None]  # rate and None, or gap and attribute
REPLICATES = 10_000
OF_CLASSES = ("accuracy", "accuracy_difference", "worst_group_accuracy")  # what is compared between classes


class PredictionsOf(TypedDict):
    """What a file of predictions is about."""

    seed: int
    augmentation: str
    variant: str


class ReplicateRow(TypedDict):
    """Measures of one variant in one replicate, for the Pareto front."""

    variant: str
    replicate: int
    accuracy: float
    worst_group_accuracy: float | None


class PairRow(TypedDict):
    """Rows of one group on which a variant and its baseline differ, in one seed: an integer each."""

    variant: str
    baseline: str
    seed: int
    metric: str  # the share that the rows count for
    attribute: str | None
    group: str | None
    rows: int  # rows that the share is of
    gained: int  # rows that count with the variant only
    lost: int  # rows that count with the baseline only
    held: int  # rows that count with the baseline
    seeds_worth: float  # independent models that all seeds of the variant are worth


PAIRS = {
    "variant": "string",
    "baseline": "string",
    "seed": "int64",
    "metric": "string",
    "attribute": "string",
    "group": "string",
    "rows": "int64",
    "gained": "int64",
    "lost": "int64",
    "held": "int64",
    "seeds_worth": "double",
}
KEPT = {"variant": "string", "replicate": "int64", "accuracy": "double", "worst_group_accuracy": "double"}


def compare(
    *,
    predictions: list[str],
    about: list[PredictionsOf],
    table: str,
    augmentation: str,
    baselines: dict[str, tuple[str, str]],
    smallest_group: int,
    intersections: bool,
    comparisons: str,
    pairs: str,
    replicates: str,
    models: str,
    simple: str | None = None,
) -> None:
    """Write how each variant differs from its baseline on test rows, and bootstrap replicates of all variants.

    Args:
        predictions: Parquet files of the predictions of every variant and seed.
        about: seed, augmentation and variant of each of these files.
        table: Parquet file of the dataset, for groups.
        augmentation: of the variants that are compared; a baseline may have another one.
        baselines: variant -> augmentation and name of the variant that it is compared with.
        smallest_group: rates that are shares of fewer rows are reported as insufficient, and not ranked.
        intersections: whether every pair of attributes is also an attribute.
        comparisons: Parquet file to write, one tidy row per variant, metric and group.
        pairs: Parquet file to write, one row per variant, seed, rate and group: columns of `PairRow`.
        replicates: Parquet file to write: for each replicate of seeds and rows the accuracy of each variant and that of
            its worst group by the first attribute; all variants share the draws.
        models: Parquet file to write, one row per variant and seed: columns of `per_model.ModelRow`.
        simple: Parquet file of the predictions of the dataset's simple model for the same test rows, if there is one.
    """
    if read_table(table, inputs=False, block=0).measured:
        written = {"comparisons": comparisons, "pairs": pairs, "replicates": replicates, "models": models}
        sizes = (smallest_group, intersections)
        compare_numbers(predictions, about, table, augmentation, baselines, sizes, written, simple)
        return
    check_fits("compare", predictions, [file["variant"] for file in about])
    names = [_name(file["augmentation"], file["variant"], augmentation) for file in about]
    predicted = read_models(predictions, names)
    labels = predicted.labels
    rows = read_labels(table, predicted.rows)
    groups, levels = crossed(rows.groups, rows.group_levels) if intersections else (rows.groups, rows.group_levels)
    groups = {name: codes for name, codes in groups.items() if (codes >= 0).any()}
    # a class is a group as well: its accuracy is its recall
    layout = Layout.from_rows(labels, groups | {"class": labels}, levels | {"class": rows.classes}, len(rows.classes))
    study = Compared(layout, labels, predicted.by_variant, smallest_group)
    named = {variant: _name(*baseline, augmentation) for variant, baseline in baselines.items()}
    drawn = study.bootstrap(named, REPLICATES)
    seeds = list(dict.fromkeys(file["seed"] for file in about))
    compared, paired = [], []
    for variant, baseline in drawn.baselines.items():
        paired += study.pairs(variant, baseline, seeds)
        other, name = baselines[variant]
        for row in study.compare(variant, baseline, drawn):
            compared.append({"variant": variant, "baseline": name, "baseline_augmentation": other, **row})
    write_rows(
        comparisons, compared, dict.fromkeys(("variant", "baseline", "baseline_augmentation"), "string") | SCHEMA
    )
    write_rows(pairs, paired, PAIRS)
    write_rows(replicates, [row for row in drawn.front() if row["variant"] in baselines], KEPT)
    nodes = {name: (file["augmentation"], file["variant"]) for name, file in zip(names, about, strict=True)}
    by_node = {
        nodes[name]: (of_models, predicted.fingerprints[name]) for name, (of_models, _) in predicted.by_variant.items()
    }
    references = {(augmentation, variant): (other, name) for variant, (other, name) in baselines.items()}
    of_models = model_rows(by_node, references, labels, rows.classes, seeds, _simple(simple, predicted.rows))
    write_rows(models, list(of_models), MODELS)


def check_fits(step: str, paths: list[str], variants: list[str], bytes_of_a_row: int = 0) -> None:
    """End a step that compares the models of some variants, and whose test rows will not fit; see `check_memory`.

    Args:
        step: its name.
        paths: Parquet files of predictions.
        variants: variant of each file.
        bytes_of_a_row: that the step holds of each test row besides.
    """
    rows = sum(len(block["part"]) for block in prediction_blocks(paths[0], ("part",), "test"))
    models, seeds = len(paths), len(paths) / len(set(variants))
    # a prediction and a mark of every model; of a variant and its baseline a score and a margin, and means of seeds
    needed = rows * (2 * models + 16 * seeds + 32 + bytes_of_a_row)
    remedy = "use fewer test rows, variants or seeds, or a machine with more memory"
    check_memory(step, needed, f"{rows:,} test rows of {models} models", remedy)


def _simple(path: str | None, rows: Array) -> Array | None:
    """Predictions of the simple model for these rows (n,); None where there is no such model."""
    if path is None:
        return None
    columns, about = read_predictions(path, ("row", "prediction"))
    if about["reason"] is not None:
        return None
    order = np.argsort(columns["row"])
    predictions: Array = columns["prediction"][order[np.searchsorted(columns["row"], rows, sorter=order)]]
    return predictions


def _name(augmentation: str, variant: str, compared: str) -> str:
    """Name of a variant among those of one comparison; no variant's name has a slash."""
    return variant if augmentation == compared else f"{augmentation}/{variant}"


@dataclass(frozen=True)
class Models:
    """Predictions of all variants and seeds on the same test rows; probabilities stay in their files."""

    rows: Array  # (n,) row ids, which are positions in the table
    labels: Array  # int (n,)
    by_variant: dict[str, Predictions]
    fingerprints: dict[str, Fingerprints | None]  # of the probabilities

    def label_probabilities(self, variant: str) -> Array:
        """Probabilities of the labels by each seed of a variant that has probabilities (n, K)."""
        scores = self.by_variant[variant][1]
        assert scores is not None
        return scores().label


def read_models(paths: list[str], names: list[str]) -> Models:
    """Read the predictions of every variant and seed on test rows.

    Args:
        paths: Parquet files of predictions.
        names: variant of each of them; the seeds of every variant come in the same order.

    Raises:
        ValueError: the files of a variant are about different test rows.
    """
    first, _ = read_predictions(paths[0], ("row", "label"), "test")
    rows, labels = first["row"], narrowed(first["label"])
    files: dict[str, list[str]] = {}
    for path, name in zip(paths, names, strict=True):
        files.setdefault(name, []).append(path)
    by_variant: dict[str, Predictions] = {}
    fingerprints = {}
    for variant, of_variant in files.items():
        seeds = [_read_model(path, rows) for path in of_variant]
        if not all(seeds):
            raise ValueError(f"the seeds of {variant} do not predict the same test rows")
        predictions = np.stack([seed[0] for seed in seeds if seed], axis=1)
        fingerprints[variant] = Fingerprints.joined([seed[1] for seed in seeds if seed])
        scores = functools.partial(_label_scores, of_variant, labels) if fingerprints[variant] else None
        by_variant[variant] = (predictions, scores)
    return Models(rows, labels, by_variant, fingerprints)


def _read_model(path: str, rows: Array) -> tuple[Array, Fingerprints | None] | None:
    """Predictions of one model (n,), and the fingerprint of its probabilities; None for other rows than these."""
    predictions, start, reader = [], 0, FingerprintReader()
    for block in prediction_blocks(path, ("row", "prediction", "probabilities"), "test"):
        stop = start + len(block["row"])
        if not np.array_equal(rows[start:stop], block["row"]):
            return None
        predictions.append(narrowed(block["prediction"]))
        reader.add(block["prediction"], block.get("probabilities"))
        start = stop
    return (np.concatenate(predictions), reader.fingerprints) if start == len(rows) else None


def _label_scores(paths: list[str], labels: Array) -> LabelScores:
    """Scores of the labels of one variant, from the files of its seeds."""
    scores = LabelScores(np.empty(0), np.empty(0))
    for seed, path in enumerate(paths):
        start = 0
        for block in prediction_blocks(path, ("probabilities",), "test"):
            rows = slice(start, start + len(block["probabilities"]))
            of_block = LabelScores.from_probabilities(block["probabilities"], labels[rows])
            if not seed and not start:
                shape, kind = (len(labels), len(paths)), of_block.label.dtype
                scores = LabelScores(np.empty(shape, kind), np.empty(shape, kind))
            scores.label[rows, seed], scores.margin[rows, seed] = of_block
            start = rows.stop
    return scores


class Compared:
    """Variants on the same rows and seeds.

    Args:
        layout: groups of the rows.
        labels: int (n,).
        models: variant -> (predictions (n, K), how to read its scores or None).
        smallest: rates that are shares of fewer rows are not ranked.
    """

    def __init__(self, layout: Layout, labels: Array, models: dict[str, Predictions], smallest: int) -> None:
        self.layout, self.labels, self.models, self.smallest = layout, labels, models, smallest
        self.seeds = next(iter(models.values()))[0].shape[1]
        self.marks = np.concatenate([layout.marks(predictions, labels) for predictions, _ in models.values()], axis=1)
        self.columns = {v: slice(i * self.seeds, (i + 1) * self.seeds) for i, v in enumerate(models)}
        tallies = counted(layout.strata, self.marks, layout.number)
        self.fractions = rates.fractions(layout, tallies)
        self.enough = rates.ranked(layout, tallies, smallest)
        values = rates.rates_and_gaps(layout, tallies, self.enough)
        self.values = {name: of_rows[..., 0, :] for name, of_rows in values.items()}  # of the one replicate

    @functools.lru_cache(maxsize=1)  # noqa: B019 - most variants share the baseline
    def _baseline_scores(self, baseline: str) -> LabelScores | None:
        scores = self.models[baseline][1]
        return scores() if scores else None

    def bootstrap(self, baselines: dict[str, str], replicates: int = REPLICATES) -> "Replicates":
        """Bootstrap over rows, and over seeds x rows; every variant sees the same draws."""
        rng = generator("bootstrap")
        kept = Replicates(self.columns, baselines, next((a for a in self.layout.attributes if a != "class"), None))
        for tallies in resampled(self.layout.strata, self.marks, self.layout.number, replicates=replicates, rng=rng):
            size = tallies.rows.shape[1]
            weights = rng.multinomial(self.seeds, [1 / self.seeds] * self.seeds, size=size) / self.seeds
            kept.add(rates.rates_and_gaps(self.layout, tallies, self.enough), weights.astype(np.float32))
        return kept

    def compare(self, variant: str, baseline: str, replicates: "Replicates") -> list[ComparisonRow]:
        """Rows of the comparison of a variant with its baseline."""
        ours, theirs = self.columns[variant], self.columns[baseline]
        rows: list[ComparisonRow] = []
        for (metric, attribute), values in self.values.items():
            spread = replicates.spread(variant, (metric, attribute))
            change, reference = values[..., ours] - values[..., theirs], values[..., theirs]
            if attribute is None:
                rows += self._rates(metric, change, reference, spread)
            elif attribute != "class" or metric in OF_CLASSES:
                rows.append(self._gap(metric, attribute, change, reference, spread))
        accuracy = self.values["accuracy", None]
        gap = "accuracy_difference"
        gaps = {a: v[ours] - v[theirs] for (m, a), v in self.values.items() if m == gap and a is not None}
        gained = self._hits(variant).sum(axis=1) - self._hits(baseline).sum(axis=1)
        rows += comparison.harm(
            accuracy[:, ours] - accuracy[:, theirs], self.layout, self.enough["accuracy"], gaps, gained
        )
        rows += comparison.normalised_recall(accuracy[:, ours], accuracy[:, theirs], self.layout)
        (predictions, scores), (base_predictions, base_scores) = self.models[variant], self.models[baseline]
        both = (scores(), self._baseline_scores(baseline)) if scores and base_scores else (None, None)
        pair = Pair(self.labels, predictions, base_predictions, *both)
        rows += comparison.disagreement(pair, self.layout, self.smallest)
        rows += comparison.row_values(pair, self.layout, self.smallest)
        return rows if self.seeds > 1 else self._of_one_model(variant, baseline, rows)

    def _of_one_model(self, variant: str, baseline: str, rows: list[ComparisonRow]) -> list[ComparisonRow]:
        """Rows with the test and interval that one model has: its test rows are the only source of randomness."""
        pairs = {
            (entry["metric"], entry["attribute"], entry["group"]): Pairs(entry["rows"], entry["gained"], entry["lost"])
            for entry in self.pairs(variant, baseline, [0])
        }
        names = [(row["metric"] or "", row["attribute"], row["group"]) for row in rows]
        return [
            comparison.of_one_model(row, pairs[name]) if name in pairs and row["value"] is not None else row
            for row, name in zip(rows, names, strict=True)
        ]

    def pairs(self, variant: str, baseline: str, seeds: list[int]) -> list[PairRow]:
        """Rows on which a variant and its baseline differ, by seed, rate and group; only rates of the same rows."""
        ours, theirs = self.marks[:, self.columns[variant]], self.marks[:, self.columns[baseline]]
        counts = [
            counted(self.layout.strata, marks, self.layout.number) for marks in (ours & ~theirs, theirs & ~ours, theirs)
        ]
        worth = effective_seeds(self._hits(variant).astype(np.int8) - self._hits(baseline))
        rows: list[PairRow] = []
        for metric, differing in rates.paired_fractions(self.layout, *counts).items():
            totals = self.fractions[metric][1][:, 0, 0].astype(int).tolist()
            by_group = np.stack(differing, axis=-1).astype(int).tolist()
            for (attribute, group), total, by_seed in zip(self.layout.names, totals, by_group, strict=True):
                for seed, (gained, lost, held) in zip(seeds, by_seed, strict=True):
                    rows.append(
                        {
                            "variant": variant,
                            "baseline": baseline,
                            "seed": seed,
                            "metric": metric,
                            "attribute": attribute,
                            "group": group,
                            "rows": total,
                            "gained": gained,
                            "lost": lost,
                            "held": held,
                            "seeds_worth": worth,
                        }
                    )
        return rows

    def _hits(self, variant: str) -> Array:
        """Whether each row is predicted right, by seed (n, K)."""
        return self.models[variant][0] == self.labels[:, None]

    def _gap(
        self, metric: str, attribute: str, change: Array, reference: Array, spread: tuple[Array, Array, Array]
    ) -> ComparisonRow:
        """Row of a gap between the groups of an attribute, or of its worst group."""
        row_variance, low, high = spread
        return comparison.change(
            change,
            reference,
            float(row_variance),
            self._fewest(metric, attribute),
            metric=metric,
            attribute=attribute,
            n=int(self.fractions["accuracy"][1][self.layout.attributes[attribute]].sum()),
            unseen=1 if metric == "worst_group_accuracy" else 2,
            bootstrap=(float(low), float(high)),
        )

    def _fewest(self, metric: str, attribute: str) -> int:
        """Rows of the smallest ranked group.

        The sample need not show which group is the worst, so that any ranked group may be.
        """
        groups = self.layout.attributes[attribute]
        compared = rates.GAPS.get(metric, ("accuracy",))
        return int(min(self.fractions[rate][1][groups[self.enough[rate][groups]], 0].min() for rate in compared))

    def _rates(
        self, metric: str, change: Array, reference: Array, spread: tuple[Array, Array, Array]
    ) -> list[ComparisonRow]:
        """Rows of one rate: all rows, then each group; and how each differs from all rows."""
        variances, lows, highs = spread
        below = self.fractions[metric][1][:, 0]
        rows: list[ComparisonRow] = []
        for position, (attribute, group) in enumerate(self.layout.names):
            if attribute == "class" and metric not in OF_CLASSES:
                continue  # within one class of the label they repeat the recall, or are constant
            row = comparison.change(
                change[position],
                reference[position],
                float(variances[position]),
                # a rate may be a share of the predicted positives, which differ between models: the fewest count
                int(below[position].min()),
                metric=metric,
                attribute=attribute,
                group=group,
                n=int(self.fractions["accuracy"][1][position, 0, 0]),
                smallest=self.smallest,
                bootstrap=(float(lows[position]), float(highs[position])),
            )
            overall = (rows[0] if rows else row)["value"]
            if row["value"] is not None and overall is not None:
                row["normalised"] = row["value"] - overall
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
        self._changes: dict[tuple[str, Name], list[Array]] = {}
        self._front: dict[str, list[Array]] = {variant: [] for variant in columns}

    def add(self, values: dict[Name, Array], weights: Array) -> None:
        """Add a block of replicates.

        Args:
            values: rates and gaps (..., B, M).
            weights: weights of the seeds (B, K).
        """
        for variant, baseline in self.baselines.items():
            ours, theirs = self.columns[variant], self.columns[baseline]
            for name, of_models in values.items():
                changes = of_models[..., ours] - of_models[..., theirs]
                both = np.stack([(changes * weights).sum(axis=-1), changes.mean(axis=-1)])
                self._changes.setdefault((variant, name), []).append(both)
        worst = values.get(("worst_group_accuracy", self.attribute))
        for variant, columns in self.columns.items():
            shown = [values["accuracy", None][0], *([] if worst is None else [worst])]
            self._front[variant].append(
                np.stack([(of_models[:, columns] * weights).sum(axis=1) for of_models in shown])
            )

    def spread(self, variant: str, name: Name) -> tuple[Array, Array, Array]:
        """Variance over rows alone, and the 2.5 and 97.5 % quantiles of seeds x rows, of a change (...)."""
        over_both, over_rows = np.concatenate(self._changes[variant, name], axis=-1)
        # a rate that no replicate of a tiny group has stays NaN; if only some lack it, the others count
        quantile = np.nanquantile if np.isnan(over_both).any() else np.quantile
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            low, high = quantile(over_both, [0.025, 0.975], axis=-1)
            return np.nanvar(over_rows, axis=-1, ddof=1, dtype=np.float64), low, high

    def front(self) -> list[ReplicateRow]:
        """Measures of each variant, replicate by replicate."""
        rows: list[ReplicateRow] = []
        for variant, blocks in self._front.items():
            values = np.concatenate(blocks, axis=1).tolist()
            worst = values[1] if len(values) > 1 else [None] * len(values[0])
            for number, (accuracy, lowest) in enumerate(zip(values[0], worst, strict=True)):
                rows.append(
                    {"variant": variant, "replicate": number, "accuracy": accuracy, "worst_group_accuracy": lowest}
                )
        return rows
