"""Power statement: what a study can detect and prove with its seeds and test rows, before anything is trained."""

from collections.abc import Iterator
from typing import Any, TypedDict

import numpy as np

from fairweight.core.artifacts import read_split, read_table, write_rows
from fairweight.core.measures import measure
from fairweight.core.recipes import Criteria, Power
from fairweight.core.table import Table
from fairweight.evaluation.criteria import GroupRows, MarginTest, margin_tests, why_untested
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.power import detectable, provable

Array = np.ndarray[Any, Any]
CANNOT = "This study cannot decide: "  # how a sentence begins that the progress line shows before anything is trained
REMEDY = "test larger groups only (fairness: smallest_group), accept a larger margin, or add test rows"
TOO_FEW = (
    "merge groups, lower fairness: smallest_group, limit another rate (criteria: gap) or none (margin null), or add "
    "test rows"
)
WAYS_OUT = {"untested": "criteria: untested: report, merged groups, or more test rows"}  # by criterion
MOST_CRITERIA = 4  # that a sentence names
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
    "criterion": "string",
    "margin": "double",
    "decidable": "bool",
}


class PowerRow(TypedDict):
    """What can be detected of one rate and group, or proven of one criterion and attribute.

    `detectable` is the smallest loss that is found, `provable` the smallest margin that can be proven; None where
    neither applies or `reason` says why there is none. Rows about a criterion have its `margin` and `decidable`,
    which is False where no variant can be proven, whatever it predicts.
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
    criterion: str | None
    margin: float | None
    decidable: bool | None


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
    each criterion with a margin, the smallest margin that can be proven, by the tests of `decide`. What the study
    cannot decide is printed first, with the ways out.

    Args:
        tables, splits: dataset -> Parquet file; the test rows are the same in every split.
        tests: dataset -> variants in the largest family.
        seeds: dataset -> number of seeds of that family.
        criteria: `criteria` of the study file: `error_rate`, `margins`, `gap`, `attributes`, `untested`, `ceilings` and
            `power` (assumptions).
        smallest_group: rates that are shares of fewer rows are not ranked.
        destination: Parquet file to write.
    """
    entries: list[PowerRow] = []
    for dataset, path in tables.items():
        test = read_table(path, inputs=False).take(read_split(splits[dataset])["test"])
        planned = _Planned(dataset, test, criteria, tests[dataset], seeds[dataset], smallest_group)
        entries += [*planned.losses(), *planned.margins()]
    for sentence in undecidable(entries):
        print(sentence)
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
        self.kinds = {"accuracy": everything}  # rate -> rows that it is a share of (n,)
        self.binary = len(rows.classes) == 2
        if self.binary:
            self.kinds |= {"selection_rate": everything}
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
        criterion: str | None = None,
        decidable: bool | None = None,
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
            "criterion": criterion,
            "margin": None,
            "decidable": decidable,
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
        """For each criterion with a margin, the smallest margin that can be proven, or why nothing can be decided."""
        wanted, every = self.criteria["attributes"], self.table.groups
        attributes = [name for name in every if wanted is None or name in wanted]  # others are another dataset's
        repeated = self.criteria["margins"]["group_accuracy"] == self.criteria["margins"]["worst_group_accuracy"]
        few: list[str] = []
        for test in margin_tests(self.criteria, attributes, self.binary):
            groups = self._groups(test)
            few += [f"{entry.group} ({test.attribute})" for entry in groups if entry.why and test.attribute]
            if not (repeated and test.criterion == "worst_group_accuracy"):  # the same tests
                yield self._margin(test, groups)
        if few and self.criteria["untested"] == "undecided":
            names = ", ".join(dict.fromkeys(few))
            reason = f"criteria: untested is 'undecided', and these groups have too few rows: {names}"
            yield self._row("untested", 0, None, criterion="untested", decidable=False, reason=reason)
        if self.seeds == 1:
            for name in self.criteria["ceilings"]:
                if measure(name).source != "file":
                    reason = "the mean of a measured value cannot be tested with one seed"
                    yield self._row(name, 0, None, criterion=name, decidable=False, reason=reason)

    def _groups(self, test: MarginTest) -> list[GroupRows]:
        """Rows of every group of a test; all rows are one group."""
        kind = self.kinds.get(test.rate)
        if kind is None:
            return []
        if test.attribute is None:
            members = [("all test rows", kind >= 0)]
        else:
            codes = self.table.groups[test.attribute]
            members = [(level, codes == code) for code, level in enumerate(self.table.group_levels[test.attribute])]
        counts = [(level, int((kind & member).sum()), int(member.sum())) for level, member in members]
        why = f"fewer than {self.smallest} rows"
        return [GroupRows(level, n, total, why if n < max(self.smallest, 1) else None) for level, n, total in counts]

    def _margin(self, test: MarginTest, groups: list[GroupRows]) -> PowerRow:
        """The smallest margin of one test that can be proven: that of the tested groups with the fewest rows."""
        sizes = sorted(entry.rows for entry in groups if entry.why is None)[: test.fewest]
        if len(sizes) < test.fewest:
            classes = self.table.classes if self.binary else None
            few = "there are too few test rows for the accuracy"
            if test.attribute is not None:
                few = why_untested(test.attribute, test.rate, groups, test.fewest, classes)
            return self._of_test(test, 0, None, few, decidable=False)
        least = provable(rows=sizes, seeds=self.seeds, error_rate=self.criteria["error_rate"], tests=self.family)
        reason = self.unreachable
        if reason is None and least > test.margin:
            reason = (
                f"with {sizes[0]:,} rows of the smallest tested group, margins down to {100 * least:.2f} points can be "
                f"proven of a variant that changes nothing, and the margin is {100 * test.margin:g}"
            )
        return self._of_test(test, sizes[0], least, reason, decidable=self.unreachable is None)

    def _of_test(
        self, test: MarginTest, rows: int, least: float | None, reason: str | None, *, decidable: bool
    ) -> PowerRow:
        row = self._row(test.rate, rows, test.attribute, provable=least, reason=reason)
        return row | {"criterion": test.criterion, "margin": test.margin, "decidable": decidable}


