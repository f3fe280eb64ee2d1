"""Compare the explanations of every variant with those of its baseline: does it decide for the same reasons?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.artifacts import INPUT, read_predictions, write_rows
from fairweight.evaluation.examined_files import CELL, ExaminedFile, Scope, cell_of, scopes
from fairweight.statistics.attribution_agreement import importance, rank_correlation, sign_agreement, top_overlap
from fairweight.statistics.intervals import student
from fairweight.statistics.significance import sign_flip

PLACE = dict.fromkeys((*CELL, "variant", "baseline", "engine"), "string")
SPREAD = dict.fromkeys(("value", "low", "high"), "double")
# change against the replicates of the baseline (reasons), or against the baseline (importances)
CHANGE = dict.fromkeys(("change", "change_low", "change_high", "p_value"), "double")
REASONS = {
    **PLACE,
    **dict.fromkeys(("measure", "attribute", "group"), "string"),
    **SPREAD,
    "floor": "double",
    **CHANGE,
    **dict.fromkeys(("rows", "seeds"), "int64"),
}
IMPORTANCES = {**PLACE, "input": "string", **SPREAD, **CHANGE, "seeds": "int64"}
AGREEMENTS = {"rank_correlation": rank_correlation, "top_overlap": top_overlap, "sign_agreement": sign_agreement}
OWN = ("reliability", "deletion", "random")  # measures of one model's explanations
MEDIANS = ("rank_correlation", "reliability")  # correlations of single rows, whose distribution is skewed
SMALLEST_GROUP = 20  # explained rows of a group; agreement of fewer rows is not given
Array = NDArray[Any]
Rows = dict[str, Any]


@dataclass(frozen=True)
class Explained:
    """Explanations of n rows by the model of one seed.

    Attributes:
        rows: ids of the rows (n,).
        values: Shapley values (n, d).
        own: measure of `OWN` -> value of each row (n,).
    """

    rows: Array
    values: Array
    own: dict[str, Array]


def compare_explanations(
    *,
    explanations: Sequence[str],
    about: Sequence[ExaminedFile],
    tables: Mapping[str, str],
    replicates: Sequence[str],
    reasons: str,
    importances: str,
) -> None:
    """Write how far every variant agrees with its baseline, and how important each input is to it.

    Args:
        explanations: Parquet files of the step `explain`, of one seed each.
        about: what each of them is of.
        tables: dataset -> Parquet file with its groups.
        replicates: variants that differ from their baseline by initialisation alone: the noise floor.
        reasons: Parquet file to write: agreement with the baseline by variant, measure and group.
        importances: Parquet file to write: share of each input in the attributions of a variant.
    """
    files = sorted(zip(about, explanations, strict=True), key=lambda pair: (*cell_of(pair[0]), pair[0]["seed"]))
    agreement: list[Rows] = []
    shares: list[Rows] = []
    for (dataset, *_), part in groupby(files, key=lambda pair: cell_of(pair[0])):
        models: dict[str, list[Explained]] = {}
        described: dict[str, Rows] = {}
        for entry, path in part:
            inputs, explained = read_explained(path)
            models.setdefault(entry["variant"], []).append(explained)
            described[entry["variant"]] = {name: entry[name] for name in PLACE}  # type: ignore[literal-required]
        parts = scopes(tables[dataset], next(iter(models.values()))[0].rows, SMALLEST_GROUP)
        agreement += _reasons(models, described, parts, replicates)
        for variant, place in described.items():
            shares += [place | row for row in _importances(models[variant], models[place["baseline"]], inputs)]
    write_rows(reasons, [{name: row.get(name) for name in REASONS} for row in agreement], REASONS)
    write_rows(importances, [{name: row.get(name) for name in IMPORTANCES} for row in shares], IMPORTANCES)


def read_explained(path: str) -> tuple[list[str], Explained]:
    """Read the explanations of one model, and the names of the inputs."""
    columns = read_predictions(path)[0]
    inputs = [name for name in columns if name.startswith(INPUT)]
    values = np.stack([columns[name] for name in inputs], axis=1)
    own = {name: columns[name] for name in OWN}
    return [name.removeprefix(INPUT) for name in inputs], Explained(columns["row"], values, own)


def _reasons(
    models: Mapping[str, list[Explained]],
    described: Mapping[str, Rows],
    parts: Sequence[Scope],
    replicates: Sequence[str],
) -> Iterator[Rows]:
    """Rows of `REASONS` of one cell: agreements of all variants, and measures of single ones."""
    per_seed = {
        variant: {
            name: np.array(
                [measure(base.values, own.values) for base, own in zip(models[base_name], ours, strict=False)]
            )
            for name, measure in AGREEMENTS.items()
        }
        for variant, ours in models.items()
        if (base_name := described[variant]["baseline"]) != variant
    }
    for variant, place in described.items():
        floors = [name for name in replicates if described.get(name, {}).get("baseline") == place["baseline"]]
        for scope in parts:
            for name, values in per_seed.get(variant, {}).items():
                ours = _over_rows(name, values, scope)
                others = [_over_rows(name, per_seed[floor][name], scope) for floor in floors if floor != variant]
                yield place | _row(name, scope, ours, np.mean(others, axis=0) if others else None)
            for name in OWN:
                own = np.array([model.own[name] for model in models[variant]])
                yield place | _row(name, scope, _over_rows(name, own, scope), None)


def _over_rows(name: str, values: Array, scope: Scope) -> Array:
    """One value for each seed (K,), of values of each seed and row (K, n)."""
    part = values[:, scope.rows]
    known = np.isfinite(part).any(axis=1)
    summary = np.full(len(part), np.nan)
    if known.any():
        summary[known] = (np.nanmedian if name in MEDIANS else np.nanmean)(part[known], axis=1)
    return summary


def _row(name: str, scope: Scope, values: Array, floor: Array | None) -> Rows:
    row: Rows = {"measure": name, "attribute": scope.attribute, "group": scope.group}
    row |= _spread(values) | {"rows": int(scope.rows.sum()), "seeds": len(values)}
    if floor is not None:
        seeds = min(len(values), len(floor))
        row |= {"floor": float(np.mean(floor))} | _change(values[:seeds] - floor[:seeds], "less")
    return row


def _importances(models: Sequence[Explained], baselines: Sequence[Explained], inputs: Sequence[str]) -> Iterator[Rows]:
    """Rows of `IMPORTANCES` of one variant."""
    shares = np.array([importance(model.values) for model in models])
    before = np.array([importance(model.values) for model in baselines])[: len(shares)]
    for position, name in enumerate(inputs):
        row = {"input": name, "seeds": len(shares)} | _spread(shares[:, position])
        changes = shares[:, position] - before[:, position]
        yield row | (_change(changes, "two-sided") if models is not baselines else {})


def _spread(values: Array) -> dict[str, float]:
    """Mean over seeds with its interval, of a correlation, a share or a probability."""
    value, low, high = student(values)
    return {"value": value, "low": max(low, -1.0), "high": min(high, 1.0)}


def _change(changes: Array, alternative: str) -> dict[str, float]:
    """Mean change, paired by seed, with its interval and the p-value of the sign-flip test."""
    value, low, high = student(changes)
    p_value = sign_flip(changes, alternative) if np.isfinite(changes).all() else float("nan")
    return {"change": value, "change_low": low, "change_high": high, "p_value": p_value}
