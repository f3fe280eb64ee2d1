"""CI gate: a step for continuous integration that fails unless a variant is proven to keep the criteria."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from fairweight.core.artifacts import read_frame, write_json
from fairweight.core.errors import LONGEST_REASONS, InputError, joined
from fairweight.core.frames import where
from fairweight.core.lineage import CELL, FAMILY
from fairweight.evaluation.criteria import listed
from fairweight.statistics.decision import PROVEN, REFUTED

LONGEST_FIRST = 220  # characters of the first thing that failed


def check_criteria(
    *, decisions: str, criteria: str, untested: str, shipped: str, destination: str, variant: str | None
) -> None:
    """Check every dataset, augmentation and model against the criteria; write the verdict if all of them pass.

    Args:
        decisions, criteria, untested, shipped: summary tables.
        destination: JSON file to write.
        variant: the variant that must be proven; None checks the recommended one, or, where that is the baseline, that
            any variant is proven.

    Raises:
        InputError: the variant is refuted or undecided somewhere, no variant is proven, or the file that ships is
            itself refuted; the message names the criteria that fail.
    """
    table, files = read_frame(decisions), read_frame(shipped)
    decided = table[table["verdict"].notna()]
    if decided.empty:
        raise InputError("gate: nothing was decided; add a variant with a baseline to the grid.")
    if variant is not None and variant not in set(decided["variant"]):
        raise InputError(
            f"gate: variant {variant!r} is not compared with a baseline; set criteria: variant to one that is."
        )
    passed: list[dict[str, Any]] = []
    failed: list[str] = []
    for key, family in decided.groupby(FAMILY, sort=True):
        place = ", ".join(map(str, key))
        chosen = _proven(family) if variant is None else family[family["variant"] == variant]
        if chosen.empty and variant is None:
            failed.append(f"{place}: no variant is proven to keep the criteria ({_reasons(family)})")
        elif chosen.empty:
            failed.append(f"{place}: {variant!r} is not among the variants that are compared there")
        for row in chosen.to_dict("records"):
            problem = _problem(row, files)
            if problem:
                failed.append(f"{place}, {row['engine']}: {problem}")
            else:
                passed.append(_entry(row, files))
    if failed:
        print(*failed, sep="\n")
        raise InputError(f"gate: {_in_short(failed)}.")
    missing = list(_untested(read_frame(untested), passed))
    names = sorted(set(read_frame(criteria)["criterion"]))
    write_json(destination, {"passed": passed, "criteria": names, "not_tested": missing})
    lines = [f"{p['dataset']}, {p['augmentation']}, {p['model']}: {p['variant']} is proven{p['about']}" for p in passed]
    print("; ".join(lines + missing))


def _proven(family: pd.DataFrame) -> pd.DataFrame:
    """The proven variants that are recommended; all that are proven where the baseline is recommended instead."""
    proven = family[family["verdict"] == PROVEN]
    return proven[proven["recommended"]] if proven["recommended"].any() else proven


def _in_short(failed: list[str]) -> str:
    """What failed, as one sentence has room for it; the log has all of it.

    A long reason loses its end and not its middle: it begins with what comes first, such as a guard.
    """
    first, *others = failed
    if len(first) <= LONGEST_REASONS:
        return joined(failed, "in the log")
    kept = first if len(first) <= LONGEST_FIRST else f"{first[:LONGEST_FIRST].rsplit(' ', 1)[0]} ... (in the log)"
    return f"{kept}; and {len(others):,} more in the log" if others else kept


def _problem(row: dict[str, Any], files: pd.DataFrame) -> str | None:
    """Why a variant does not pass, or None."""
    if row["verdict"] != PROVEN:
        return f"{row['variant']} is {row['verdict']} ({row['reason']})"
    for file in where(files, {name: row[name] for name in CELL}).to_dict("records"):
        if file["verdict"] == REFUTED:
            return f"{row['variant']} is proven, but the file of seed {file['seed']}, which ships, is refuted"
    return None


def _entry(row: dict[str, Any], files: pd.DataFrame) -> dict[str, Any]:
    """What the verdict says of a variant that passes."""
    file = where(files, {name: row[name] for name in CELL}).to_dict("records")
    verdict = file[0]["verdict"] if file and isinstance(file[0]["verdict"], str) else None
    return {
        **{name: row[name] for name in (*CELL, "p_value")},
        "recommended": bool(row["recommended"]),
        "about": " (about this model)" if row["seeds"] == 1 else "",
        "file_seed": int(file[0]["seed"]) if file else None,
        "file_verdict": verdict,
    }


def _reasons(family: pd.DataFrame) -> str:
    """Why variants are not proven; those with the same reason together."""
    variants: dict[str, list[str]] = {}
    for row in family.to_dict("records"):
        variants.setdefault(str(row["reason"]), []).append(row["variant"])
    return "; ".join(f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in variants.items())


def _untested(table: pd.DataFrame, passed: list[dict[str, Any]]) -> Iterator[str]:
    """One sentence for each proven variant that has rates of groups with too few rows."""
    for entry in passed:
        rows = where(table, {name: entry[name] for name in CELL})
        if len(rows):
            yield f"{entry['dataset']}, {entry['variant']}: not tested: {listed(rows.to_dict('records'))}"
