"""Power statement: what a study can detect and prove with its seeds and test rows, before anything is trained."""

from collections.abc import Iterator
from typing import Any, TypedDict

import numpy as np

from fairweight.core.artifacts import read_split, read_table, write_rows
from fairweight.core.recipes import Criteria, Power
from fairweight.core.table import Table
from fairweight.evaluation.criteria import GROUP_MARGINS, gap_rates
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.power import detectable, provable

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
    seeds: dict[str, int],
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
        seeds: dataset -> number of seeds of that family.
        criteria: `criteria` of the study file: `error_rate`, `margins`, `gap`, `attributes` and `power` (assumptions).
        smallest_group: rates that are shares of fewer rows are not ranked.
        destination: Parquet file to write.
    """
    entries: list[PowerRow] = []
    for dataset, path in tables.items():
        test = read_table(path, inputs=False).take(read_split(splits[dataset])["test"])
        planned = _Planned(dataset, test, criteria, tests[dataset], seeds[dataset], smallest_group)
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
        # whatever the rows; one model is tested on its rows alone
        self.unreachable = reason_for_seeds(seeds, self.family, criteria["error_rate"], 1) if seeds > 1 else None
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
        margins = self.criteria["margins"]
        wanted: dict[str, tuple[float | None, tuple[str, ...], int]] = {
            name: (margins[name], ("accuracy",), 1) for name in GROUP_MARGINS
        }
        if margins[GROUP_MARGINS[0]] == margins[GROUP_MARGINS[1]]:
            del wanted[GROUP_MARGINS[1]]  # the same tests
        wanted["fairness_gap"] = (margins["fairness_gap"], gap_rates(self.criteria["gap"], self.binary), 2)
        for criterion, (margin, rates, groups) in wanted.items():
            if margin is None or not set(rates) <= set(self.kinds):
                continue  # a share of the predicted positives, which are not known yet
            for attribute in self.criteria["attributes"] or self.table.groups:
                if attribute in self.table.groups:  # otherwise another dataset has it
                    yield from self._margin(criterion, margin, attribute, rates, groups)

    def _margin(
        self, criterion: str, margin: float, attribute: str, rates: tuple[str, ...], groups: int
    ) -> Iterator[PowerRow]:
        """The smallest margin of one criterion and attribute: that of the rate and groups with the fewest rows."""
        sizes = [_smallest(self.table.groups[attribute], self.kinds[rate], self.smallest, groups) for rate in rates]
        if not all(sizes):
            rate = rates[[bool(rows) for rows in sizes].index(False)].replace("_", " ")
            few = "fewer than two groups have" if groups == 2 else "no group has"
            yield self._row(criterion, 0, attribute, reason=f"{few} enough rows for the {rate}: it stays undecided")
            return
        limits = {
            provable(rows=rows, seeds=self.seeds, error_rate=self.criteria["error_rate"], tests=self.family): rows
            for rows in sizes
        }
        least = max(limits)
        n, reason = min(limits[least]), self.unreachable
        if reason is None and least > margin:
            reason = f"a margin of {100 * margin:.2f} points cannot be proven with a group of {n:,} rows; {REMEDY}"
        yield self._row(criterion, n, attribute, provable=least, reason=reason)


def _smallest(codes: Array, kind: Array, smallest_group: int, groups: int) -> list[int]:
    """Rows of the smallest groups that are tested, as many as a criterion compares; empty if there are fewer."""
    sizes = np.bincount(codes[(codes >= 0) & kind])
    tested = np.sort(sizes[sizes >= max(smallest_group, 2)])[:groups]
    return [int(size) for size in tested] if len(tested) == groups else []


def _sentence(row: PowerRow, assumed: Power) -> str:
    rate = row["rate"].replace("_", " ")
    if row["rate"] in (*GROUP_MARGINS, "fairness_gap"):
        about = f"{row['dataset']}, {rate} by {row['attribute']}, smallest tested group {row['rows']:,} rows: "
        return about + (row["reason"] or f"margins down to {100 * (row['provable'] or 0):.2f} points can be proven")
    whom = f"{row['group']} ({row['attribute']})" if row["group"] else "all test rows"
    start = f"{row['dataset']}, {whom}, {rate}, {row['rows']:,} rows, {row['seeds']} seeds: "
    if row["reason"] or row["detectable"] is None:
        return f"{start}{row['reason']}"
    return (
        f"{start}a loss of {100 * row['detectable']:.2f} points is found with probability "
        f"{assumed['probability']:g}, if {100 * assumed['churn']:g} % of predictions differ and seeds differ by "
        f"{100 * assumed['seed_sd']:g} points"
    )
