"""The power statement: what a study can detect with its seeds and test rows, before anything is trained."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fairweight.core.artifacts import read_split, read_table, write_rows
from fairweight.core.table import Table
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.power import detectable, provable
from fairweight.statistics.rates import GAPS

Array = np.ndarray[Any, Any]
REMEDY = "rank larger groups only (fairness: smallest_group), or accept a larger margin"
SCHEMA = {
    "dataset": "string", "attribute": "string", "group": "string", "rate": "string", "rows": "int64", "seeds": "int64",
    "tests": "int64", "detectable": "double", "provable": "double", "reason": "string",
}  # fmt: skip


def plan(
    *, tables: dict[str, str], splits: dict[str, str], tests: dict[str, int], seeds: int, criteria: dict[str, Any],
    smallest_group: int, destination: str,
) -> None:  # fmt: skip
    """Write what can be detected and what can be proven.

    For all rows and each group the smallest loss of accuracy and of the true positive rate that is found; for the worst
    group and the gap of each attribute, the smallest margin that can be proven at all.

    Args:
        tables, splits: dataset -> Parquet file; the test rows are the same in every split.
        tests: dataset -> variants in the largest family.
        seeds: number of seeds.
        criteria: `error_rate`, `margins`, `gap`, `attributes` and `power` (what is assumed) of the study file's criteria.
        smallest_group: rates that are shares of fewer rows are not ranked.
        destination: Parquet file to write.
    """
    found: list[dict[str, Any]] = []
    for dataset, path in tables.items():
        rows = read_table(path, inputs=False).take(read_split(splits[dataset])["test"])
        family = max(tests[dataset], 1)
        entries = [
            *_rates(rows, criteria, family, seeds, smallest_group),
            *_margins(rows, criteria, family, seeds, smallest_group),
        ]
        for entry in entries:
            found.append({"dataset": dataset, "seeds": seeds, "tests": tests[dataset], **entry})
            print(_sentence(found[-1], criteria["power"]))
    write_rows(destination, found, SCHEMA)


def _rates(
    rows: Table, criteria: dict[str, Any], tests: int, seeds: int, smallest_group: int
) -> Iterator[dict[str, Any]]:
    """For each rate and group, the smallest loss that is found."""
    assumed = criteria["power"]
    kinds = {"accuracy": rows.label >= 0}
    if len(rows.classes) == 2:
        kinds["true_positive_rate"] = rows.label == 1
    groups = [(None, None, rows.label >= 0)] + [
        (attribute, level, codes == code)
        for attribute, codes in rows.groups.items()
        for code, level in enumerate(rows.group_levels[attribute])
    ]
    unreachable = reason_for_seeds(seeds, tests, criteria["error_rate"], 1)  # whatever the rows
    for rate, kind in kinds.items():
        for attribute, group, member in groups:
            n = int((kind & member).sum())
            reason = unreachable
            if n < smallest_group:
                reason = f"fewer than {smallest_group} rows: reported, not ranked"
            least = detectable(
                rows=n, seeds=seeds, churn=assumed["churn"], seed_sd=assumed["seed_sd"], power=assumed["probability"],
                error_rate=criteria["error_rate"], tests=tests,
            )  # fmt: skip
            yield {
                "attribute": attribute, "group": group, "rate": rate, "rows": n,
                "detectable": least if reason is None else None, "reason": reason,
            }  # fmt: skip


def _margins(
    rows: Table, criteria: dict[str, Any], tests: int, seeds: int, smallest_group: int
) -> Iterator[dict[str, Any]]:
    """For each attribute and margin of its groups, the smallest margin that can be proven."""
    binary = len(rows.classes) == 2
    gap = criteria["gap"] or ("equalized_odds_difference" if binary else "accuracy_difference")
    kinds = {"accuracy": rows.label >= 0, "selection_rate": rows.label >= 0}
    if binary:
        kinds |= {"true_positive_rate": rows.label == 1, "false_positive_rate": rows.label == 0}
    wanted = {"worst_group_accuracy": (("accuracy",), 1), "fairness_gap": (GAPS[gap.removesuffix("_mean")], 2)}
    for criterion, (rates, moving) in wanted.items():
        margin = criteria["margins"][criterion]
        if margin is None or not set(rates) <= set(kinds):
            continue  # a share of the predicted positives, which are not known yet
        for attribute in criteria["attributes"] or rows.groups:
            if attribute not in rows.groups:
                continue  # it is one of another dataset
            codes = rows.groups[attribute]
            n = _smallest_ranked(codes, [kinds[rate] for rate in rates], smallest_group)
            if n is None:
                continue
            least = provable(rows=n, groups=moving, error_rate=criteria["error_rate"], tests=tests)
            reason = reason_for_seeds(seeds, tests, criteria["error_rate"], 1)
            if reason is None and least > margin:
                reason = f"a margin of {100 * margin:.2f} points cannot be proven with a group of {n:,} rows; {REMEDY}"
            yield {
                "attribute": attribute, "rate": criterion, "rows": n, "provable": least, "reason": reason,
            }  # fmt: skip


def _smallest_ranked(codes: Array, kinds: list[Array], smallest_group: int) -> int | None:
    """Rows of the smallest group that is ranked; None where none is."""
    sizes = np.concatenate([np.bincount(codes[(codes >= 0) & kind]) for kind in kinds])
    ranked = sizes[sizes >= max(smallest_group, 2)]
    return int(ranked.min()) if ranked.size else None


def _sentence(row: dict[str, Any], assumed: dict[str, float]) -> str:
    rate = row["rate"].replace("_", " ")
    if "provable" in row:
        about = f"{row['dataset']}, {rate} by {row['attribute']}, smallest ranked group {row['rows']:,} rows: "
        return about + (row["reason"] or f"margins down to {100 * row['provable']:.2f} points can be proven")
    whom = f"{row['group']} ({row['attribute']})" if row["group"] else "all test rows"
    start = f"{row['dataset']}, {whom}, {rate}, {row['rows']:,} rows, {row['seeds']} seeds: "
    if row["reason"]:
        return start + row["reason"]
    return (
        f"{start}a loss of {100 * row['detectable']:.2f} points is found with probability {assumed['probability']:g}, if "
        f"{100 * assumed['churn']:g} % of rows are predicted otherwise and seeds differ by {100 * assumed['seed_sd']:g} points"
    )
