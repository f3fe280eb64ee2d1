"""Guards in words: why a baseline or a variant is never recommended, and which classes are never predicted."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from fairweight.core.formatting import missing
from fairweight.core.frames import where
from fairweight.core.lineage import CELL, FAMILY, variant_name
from fairweight.evaluation.guards import CLASSES, DIVERGED, MAJORITY, ONE_CLASS, SAME, SIMPLE, TOO_WEAK
from fairweight.reporting.goals import baseline_of
from fairweight.reporting.quality import in_unit
from fairweight.reporting.report.results import Results

CHIPS = {
    ONE_CLASS: "baseline predicts one class",
    DIVERGED: "training of the baseline diverged",
    MAJORITY: "baseline learned nothing",
    SIMPLE: "baseline worse than a simple model",
}

BRIEF: dict[str, str] = {
    ONE_CLASS: "one class is predicted",
    DIVERGED: "training diverged",
    MAJORITY: "not shown to be better than the largest class",
    SIMPLE: "worse than a simple model",
    SAME: "nothing is compressed",
    CLASSES: "some classes are never predicted",
}


# the same of models that predict numbers
OF_NUMBERS: dict[str, str] = {
    ONE_CLASS: "one number is predicted",
    MAJORITY: "not shown to be better than one number for all rows",
}


def brief(results: Results, dataset: str, guard: str) -> str:
    """A guard in a few words."""
    return (OF_NUMBERS if "numbers" in results.card(dataset) else {}).get(guard, BRIEF[guard])


def no_reference(row: Mapping[str, Any]) -> str | None:
    """What `warning` returns, without the reason, for a place where the guards of the baseline follow."""
    if missing(row.get("warning")):
        return None
    return f"nothing is recommended: {baseline_of(row)}, the baseline, {TOO_WEAK}"


def warning(row: Mapping[str, Any]) -> str | None:
    """Why a row of the table `goals` recommends nothing, without a full stop; None where it recommends its winner."""
    brief = no_reference(row)
    return f"{brief}: {row['warning']}" if brief else None


def chip(results: Results, goal: Mapping[str, Any]) -> str:
    """What is wrong with the baseline of a row of the table `goals`, in a few words."""
    cell = {key: goal[key] for key in FAMILY} | {"variant": goal["baseline"], "engine": goal["engine"]}
    rows = where(results.guards, cell | {"augmentation": goal["baseline_augmentation"]})
    text = next((CHIPS[name] for name in rows["guard"] if name in CHIPS), "baseline too weak to compare with")
    return text.replace("one class", "one number") if "numbers" in results.card(goal["dataset"]) else text


def of_family(results: Results, first: Mapping[str, Any]) -> list[str]:
    """Guards of the variants of a family and of their baselines, those that block first: "dense, int8: reason".

    Args:
        results: the study.
        first: values of FAMILY, and of `engine` where only one is of interest.
    """
    return _sentences(_rows(results, first))


class Split(NamedTuple):
    """Guards of a family: sentences that come first, those on the other variants, and these in short."""

    first: list[str]
    others: list[str]
    brief: str


def split(results: Results, family: Mapping[str, Any], ships: tuple[str, str] | None) -> Split:
    """Guards of the baselines and of what ships, and those of the other variants.

    Args:
        results: the study.
        family: values of FAMILY.
        ships: augmentation and variant of what ships.
    """
    compared = where(results.comparisons, {key: family[key] for key in FAMILY})
    nodes = {ships, *zip(compared["baseline_augmentation"], compared["baseline"], strict=True)}
    rows = _rows(results, family)
    pairs = zip(rows["augmentation"], rows["variant"], strict=True)
    leads = pd.Series([pair in nodes for pair in pairs], index=rows.index, dtype=bool)
    first, others = rows[leads], rows[~leads]
    in_short = "; ".join(
        f"{joined(list(dict.fromkeys(part['name'])))}: {brief(results, family['dataset'], str(guard))}"
        for guard, part in others.groupby("guard", sort=False)
    )
    return Split(_sentences(first), _sentences(others), in_short)


def joined(names: list[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _rows(results: Results, first: Mapping[str, Any]) -> pd.DataFrame:
    """Guards of a family and its baselines, those that block first, with the name of each variant."""
    place = {key: first[key] for key in FAMILY} | ({"engine": first["engine"]} if "engine" in first else {})
    own = where(results.guards, place)
    compared = where(results.comparisons, place)
    elsewhere = compared[compared["baseline_augmentation"] != place["augmentation"]]
    others = [
        where(results.guards, place | {"augmentation": augmentation, "variant": variant})
        for augmentation, variant in set(zip(elsewhere["baseline_augmentation"], elsewhere["baseline"], strict=True))
    ]
    rows = pd.concat([*others, own]).drop_duplicates([*CELL, "guard"])
    rows = rows.assign(later=~rows["blocks"].astype(bool)).sort_values("later", kind="stable")
    names = [
        variant_name(row["variant"], row["augmentation"], place["augmentation"]) for row in rows.to_dict("records")
    ]
    return rows.assign(name=pd.Series(names, index=rows.index, dtype=object))


def _sentences(rows: pd.DataFrame) -> list[str]:
    """One sentence for each reason, with its variants."""
    variants: dict[str, dict[str, None]] = {}  # reason -> variants in their order
    for row in rows.to_dict("records"):
        variants.setdefault(str(row["reason"]), {})[str(row["name"])] = None
    return [f"{', '.join(names)}: {reason}" for reason, names in variants.items()]


def simple_accuracies(results: Results, first: Mapping[str, Any]) -> str | None:
    """Accuracy of the baselines of a family beside what needs no model of the study; None without a known accuracy.

    Args:
        results: the study.
        first: values of FAMILY, and of `engine` where only one is of interest.

    Returns:
        A sentence without a full stop: "dense has an accuracy of 85.7 %, a logistic regression of the same inputs
        85.3 %, always predicting '<=50K' 76.4 %".
    """
    rows = where(results.simple_models, {"dataset": first["dataset"]})
    if rows.empty:
        return None
    simple = rows.iloc[0]
    if missing(simple["majority_share"]):
        return _simple_errors(results, first, simple)
    place = {key: first[key] for key in FAMILY} | ({"engine": first["engine"]} if "engine" in first else {})
    measured = where(results.variants, place | {"measure": "accuracy"})
    measured = measured[(measured["variant"] == measured["baseline"]) & measured["attribute"].isna()]
    models = dict(zip(measured["variant"], measured["mean"], strict=True))
    if not models:
        return None
    named = [f"{name} has an accuracy of {_percent(mean)}" for name, mean in models.items()]
    if not missing(simple["accuracy"]):
        named.append(f"a logistic regression of the same inputs {_percent(simple['accuracy'])}")
    named.append(f"always predicting {simple['majority_class']!r} {_percent(simple['majority_share'])}")
    return ", ".join(named)


def _simple_errors(results: Results, first: Mapping[str, Any], simple: pd.Series) -> str | None:
    """The same of labels that are numbers: mean absolute errors."""
    shown = in_unit(results, first["dataset"], "mean_absolute_error")
    measured = where(results.variants, {key: first[key] for key in FAMILY} | {"measure": shown.key})
    measured = measured[(measured["variant"] == measured["baseline"]) & measured["attribute"].isna()]
    named = [
        f"{name} has a mean absolute error of {shown.with_unit(mean)}"
        for name, mean in dict(zip(measured["variant"], measured["mean"], strict=True)).items()
    ]
    if not missing(simple["error"]):
        named.append(f"a ridge regression of the same inputs {shown.with_unit(simple['error'])}")
    if not missing(simple["naive_error"]):
        named.append(f"always predicting the median {shown.with_unit(simple['naive_error'])}")
    return ", ".join(named) or None


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
