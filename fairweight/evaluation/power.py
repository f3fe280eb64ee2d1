"""Power statement: what a study can detect and prove with its seeds and test rows, before anything is trained."""

from collections.abc import Iterator
from typing import Any, TypedDict

import numpy as np

from fairweight.core.artifacts import read_split, read_table, write_rows
from fairweight.core.recipes import Criteria, Power
from fairweight.core.table import Table
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.power import detectable, provable
from fairweight.statistics.rates import EQUALIZED_ODDS_DIFFERENCE, GAPS

Array = np.ndarray[Any, Any]
REMEDY = "rank larger groups only (fairness: smallest_group), or accept a larger margin"
SCHEMA = {
    "dataset": "string",
    "attribute": "string",
    "group": "string",
    "rate": "string",
    "rows": "int64",
    "seeds": "int64",
    "tests": "int64",
    "detectable": "double",
    "provable": "double",
    "reason": "string",
}


class PowerRow(TypedDict):
    """What can be detected of one rate and group, or proven of one criterion and attribute.

    `detectable` is the smallest loss that is found, `provable` the smallest margin that can be proven; None where
    neither applies or `reason` says why there is none.
    """

    dataset: str
    attribute: str | None
    group: str | None
    rate: str
    rows: int
    seeds: int
    tests: int
    detectable: float | None
    provable: float | None
    reason: str | None


def plan(
    *,
    tables: dict[str, str],
    splits: dict[str, str],
    tests: dict[str, int],
    seeds: int,
    criteria: Criteria,
    smallest_group: int,
    destination: str,
) -> None:
    """Write what can be detected and what can be proven, and print it in sentences.

    For all rows and each group this is the smallest loss of accuracy and of the true positive rate that is found; for
    the worst group and the gap of each attribute, the smallest margin that can be proven at all.

    Args:
        tables, splits: dataset -> Parquet file; the test rows are the same in every split.
        tests: dataset -> variants in the largest family.
        seeds: number of seeds.
        criteria: `criteria` of the study file: `error_rate`, `margins`, `gap`, `attributes` and `power` (assumptions).
        smallest_group: rates that are shares of fewer rows are not ranked.
        destination: Parquet file to write.
    """
    entries: list[PowerRow] = []
    for dataset, path in tables.items():
        test = read_table(path, inputs=False).take(read_split(splits[dataset])["test"])
        planned = _Planned(dataset, test, criteria, tests[dataset], seeds, smallest_group)
        entries += [*planned.losses(), *planned.margins()]
    for entry in entries:
        print(_sentence(entry, criteria["power"]))
    write_rows(destination, entries, SCHEMA)


