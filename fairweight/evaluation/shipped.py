"""The file that ships of each variant: that of the seed which validation rows choose, with its own figures."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fairweight.core.frames import where
from fairweight.core.labels import ABSOLUTE
from fairweight.core.lineage import CELL
from fairweight.core.recipes import Criteria
from fairweight.evaluation import evidence as tests
from fairweight.evaluation.criteria import name_of
from fairweight.statistics.decision import PROVEN, REFUTED, UNDECIDED

# metric on validation rows by which the seed is chosen, and the one of numbers, of which the lowest is chosen
CHOICE, CHOICE_OF_NUMBERS = "accuracy", "mean_absolute_error"
COLUMNS = (
    *CELL,
    "seed",
    "validation",
    "test",
    "change",
    "low",
    "high",
    "mean_test",
    "mean_change",
    "verdict",
    "p_value",
    "reason",
)


def shipped_table(
    decisions: pd.DataFrame,
    compared: pd.DataFrame,
    pairs: pd.DataFrame,
    assessments: pd.DataFrame,
    criteria: Criteria,
    attributes: Mapping[str, list[str]],
) -> pd.DataFrame:
    """Choose the seed whose file ships of every variant, and test that file alone.

    The seed has the highest accuracy on validation rows; the first one of equals, and the first where there are none.
    The test of a file treats test rows as the only source of randomness, without a correction for other files:
    validation rows chose it.

    Args:
        decisions: one row per variant, with the verdict on its recipe.
        compared: comparisons of the whole study.
        pairs: rows on which each variant differs from its baseline (`compare.PairRow`).
        assessments: the summary table.
        criteria: `criteria` of the study file; ceilings are not tested again.
        attributes: dataset -> attributes that the criteria look at.

    Returns:
        One row per variant, columns COLUMNS: accuracy of the chosen file on validation and test rows, its change
        against the baseline's file of the same seed with interval, the same as means over seeds, and the verdict on
        this file with the smallest error rate at which it is proven. Variants that are not proven have no verdict.
    """
    accuracy = dict(iter(choices(assessments).groupby(CELL, sort=False)))
    rows = []
    for row in decisions.to_dict("records"):
        cell = {name: row[name] for name in CELL}
        own = accuracy.get(tuple(cell.values()))
        if own is None:
            continue
        entry = {**cell, **chosen(own)}
        of_variant = where(compared, cell)
        if len(of_variant):
            compared_rows, paired = of_variant.to_dict("records"), where(pairs, cell).to_dict("records")
            of_file = tests.changes(compared_rows, paired, seed=int(entry["seed"]))
            entry |= _changes(of_file, tests.changes(compared_rows, paired))
            if row["verdict"] == PROVEN:
                entry |= _verdict(of_file, criteria, attributes[cell["dataset"]])
        rows.append(entry)
    return pd.DataFrame(rows, columns=[*COLUMNS])


def choices(assessments: pd.DataFrame) -> pd.DataFrame:
    """Rows by which the seed of a variant is chosen: its accuracy on all validation rows, and on all test rows."""
    rows = assessments[assessments["metric"].isin((CHOICE, CHOICE_OF_NUMBERS)) & assessments["attribute"].isna()]
    return rows[rows["class"].isna()] if "class" in rows else rows


def chosen(accuracy: pd.DataFrame) -> dict[str, Any]:
    """Seed with the highest accuracy on validation rows, and its figures.

    Args:
        accuracy: rows of `choices` of one cell.
    """
    by_part = {part: rows.set_index("seed")["value"].sort_index() for part, rows in accuracy.groupby("part")}
    test, validation = by_part["test"], by_part.get("validation")
    known = validation is not None and validation.notna().any()
    best = "idxmin" if accuracy["metric"].iloc[0] == CHOICE_OF_NUMBERS else "idxmax"
    seed = int(getattr(validation, best)()) if known and validation is not None else int(test.index[0])
    figures = {"seed": seed, "test": float(test[seed]), "mean_test": float(test.mean())}
    return figures | ({"validation": float(validation[seed])} if known and validation is not None else {})


def _changes(of_file: tests.Changes, of_recipe: tests.Changes) -> dict[str, Any]:
    """Change of the accuracy of one file with its interval, and of the mean over seeds."""
    name = next((name for name in ((CHOICE, None, None), (ABSOLUTE, None, None)) if name in of_file), None)
    if name is None:
        return {}
    low, high = of_file[name].change.interval()
    means = {
        key: float(entry[name].change.per_seed.mean())
        for key, entry in (("change", of_file), ("mean_change", of_recipe))
    }
    return means | {"low": low, "high": high}


def _verdict(changes: tests.Changes, criteria: Criteria, attributes: list[str]) -> dict[str, Any]:
    """Verdict on one file by the margins of the study."""
    tested = tests.assess(changes, {}, criteria, attributes)
    evidence, error_rate = tested.evidence, criteria["error_rate"]
    if evidence.proven <= error_rate:
        return {"verdict": PROVEN, "p_value": evidence.proven, "reason": None}
    if not tested.criteria:
        return {}  # the study states ceilings alone, which are about the recipe
    weakest = max(tested.criteria, key=lambda row: row["p_proven"])
    refuted = evidence.refuted <= error_rate
    reason = weakest["reason"] or f"{name_of(weakest)} is not shown: p = {weakest['p_proven']:.2g}"
    return {"verdict": REFUTED if refuted else UNDECIDED, "p_value": evidence.proven, "reason": reason}
