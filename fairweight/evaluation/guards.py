"""Guards: models that learned nothing or less than a simple one, that diverged, or that are no compression."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict

import numpy as np
import pandas as pd
from scipy import stats

from fairweight.core.frames import where
from fairweight.core.lineage import CELL
from fairweight.core.recipes import Criteria
from fairweight.evaluation import loss_guards
from fairweight.statistics.decision import REFUTED, UNDECIDED
from fairweight.statistics.significance import TIE, mcnemar, sign_flip, smallest_p

Array = np.ndarray[Any, Any]
Node = tuple[str, str]  # augmentation and variant
Guard = Literal["one_class", "majority", "simple_model", "diverged", "same", "classes"]
ONE_CLASS: Guard = "one_class"
MAJORITY: Guard = "majority"
SIMPLE: Guard = "simple_model"
DIVERGED: Guard = "diverged"
SAME: Guard = "same"
CLASSES: Guard = "classes"  # never blocks: some classes may be too rare to be predicted
BLOCKING = (ONE_CLASS, MAJORITY, SIMPLE, DIVERGED, SAME)
FEWEST_SEEDS = 3  # with two seeds, nothing says which of them diverged
FAR_BELOW = 0.05  # least loss of accuracy against the other seeds that counts as diverged
DEVIATIONS = 6.0  # the same in standard deviations of the other seeds
ERRORS = 4.0  # and in standard errors of the rows
SMALLER = 0.99  # share of the baseline's bytes from which a file with the same predictions is smaller
TOO_WEAK = "is too weak to compare with"  # a guarded baseline
MOST_NAMES = 5  # classes and seeds that a sentence names


class GuardRow(TypedDict):
    """A guard that holds for one variant or baseline."""

    guard: Guard
    blocks: bool  # whether it keeps the variant, and what is compared with it, from being proven
    reason: str


COLUMNS = [*CELL, *GuardRow.__annotations__]


def guard_table(
    models: pd.DataFrame, measures: pd.DataFrame, baselines: Mapping[Node, Node], criteria: Criteria
) -> pd.DataFrame:
    """Make the table of guards that hold, one row per variant or baseline and guard.

    Args:
        models: columns of `per_model.ModelRow` and of COMPARISON, of all comparisons of the study.
        measures: summary table, for the bytes of files.
        baselines: augmentation and variant -> those of its baseline.
        criteria: `criteria` of the study file: `error_rate`, `margins`, and `guards` that block.

    Returns:
        Columns COLUMNS; guards that block come first.
    """
    if models.empty:  # given scores, and language models, are compared with nothing
        return pd.DataFrame(columns=[*COLUMNS])
    rows: list[dict[str, Any]] = []
    blocking = criteria.get("guards", list(BLOCKING))
    if "loss" in models:  # of numbers, there is a row for every loss
        models = models[models["loss"].isna() | (models["loss"] == criteria.get("loss"))]
    models = models.assign(augmentation=models["model_augmentation"]).drop_duplicates([*CELL, "seed"])
    for key, own in models.groupby(CELL, sort=False):
        place = dict(zip(CELL, key, strict=True))
        node = (place["augmentation"], place["variant"])
        base = place | dict(zip(("augmentation", "variant"), baselines.get(node, node), strict=True))
        reasons_of = loss_guards.reasons if loss_guards.of_numbers(own) else _reasons
        reasons: dict[Any, str] = dict(reasons_of(own.sort_values("seed"), criteria))
        if (
            base != place
            and bool(own["same"].eq(True).all())
            and (kept := _equal_bytes(measures, place, base)) is not False
        ):
            file = ", and its file is not smaller" if kept else ""
            what = "predictions" if loss_guards.of_numbers(own) else "predictions and probabilities"
            equal = f"its {what} equal those of {base['variant']} to the bit{file}"
            reasons[SAME] = f"{equal}: nothing is compressed"
        rows += [{**place, "guard": g, "blocks": g in blocking, "reason": reason} for g, reason in reasons.items()]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("blocks", ascending=False, kind="stable")


def _reasons(models: pd.DataFrame, criteria: Criteria) -> Iterator[tuple[Guard, str]]:
    """Guards that hold for the models of one recipe, with the reason of each; a seed is named by one of them."""
    predicted = [json.loads(names) for names in models["predicted"]]
    constant = np.array([len(names) == 1 for names in predicted])
    rows, total = int(models["rows"].iloc[0]), len(models)
    seeds = models["seed"].to_numpy()
    if constant.any():
        names = sorted({names[0] for names in predicted if len(names) == 1})
        yield (
            ONE_CLASS,
            f"{_in(seeds[constant], total)}one class ({_listed(names)}) is predicted for all {rows:,} test rows",
        )
    diverged = _diverged(models) & ~constant
    if diverged.any():
        yield DIVERGED, _diverged_in_words(models, diverged)
    rest = models[~constant & ~diverged]
    if len(rest) and (reason := _majority(rest, total, criteria["error_rate"])):
        yield MAJORITY, reason
    if len(rest) and (reason := _simple(rest, criteria)):
        yield SIMPLE, reason
    ever = {name for names in predicted for name in names}
    never = [name for name in json.loads(models["frequent"].iloc[0]) if name not in ever]
    if never and not constant.all():
        yield (
            CLASSES,
            f"never predicted, in any seed: {_listed(never)}" if total > 1 else f"never predicted: {_listed(never)}",
        )


def _diverged(models: pd.DataFrame) -> Array:
    """Seeds whose accuracy is far below that of the others, or whose probabilities are not numbers: bool (K,)."""
    accuracy = (models["hits"] / models["rows"]).to_numpy()
    rows = int(models["rows"].iloc[0])
    far = ~models["finite"].to_numpy(bool)
    for position in range(len(accuracy)) if len(accuracy) >= FEWEST_SEEDS else ():
        others = np.delete(accuracy, position)
        middle = float(np.median(others))
        spread = DEVIATIONS * float(stats.median_abs_deviation(others, scale="normal"))
        by_rows = ERRORS * float(np.sqrt(2 * middle * (1 - middle) / rows))
        far[position] |= accuracy[position] < middle - max(FAR_BELOW, spread, by_rows)
    return far


def _diverged_in_words(models: pd.DataFrame, diverged: Array) -> str:
    accuracy = (models["hits"] / models["rows"]).to_numpy()
    where_ = _in(models["seed"].to_numpy()[diverged], len(models))
    if not models["finite"].to_numpy(bool)[diverged].all():
        return f"{where_}training diverged: probabilities are not finite numbers"
    others = accuracy[~diverged]
    than = f", the median of the other seeds {_percent(float(np.median(others)))}" if len(others) else ""
    return f"{where_}training diverged: the accuracy is {_percent(float(accuracy[diverged].max()))}{than}"


def _majority(models: pd.DataFrame, total: int, error_rate: float) -> str | None:
    """Why models are not shown to be better than always predicting the largest class; None where they are.

    The accuracy is tested with the exact binomial test, that of several seeds by its mean: they predict the same rows.
    No seed may be at or below the share of the largest class.
    """
    rows, largest = int(models["rows"].iloc[0]), int(models["largest"].iloc[0])
    always = f"{_percent(largest / rows)} of always predicting {models['largest_class'].iloc[0]!r}"
    below = models[models["hits"] <= largest]
    if 0 < len(below) < len(models):
        reached = _percent(float(below["hits"].max()) / rows)
        return f"{_in(below['seed'].to_numpy(), total)}the accuracy is {reached}, not above the {always}"
    hits = float(models["hits"].mean())
    p_value = float(stats.binom.sf(np.floor(hits) - 1, rows, largest / rows)) if largest < rows else 1.0
    if p_value <= error_rate and not len(below):
        return None
    mean = f", the mean of {len(models)} seeds," if len(models) > 1 else ""
    return (
        f"the accuracy of {_percent(hits / rows)}{mean} is not shown to exceed the {always} "
        f"(p = {p_value:.2g}, exact binomial test of {rows:,} test rows)"
    )


def _simple(models: pd.DataFrame, criteria: Criteria) -> str | None:
    """Why models are worse than the simple model of the dataset; None where they are not, or where there is none.

    The mean accuracy must be lower by more than the loss that the study accepts, and clearly so: by the exact McNemar
    test of the mean counts of rows, and, where the seeds suffice for it, by the sign-flip test over seeds. Models with
    a higher mean recall of the classes have given up accuracy for rare classes, as weights or thresholds make them.
    """
    if models["simple_lost"].isna().any():
        return None
    gained, lost = (models[name].to_numpy(float) for name in ("simple_gained", "simple_lost"))
    rows, hits = int(models["rows"].iloc[0]), float(models["hits"].mean())
    behind = float((lost - gained).mean()) / rows
    if models["simple_recall"].mean() > TIE or behind <= (criteria.get("margins", {}).get("accuracy") or 0.0):
        return None
    p_values = {f"exact McNemar test of {rows:,} test rows": mcnemar(float(gained.mean()), float(lost.mean()))}
    if smallest_p(len(models), sides=1) <= criteria["error_rate"]:
        p_values[f"sign-flip test of {len(models)} seeds"] = sign_flip(gained - lost, "less")
    if (p_value := max(p_values.values())) > criteria["error_rate"]:
        return None
    mean = f", the mean of {len(models)} seeds," if len(models) > 1 else ""
    return (
        f"the accuracy of {_percent(hits / rows)}{mean} is below the {_percent(hits / rows + behind)} of a logistic "
        f"regression of the same inputs (p = {p_value:.2g}, {' and '.join(p_values)})"
    )


def _equal_bytes(measures: pd.DataFrame, place: Mapping[str, Any], base: Mapping[str, Any]) -> bool | None:
    """Whether a file has no fewer bytes than its baseline's, stored and to transfer; None where there is no file."""
    ratios = []
    for name in ("size_bytes", "transfer_bytes"):
        own, other = (where(measures, {**cell, "measure": name})["value"].mean() for cell in (place, base))
        if not np.isfinite([own, other]).all():
            return None
        ratios.append(own / other)
    return all(ratio > SMALLER for ratio in ratios)


