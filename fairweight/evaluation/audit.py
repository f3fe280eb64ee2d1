"""Audit what the files of a study give away about their training rows, by attacks on models trained for that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairweight.core.artifacts import PARTS, read_predictions, write_rows
from fairweight.evaluation.examined_files import CELL, ExaminedFile, Scope, cell_of, scopes
from fairweight.statistics import membership
from fairweight.statistics.membership import Leakage

RATES = (0.001, 0.01)  # false positive rates at which true positive rates are measured
DELTA = 1e-5  # of the epsilon that an attack refutes
SCHEMA = {
    **dict.fromkeys((*CELL, "variant", "baseline", "engine", "attack", "measure", "attribute", "group"), "string"),
    **dict.fromkeys(("value", "low", "high", "change", "change_low", "change_high", "p_value"), "double"),
    **dict.fromkeys(("gap", "gap_low", "gap_high", "gap_p_value"), "double"),
    **dict.fromkeys(("members", "others", "models"), "int64"),
    "note": "string",
}
Array = NDArray[Any]


@dataclass(frozen=True)
class Pool:
    """Confidence of K models of one variant on n rows, and which of them are training rows: (K, n) each."""

    rows: Array
    confidences: Array
    members: Array


def audit(
    *, pools: Sequence[str], about: Sequence[ExaminedFile], tables: Mapping[str, str], recipe: Any, out: str
) -> None:
    """Attack every variant, and write how well its training rows are recognised.

    Args:
        pools: Parquet files of the step `predict_pool`, those of a variant next to each other and in the same order of
            models.
        about: what each of them is of.
        tables: dataset -> Parquet file with its groups.
        recipe: `privacy_audit` of the study file.
        out: Parquet file to write, one row per variant, attack, measure and group.
    """
    rows: list[dict[str, Any]] = []
    files = sorted(zip(about, pools, strict=True), key=lambda pair: cell_of(pair[0]))
    for (dataset, *_), members in groupby(files, key=lambda pair: cell_of(pair[0])):
        by_variant: dict[str, list[str]] = {}
        described: dict[str, ExaminedFile] = {}
        for entry, path in members:
            by_variant.setdefault(entry["variant"], []).append(path)
            described[entry["variant"]] = entry
        attacked = {variant: read_pool(paths) for variant, paths in by_variant.items()}
        parts = scopes(tables[dataset], next(iter(attacked.values())).rows)
        for variant, entry in described.items():
            against = None if entry["baseline"] == variant else attacked[entry["baseline"]]
            rows += [dict(entry) | row for row in audited(attacked[variant], against, parts, recipe["attack"])]
    write_rows(out, [{name: row.get(name) for name in SCHEMA} for row in rows], SCHEMA)


def read_pool(paths: Sequence[str]) -> Pool:
    """Read the pool predictions of all models of one variant.

    Args:
        paths: a file for each model.
    """
    columns = [read_predictions(path)[0] for path in paths]
    return Pool(
        columns[0]["row"],
        np.stack([membership.confidence(entry["true"], entry["other"]) for entry in columns]),
        np.stack([entry["part"] == PARTS.index("train") for entry in columns]),
    )


def audited(pool: Pool, baseline: Pool | None, parts: Sequence[Scope], attacks: Sequence[str]) -> Iterator[Any]:
    """Measures of one variant.

    Args:
        pool: its models.
        baseline: the models of its baseline, trained on the same rows; None for the baseline itself.
        parts: all rows first, then groups.
        attacks: `loss` and `lira`.
    """
    for attack in attacks:
        scores = _scores(attack, pool)
        others = None if baseline is None else _scores(attack, baseline)
        for scope in parts:
            yield from _measured(attack, pool.members, scores, others, scope)
    exposed = membership.exposed_rows(pool.confidences, pool.members)
    before = None if baseline is None else membership.exposed_rows(baseline.confidences, baseline.members)
    for scope in parts:
        share = float(exposed[scope.rows].mean()) if scope.rows.any() else float("nan")
        change = float("nan") if before is None or not scope.rows.any() else share - float(before[scope.rows].mean())
        yield _row("rows", "exposed_rows", scope, Leakage(share, np.nan, np.nan, change), pool.members, "")


def _scores(attack: str, pool: Pool) -> Array:
    return membership.likelihood_ratios(pool.confidences, pool.members) if attack == "lira" else pool.confidences


def _measured(attack: str, members: Array, scores: Array, others: Array | None, scope: Scope) -> Iterator[Any]:
    """The area below the ROC curve and true positive rates of one attack on the rows of one scope."""
    per_model = _per_model(members, scores, scope.rows)
    before = None if others is None else _per_model(members, others, scope.rows)
    rest = None if scope.group is None else _per_model(members, scores, ~scope.rows)
    inside, outside = _counts(members, scope)
    for number, measure in enumerate(("auc", *(f"tpr_at_{rate:g}" for rate in RATES))):
        is_rate = number > 0
        values = per_model[:, number]
        leakage = membership.over_models(
            values, None if before is None else before[:, number], inside if is_rate else None
        )
        note = _note(RATES[number - 1] * outside) if is_rate else ""
        gap = None if rest is None else membership.over_models(values, rest[:, number])
        yield _row(attack, measure, scope, leakage, members, note, gap)
    if scope.group is None and np.isfinite(hits := float(per_model[:, -1].mean())):
        bound = membership.epsilon_bound(hits, inside, RATES[-1], outside, DELTA)
        yield _row(attack, "epsilon_bound", scope, Leakage(bound, np.nan, np.nan), members, "")


def _per_model(members: Array, scores: Array, rows: Array) -> Array:
    """AUC and true positive rates of each attacked model on these rows: (K, 1 + rates)."""
    measured = []
    for member, score in zip(members, scores, strict=True):
        usable = rows & np.isfinite(score)
        kept, values = member[usable], score[usable]
        both = bool(kept.any()) and not kept.all()
        rates = [membership.true_positive_rate(kept, values, rate) if both else np.nan for rate in RATES]
        measured.append([membership.attack_auc(kept, values), *rates])
    return np.array(measured)


def _note(false_positives: float) -> str:
    """What a number of rows that are no members says about a true positive rate."""
    if false_positives < 1:
        return "too few rows for this false positive rate"
    return "imprecise: few rows for this false positive rate" if false_positives < membership.ENOUGH else ""


def _counts(members: Array, scope: Scope) -> tuple[int, int]:
    """Training rows and other rows of an attacked model, on average over models."""
    inside = members[:, scope.rows].sum(axis=1).mean()
    return int(inside), int(scope.rows.sum() - inside)


def _row(
    attack: str, measure: str, scope: Scope, leakage: Leakage, members: Array, note: str, gap: Leakage | None = None
) -> dict[str, Any]:
    inside, outside = _counts(members, scope)
    row: dict[str, Any] = {"attack": attack, "measure": measure, "note": note}
    row |= {"attribute": scope.attribute, "group": scope.group}
    row |= vars(leakage) | {"members": inside, "others": outside, "models": len(members)}
    if gap is not None:
        row |= {"gap": gap.change, "gap_low": gap.change_low, "gap_high": gap.change_high, "gap_p_value": gap.p_value}
    return row
