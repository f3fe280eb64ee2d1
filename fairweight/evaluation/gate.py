"""CI gate: a step for continuous integration that fails unless a variant is proven to keep the criteria."""

from collections.abc import Iterator

import pandas as pd

from fairweight.core.artifacts import read_frame, write_json
from fairweight.core.errors import InputError
from fairweight.core.frames import where
from fairweight.evaluation.criteria import listed
from fairweight.statistics.decision import PROVEN

PASSED = ("dataset", "augmentation", "model", "engine", "variant", "p_value")


def check_criteria(*, decisions: str, criteria: str, untested: str, destination: str, variant: str | None) -> None:
    """Check one variant of every dataset and model against the criteria; write the verdict if it is proven everywhere.

    Args:
        decisions, criteria, untested: summary tables.
        destination: JSON file to write.
        variant: the variant; None checks that any variant is proven, and names the recommended one.

    Raises:
        InputError: the variant is refuted or undecided somewhere, or no variant is proven; the message names the
            criteria that fail, and the rates that are not tested.
    """
    table = read_frame(decisions)
    decided = table[table["verdict"].notna()]
    if decided.empty:
        raise InputError("gate: nothing was decided; add a variant with a baseline to the grid.")
    passed, failed = [], []
    for (dataset, model), family in decided.groupby(["dataset", "model"]):
        place = f"{dataset}, {model}"
        chosen = _proven(family) if variant is None else family[family["variant"] == variant]
        if chosen.empty and variant is None:
            failed.append(f"{place}: no variant is proven to keep the criteria ({_reasons(family)})")
        for _, row in chosen.iterrows():
            if row["verdict"] == PROVEN:
                passed.append({name: row[name] for name in PASSED} | {"recommended": bool(row["recommended"])})
            else:
                spot = f"{place}, augmentation {row['augmentation']}, {row['engine']}"
                failed.append(f"{spot}: {row['variant']} is {row['verdict']} ({row['reason']})")
    if not failed and not passed:
        raise InputError(
            f"gate: variant {variant!r} is not compared with a baseline; set criteria: variant to one that is."
        )
    if failed:
        raise InputError(f"gate: {'; '.join(failed)}.")
    missing = list(_untested(read_frame(untested), passed))
    names = sorted(set(read_frame(criteria)["criterion"]))
    write_json(destination, {"passed": passed, "criteria": names, "not_tested": missing})
    lines = [f"{p['dataset']}, {p['augmentation']}, {p['model']}: {p['variant']} is proven" for p in passed]
    print("; ".join(lines + missing))


def _proven(family: pd.DataFrame) -> pd.DataFrame:
    """The proven variants that are recommended; all that are proven where the baseline is recommended instead."""
    proven = family[family["verdict"] == PROVEN]
    return proven[proven["recommended"]] if proven["recommended"].any() else proven


def _reasons(family: pd.DataFrame) -> str:
    return "; ".join(f"{row['variant']}: {row['reason']}" for _, row in family.iterrows())


def _untested(table: pd.DataFrame, passed: list[dict[str, str]]) -> Iterator[str]:
    """One sentence for each proven variant that has rates of groups with too few rows."""
    for entry in passed:
        rows = where(table, {name: entry[name] for name in PASSED[:-1]})
        if len(rows):
            yield f"{entry['dataset']}, {entry['variant']}: not tested: {listed(rows.to_dict('records'))}"
