"""Compare models of numbers with their baselines over all seeds: losses of rows, by group, in the unit of the label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from fairweight.core.artifacts import read_labels, read_predictions, write_rows
from fairweight.core.intersections import crossed
from fairweight.core.labels import ABSOLUTE, BIAS, SQUARED
from fairweight.core.random_streams import generator
from fairweight.statistics import comparison
from fairweight.statistics.comparison import ComparisonRow
from fairweight.statistics.loss_changes import Moments

Array = np.ndarray[Any, Any]
Node = tuple[str, str]  # augmentation and variant
LOSSES = {
    ABSOLUTE: lambda predicted, label: np.abs(predicted - label),
    SQUARED: lambda predicted, label: (predicted - label) ** 2,
    BIAS: lambda predicted, label: predicted - label,
}
REPLICATES, MOST_DRAWS = 2_000, 2e7  # of the bootstrap; rows x replicates
# columns of the files `pairs` and `models` of labels that are numbers, and of `replicates`
PAIRS = {
    "variant": "string",
    "baseline": "string",
    "seed": "int64",  # null for the means over seeds
    "metric": "string",
    "attribute": "string",
    "group": "string",
    "rows": "int64",
    "before": "double",
    "after": "double",
    "var_before": "double",
    "var_after": "double",
    "covariance": "double",
    "third_0": "double",
    "third_1": "double",
    "third_2": "double",
    "third_3": "double",
    "square": "double",
}
MODELS = {
    "model_augmentation": "string",
    "variant": "string",
    "seed": "int64",
    "loss": "string",
    "rows": "int64",
    "mean_loss": "double",
    "naive_loss": "double",
    "naive_gain": "double",
    "naive_error": "double",
    "simple_loss": "double",
    "simple_gain": "double",
    "simple_error": "double",
    "constant": "bool",
    "finite": "bool",
    "same": "bool",
}
KEPT = {"variant": "string", "replicate": "int64", "loss": "double", "largest_group_loss": "double"}


class Simple(TypedDict):
    """What can be predicted without a model of the study."""

    predictions: Array | None  # of the simple model for the same rows (n,); None where there is none
    naive: Mapping[str, float]  # loss -> the number that the training labels suggest for every row


@dataclass(frozen=True)
class Numbers:
    """Predictions of all variants and seeds on the same test rows.

    Attributes:
        labels: numbers (n,).
        models: augmentation and variant -> predictions (n, K).
        groups: attribute -> code of each row's group (n,), -1 is none.
        levels: attribute -> names of its groups.
    """

    labels: Array
    models: Mapping[Node, Array]
    groups: Mapping[str, Array]
    levels: Mapping[str, Sequence[str]]

    def losses(self, loss: str, node: Node) -> Array:
        """Loss of each row and seed (n, K)."""
        values: Array = LOSSES[loss](self.models[node], self.labels[:, None])
        return values

    def subsets(self) -> Iterator[tuple[str | None, str | None, Array]]:
        """(attribute, group, mask) of all rows, and of each group that a row belongs to."""
        yield None, None, np.ones(len(self.labels), bool)
        for attribute, codes in self.groups.items():
            for code, level in enumerate(self.levels[attribute]):
                if (member := codes == code).any():
                    yield attribute, level, member


def compare_numbers(
    predictions: Sequence[str],
    about: Sequence[Mapping[str, Any]],
    table: str,
    augmentation: str,
    baselines: Mapping[str, tuple[str, str]],
    sizes: tuple[int, bool],
    written: Mapping[str, str],
    simple: str | None,
) -> None:
    """Write how each variant differs from its baseline on test rows, for labels that are numbers.

    Args:
        predictions, about, table, augmentation, baselines, simple: see `compare.compare`.
        sizes: fewest rows of a group, and whether every pair of attributes is also an attribute.
        written: name -> Parquet file to write: comparisons, pairs (columns PAIRS), replicates (KEPT), models (MODELS).
    """
    smallest, intersections = sizes
    numbers, row = _read(predictions, about, table, intersections)
    references = {(augmentation, name): (other, base) for name, (other, base) in baselines.items()}
    seeds = list(dict.fromkeys(file["seed"] for file in about))
    compared: list[Mapping[str, Any]] = []
    paired: list[Mapping[str, Any]] = []
    for variant, baseline in references.items():
        if variant != baseline:
            where = {"variant": variant[1], "baseline": baseline[1], "baseline_augmentation": baseline[0]}
            compared += [where | row for row in comparison_rows(numbers, variant, baseline, smallest)]
            paired += pair_rows(numbers, variant, baseline, seeds)
    schema = dict.fromkeys(("variant", "baseline", "baseline_augmentation"), "string") | comparison.SCHEMA
    write_rows(written["comparisons"], compared, schema)
    write_rows(written["pairs"], paired, PAIRS)
    write_rows(written["replicates"], list(replicate_rows(numbers, list(references), smallest)), KEPT)
    of_models = model_rows(numbers, references, seeds, _simple(simple, row))
    write_rows(written["models"], list(of_models), MODELS)


def _read(
    predictions: Sequence[str], about: Sequence[Mapping[str, Any]], table: str, intersections: bool
) -> tuple[Numbers, Array]:
    """Predictions of every variant and seed on test rows, and the ids of these rows.

    Raises:
        ValueError: the files are about different test rows.
    """
    first, _ = read_predictions(predictions[0], ("row", "label"), "test")
    models: dict[Node, list[Array]] = {}
    for path, file in zip(predictions, about, strict=True):
        columns, _ = read_predictions(path, ("row", "prediction"), "test")
        if not np.array_equal(columns["row"], first["row"]):
            raise ValueError(f"{path} is not about the same test rows as {predictions[0]}")
        models.setdefault((file["augmentation"], file["variant"]), []).append(columns["prediction"])
    rows = read_labels(table, first["row"])
    groups, levels = crossed(rows.groups, rows.group_levels) if intersections else (rows.groups, rows.group_levels)
    groups = {name: codes for name, codes in groups.items() if (codes >= 0).any()}
    by_node = {node: np.stack(seeds, axis=1) for node, seeds in models.items()}
    return Numbers(first["label"], by_node, groups, levels), first["row"]


def _simple(path: str | None, rows: Array) -> Simple:
    """What the simple model predicts for these rows, and what is predicted without inputs."""
    if path is None:
        return {"predictions": None, "naive": {}}
    columns, about = read_predictions(path, ("row", "prediction"))
    order = np.argsort(columns["row"])
    predicted = columns["prediction"][order[np.searchsorted(columns["row"], rows, sorter=order)]]
    return {"predictions": predicted if about["reason"] is None else None, "naive": about["naive"]}


def comparison_rows(numbers: Numbers, variant: Node, baseline: Node, smallest: int) -> Iterator[ComparisonRow]:
    """Change of each loss and of the mean error, of all rows and of each group.

    Args:
        numbers: predictions of all variants.
        variant, baseline: what is compared.
        smallest: values that rest on fewer rows are `insufficient`.
    """
    for loss in LOSSES:
        before, after = numbers.losses(loss, baseline), numbers.losses(loss, variant)
        for attribute, group, member in numbers.subsets():
            rows = int(member.sum())
            changes = after[member] - before[member]
            of_rows = float(np.var(changes.mean(axis=1), ddof=1) / rows) if rows > 1 else float("nan")
            row = comparison.change(
                changes.mean(axis=0),
                before[member].mean(axis=0),
                of_rows,
                rows,
                metric=loss,
                attribute=attribute,
                group=group,
                n=rows,
                smallest=smallest,
                unseen=0,
            )
            yield row


def pair_rows(numbers: Numbers, variant: Node, baseline: Node, seeds: list[int]) -> Iterator[dict[str, Any]]:
    """What the tests need of the paired losses, of each seed and of the means over seeds: columns PAIRS."""
    for loss in LOSSES:
        before, after = numbers.losses(loss, baseline), numbers.losses(loss, variant)
        for attribute, group, member in numbers.subsets():
            about: dict[str, Any] = {"variant": variant[1], "baseline": baseline[1], "metric": loss}
            about |= {"attribute": attribute, "group": group, "rows": int(member.sum())}
            pairs = [(seed, before[member, k], after[member, k]) for k, seed in enumerate(seeds)]
            for seed, first, second in [(None, before[member].mean(axis=1), after[member].mean(axis=1)), *pairs]:
                moments = Moments.of_rows(first, second)
                yield {
                    **about,
                    "seed": seed,
                    "before": float(first.mean()),
                    "after": float(second.mean()),
                    "var_before": float(moments.covariance[0, 0]),
                    "var_after": float(moments.covariance[1, 1]),
                    "covariance": float(moments.covariance[0, 1]),
                    **{f"third_{power}": float(value) for power, value in enumerate(moments.third)},
                    "square": moments.square,
                }


def replicate_rows(numbers: Numbers, nodes: Sequence[Node], smallest: int) -> Iterator[dict[str, Any]]:
    """Bootstrap of seeds and rows: mean absolute error, and that of the worst group of the first attribute."""
    rng, n = generator("bootstrap"), len(numbers.labels)
    replicates = int(max(200, min(REPLICATES, MOST_DRAWS // max(n, 1))))
    seeds = next(iter(numbers.models.values())).shape[1]
    losses = np.stack([numbers.losses(ABSOLUTE, node) for node in nodes], axis=1).astype(np.float32)
    attribute = next(iter(numbers.groups), None)
    members = [m for a, _, m in numbers.subsets() if a is not None and a == attribute and m.sum() >= smallest]
    for number in range(replicates):
        counts = np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float32)
        weights = rng.multinomial(seeds, [1 / seeds] * seeds) / seeds
        means = (np.tensordot(counts, losses, axes=1) / n @ weights).tolist()
        of_groups = [np.tensordot(counts[m], losses[m], axes=1) / max(counts[m].sum(), 1) for m in members]
        worst = (np.stack(of_groups).max(axis=0) @ weights).tolist() if members else [None] * len(nodes)
        for node, mean, largest in zip(nodes, means, worst, strict=True):
            yield {"variant": node[1], "replicate": number, "loss": mean, "largest_group_loss": largest}


def model_rows(
    numbers: Numbers, baselines: Mapping[Node, Node], seeds: list[int], simple: Simple
) -> Iterator[dict[str, Any]]:
    """What every model predicts, against one number for all rows and the simple model: columns MODELS.

    A gain is the mean of the loss without the model minus the loss with it, with the standard error of that mean.
    """
    for node, predicted in numbers.models.items():
        other = numbers.models[baselines[node]] if baselines.get(node, node) != node else None
        for loss in (ABSOLUTE, SQUARED):
            values = numbers.losses(loss, node)
            naive = LOSSES[loss](np.float64(simple["naive"].get(loss, np.nan)), numbers.labels)
            fitted = simple["predictions"]
            reached = None if fitted is None else LOSSES[loss](fitted, numbers.labels)
            for position, seed in enumerate(seeds):
                own = predicted[:, position]
                yield {
                    "model_augmentation": node[0],
                    "variant": node[1],
                    "seed": seed,
                    "loss": loss,
                    "rows": len(own),
                    "mean_loss": float(values[:, position].mean()),
                    **_gain("naive", naive, values[:, position]),
                    **_gain("simple", reached, values[:, position]),
                    "constant": bool(np.ptp(own) == 0),
                    "finite": bool(np.isfinite(own).all()),
                    "same": None if other is None else bool(np.array_equal(own, other[:, position])),
                }


def _gain(name: str, without: Array | None, own: Array) -> dict[str, float | None]:
    if without is None or len(own) < 2:
        return {f"{name}_loss": None, f"{name}_gain": None, f"{name}_error": None}
    gained = without - own
    error = float(np.std(gained, ddof=1) / np.sqrt(len(gained)))
    return {f"{name}_loss": float(without.mean()), f"{name}_gain": float(gained.mean()), f"{name}_error": error}