def applied(decided: pd.DataFrame, guards: pd.DataFrame, baselines: Mapping[Node, Node]) -> pd.DataFrame:
    """Decisions in which no guarded variant, and none that is compared with a guarded baseline, is proven.

    Against a guarded baseline nothing is decided. A guarded variant may still be refuted. The guard comes first in the
    reason.
    """
    blocked = reasons_by_cell(guards)
    rows = decided.to_dict("records")
    for row in rows if blocked else ():
        node = (row["augmentation"], row["variant"])
        base = baselines.get(node, node)
        own = blocked.get(tuple(row[name] for name in CELL))
        cell = row | dict(zip(("augmentation", "variant"), base, strict=True))
        of_base = blocked.get(tuple(cell[name] for name in CELL)) if base != node else None
        if of_base is None and own is None:
            continue
        if of_base is not None or row["verdict"] != REFUTED:
            row["verdict"] = UNDECIDED
        about_base = f"the baseline {base[1]} {TOO_WEAK}: {of_base}" if of_base is not None else None
        parts = (about_base, own if own != of_base else None, row["reason"])
        row["reason"] = "; ".join(part for part in parts if isinstance(part, str))
    return pd.DataFrame(rows, columns=decided.columns).astype(decided.dtypes) if blocked else decided


def reasons_by_cell(guards: pd.DataFrame) -> dict[tuple[Any, ...], str]:
    """Reasons of the guards that block, by the values of CELL."""
    rows = guards[guards["blocks"].astype(bool)]
    return {key: "; ".join(part["reason"]) for key, part in rows.groupby(CELL, sort=False)}  # type: ignore[misc]


def _in(seeds: Array, total: int) -> str:
    """Start of a sentence: "in seed 3 (1 of 8 seeds), "; nothing for the only model."""
    if total == 1:
        return ""
    if len(seeds) == total:
        return f"in all {total} seeds, "
    return f"in seed{'' if len(seeds) == 1 else 's'} {_listed(list(map(str, seeds)))} ({len(seeds)} of {total}), "


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"