class _Planned:
    """One dataset of a study.

    Args:
        dataset: its name.
        rows: its test rows.
        criteria: of the study file.
        tests: variants in the largest family; 0 counts as 1 in corrections.
        seeds: number of seeds.
        smallest: rates that are shares of fewer rows are not ranked.
    """

    def __init__(self, dataset: str, rows: Table, criteria: Criteria, tests: int, seeds: int, smallest: int) -> None:
        self.dataset, self.table, self.criteria = dataset, rows, criteria
        self.tests, self.seeds, self.smallest = tests, seeds, smallest
        self.family = max(tests, 1)
        # whatever the rows
        self.unreachable = reason_for_seeds(seeds, self.family, criteria["error_rate"], 1)
        everything = rows.label >= 0
        self.kinds = {"accuracy": everything, "selection_rate": everything}  # rate -> rows that it is a share of (n,)
        self.binary = len(rows.classes) == 2
        if self.binary:
            self.kinds |= {"true_positive_rate": rows.label == 1, "false_positive_rate": rows.label == 0}

    def _row(
        self,
        rate: str,
        rows: int,
        attribute: str | None,
        group: str | None = None,
        *,
        detectable: float | None = None,
        provable: float | None = None,
        reason: str | None,
    ) -> PowerRow:
        return {
            "dataset": self.dataset,
            "attribute": attribute,
            "group": group,
            "rate": rate,
            "rows": rows,
            "seeds": self.seeds,
            "tests": self.tests,
            "detectable": detectable,
            "provable": provable,
            "reason": reason,
        }

    def losses(self) -> Iterator[PowerRow]:
        """For each rate and group, the smallest loss that is found."""
        groups = [(None, None, self.kinds["accuracy"])] + [
            (attribute, level, codes == code)
            for attribute, codes in self.table.groups.items()
            for code, level in enumerate(self.table.group_levels[attribute])
        ]
        for rate in ("accuracy", "true_positive_rate") if self.binary else ("accuracy",):
            for attribute, group, member in groups:
                n = int((self.kinds[rate] & member).sum())
                reason = self.unreachable
                if n < self.smallest:
                    reason = f"fewer than {self.smallest} rows: reported, not ranked"
                least = self._detectable(n) if reason is None else None
                yield self._row(rate, n, attribute, group, detectable=least, reason=reason)

    def _detectable(self, rows: int) -> float | None:
        assumed = self.criteria["power"]
        return detectable(
            rows=rows,
            seeds=self.seeds,
            churn=assumed["churn"],
            seed_sd=assumed["seed_sd"],
            power=assumed["probability"],
            error_rate=self.criteria["error_rate"],
            tests=self.family,
        )

    def margins(self) -> Iterator[PowerRow]:
        """For each attribute and margin of its groups, the smallest margin that can be proven."""
        gap = self.criteria["gap"] or (EQUALIZED_ODDS_DIFFERENCE if self.binary else "accuracy_difference")
        wanted = {"worst_group_accuracy": (("accuracy",), 1), "fairness_gap": (GAPS[gap], 2)}
        for criterion, (rates, moving) in wanted.items():
            margin = self.criteria["margins"][criterion]
            if margin is None or not set(rates) <= set(self.kinds):
                continue  # a share of the predicted positives, which are not known yet
            for attribute in self.criteria["attributes"] or self.table.groups:
                if attribute not in self.table.groups:
                    continue  # another dataset has it
                n = _smallest_ranked(self.table.groups[attribute], [self.kinds[rate] for rate in rates], self.smallest)
                if n is None:
                    continue
                error_rate = self.criteria["error_rate"]
                least = provable(rows=n, groups=moving, error_rate=error_rate, tests=self.family)
                reason = self.unreachable
                if reason is None and least > margin:
                    reason = (
                        f"a margin of {100 * margin:.2f} points cannot be proven with a group of {n:,} rows; {REMEDY}"
                    )
                yield self._row(criterion, n, attribute, provable=least, reason=reason)


def _smallest_ranked(codes: Array, kinds: list[Array], smallest_group: int) -> int | None:
    """Rows of the smallest group that is ranked; None where none is."""
    sizes = np.concatenate([np.bincount(codes[(codes >= 0) & kind]) for kind in kinds])
    ranked = sizes[sizes >= max(smallest_group, 2)]
    return int(ranked.min()) if ranked.size else None


def _sentence(row: PowerRow, assumed: Power) -> str:
    rate = row["rate"].replace("_", " ")
    if row["provable"] is not None:
        about = f"{row['dataset']}, {rate} by {row['attribute']}, smallest ranked group {row['rows']:,} rows: "
        return about + (row["reason"] or f"margins down to {100 * row['provable']:.2f} points can be proven")
    whom = f"{row['group']} ({row['attribute']})" if row["group"] else "all test rows"
    start = f"{row['dataset']}, {whom}, {rate}, {row['rows']:,} rows, {row['seeds']} seeds: "
    if row["reason"] or row["detectable"] is None:
        return f"{start}{row['reason']}"
    return (
        f"{start}a loss of {100 * row['detectable']:.2f} points is found with probability "
        f"{assumed['probability']:g}, if {100 * assumed['churn']:g} % of predictions differ and seeds differ by "
        f"{100 * assumed['seed_sd']:g} points"
    )