def undecidable(entries: list[PowerRow]) -> Iterator[str]:
    """What a study cannot decide, one sentence for each reason, with the ways out."""
    criteria = [row for row in entries if row["criterion"] is not None and row["reason"] is not None]
    for (dataset, reason), rows in _by_reason(criteria).items():
        if not rows[0]["tests"]:
            continue  # nothing is compared with a baseline
        names = list(dict.fromkeys(_criterion_in_words(row) for row in rows))
        shown = ", ".join(names[:MOST_CRITERIA])
        shown += f" and {len(names) - MOST_CRITERIA} more" if len(names) > MOST_CRITERIA else ""
        if reason.startswith("cannot reach significance"):
            what, way = f"{dataset}: nothing can be proven: it {reason}", "more seeds (seeds), or fewer variants"
        elif not rows[0]["decidable"]:
            what, way = f"{dataset}: {shown} stays undecided in every variant: {reason}", WAYS_OUT.get(shown, TOO_FEW)
        else:
            what, way = f"{dataset}: {shown} can be proven only of a variant that improves it: {reason}", REMEDY
        yield f"{CANNOT}{what}. Ways out: {way}."


def _by_reason(rows: list[PowerRow]) -> dict[tuple[str, str], list[PowerRow]]:
    grouped: dict[tuple[str, str], list[PowerRow]] = {}
    for row in rows:
        grouped.setdefault((row["dataset"], row["reason"] or ""), []).append(row)
    return grouped


def _criterion_in_words(row: PowerRow) -> str:
    """Criterion, rate, attribute and margin: "fairness gap (false positive rate by sex, margin 5 points)"."""
    name = str(row["criterion"]).replace("_", " ")
    if row["margin"] is None:
        return name
    rate = row["rate"].replace("_", " ")
    about = [rate] if rate not in name else []
    about += [f"by {row['attribute']}"] if row["attribute"] else []
    margin = f"margin {100 * row['margin']:g} points"
    return f"{name} ({', '.join([' '.join(about), margin] if about else [margin])})"


def _sentence(row: PowerRow, assumed: Power) -> str:
    if row["criterion"] is not None:
        about = f"{row['dataset']}, {_criterion_in_words(row)}, smallest tested group {row['rows']:,} rows: "
        return about + (row["reason"] or f"margins down to {100 * (row['provable'] or 0):.2f} points can be proven")
    rate = row["rate"].replace("_", " ")
    whom = f"{row['group']} ({row['attribute']})" if row["group"] else "all test rows"
    start = f"{row['dataset']}, {whom}, {rate}, {row['rows']:,} rows, {row['seeds']} seeds: "
    if row["reason"] or row["detectable"] is None:
        return f"{start}{row['reason']}"
    return (
        f"{start}a loss of {100 * row['detectable']:.2f} points is found with probability "
        f"{assumed['probability']:g}, if {100 * assumed['churn']:g} % of predictions differ and seeds differ by "
        f"{100 * assumed['seed_sd']:g} points"
    )
