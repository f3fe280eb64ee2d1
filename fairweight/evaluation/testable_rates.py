"""What a study can prove and what it cannot, from the numbers of its test rows by group and class."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from fairweight.core.measures import measure
from fairweight.core.recipes import Criteria
from fairweight.evaluation.criteria import ERRORS, GroupRows, MarginTest, margin_tests, why_untested
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.power import detectable, provable

Array = np.ndarray[Any, Any]
CANNOT = "This study cannot decide: "  # how a sentence begins that the progress line shows before anything is trained
REMEDY = "test larger groups only (fairness: smallest_group), accept a larger margin, or add test rows"
TOO_FEW = (
    "merge groups, lower fairness: smallest_group, limit another rate (criteria: gap) or none (margin null), or add "
    "test rows"
)
SMALL_GROUPS = "merge groups, lower fairness: smallest_group, or add test rows"
BY_CLASS = "Ways out: compare the rates by class in assessments.parquet, or take a label with two classes"
WAYS_OUT = {"untested": "criteria: untested: report, merged groups, or more test rows"}  # by criterion
MOST_CRITERIA = 4  # that a sentence names
MOST_GROUPS = 6  # the same of groups


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


@dataclass(frozen=True)
class Counts:
    """Numbers of labelled rows by class, of all rows and of each group.

    Attributes:
        classes: names of the C classes; of two, the second is the positive one.
        overall: rows of each class (C,).
        groups: attribute -> group -> rows of each class (C,).
    """

    classes: tuple[str, ...]
    overall: Array
    groups: Mapping[str, Mapping[str, Array]]

    @classmethod
    def of_rows(
        cls,
        label: Array,
        classes: Sequence[str],
        groups: Mapping[str, Array],
        levels: Mapping[str, Sequence[str]],
    ) -> "Counts":
        """Count rows.

        Args:
            label: code into the classes (n,); -1 is none.
            classes: names.
            groups: attribute -> code into its levels (n,); -1 is none.
            levels: attribute -> names of its groups.
        """

        def by_class(member: Array) -> Array:
            counts: Array = np.bincount(label[member & (label >= 0)], minlength=len(classes))
            return counts

        return cls(
            tuple(map(str, classes)),
            by_class(label >= 0),
            {
                name: {str(level): by_class(codes == code) for code, level in enumerate(levels[name])}
                for name, codes in groups.items()
            },
        )

    def share(self, share: float) -> "Counts":
        """Rows that are expected in a random part of this share, rounded."""
        groups = {
            name: {level: np.rint(share * counts).astype(np.int64) for level, counts in by_level.items()}
            for name, by_level in self.groups.items()
        }
        return Counts(self.classes, np.rint(share * self.overall).astype(np.int64), groups)

    @property
    def binary(self) -> bool:
        """Whether there are two classes, so that there are true and false positives."""
        return len(self.classes) == 2


class Plan:
    """What can be detected and proven on one dataset.

    Args:
        dataset: its name.
        counts: of its test rows.
        criteria: `criteria` of the study file: `error_rate`, `margins`, `gap`, `attributes`, `untested`, `ceilings` and
            `power`.
        tests: variants in the largest family; 0 counts as 1 in corrections.
        seeds: number of seeds.
        smallest: rates that are shares of fewer rows are not tested (`fairness: smallest_group`).
    """

    def __init__(
        self, dataset: str, counts: Counts, criteria: Criteria, *, tests: int, seeds: int, smallest: int
    ) -> None:
        self.dataset, self.counts, self.criteria = dataset, counts, criteria
        self.tests, self.seeds, self.smallest = tests, seeds, smallest
        self.family = max(tests, 1)
        # whatever the rows; one model is tested on its rows alone
        self.unreachable = reason_for_seeds(seeds, self.family, criteria["error_rate"], 1) if seeds > 1 else None
        # rate -> classes whose rows it is a share of
        self.kinds: dict[str, slice] = {"accuracy": slice(None)}
        if counts.binary:
            self.kinds |= {"selection_rate": slice(None)}
            self.kinds |= {"true_positive_rate": slice(1, 2), "false_positive_rate": slice(0, 1)}

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
        groups: list[tuple[str | None, str | None, Array]] = [(None, None, self.counts.overall)]
        groups += [
            (name, level, rows) for name, of_level in self.counts.groups.items() for level, rows in of_level.items()
        ]
        for rate in ("accuracy", "true_positive_rate") if self.counts.binary else ("accuracy",):
            for attribute, group, by_class in groups:
                n = int(by_class[self.kinds[rate]].sum())
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
        repeated = self.criteria["margins"]["group_accuracy"] == self.criteria["margins"]["worst_group_accuracy"]
        few: list[str] = []
        for test in self._tests():
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

    def _tests(self) -> Iterator[MarginTest]:
        wanted, every = self.criteria["attributes"], self.counts.groups
        attributes = [name for name in every if wanted is None or name in wanted]  # others are another dataset's
        return margin_tests(self.criteria, attributes, self.counts.binary)

    def _groups(self, test: MarginTest) -> list[GroupRows]:
        """Rows of every group of a test; all rows are one group."""
        kind = self.kinds.get(test.rate)
        if kind is None:
            return []
        members = (
            {"all test rows": self.counts.overall} if test.attribute is None else self.counts.groups[test.attribute]
        )
        sizes = [(level, int(by_class[kind].sum()), int(by_class.sum())) for level, by_class in members.items()]
        why = f"fewer than {self.smallest} rows"
        return [GroupRows(level, n, total, why if n < max(self.smallest, 1) else None) for level, n, total in sizes]

    def _margin(self, test: MarginTest, groups: list[GroupRows]) -> PowerRow:
        """The smallest margin of one test that can be proven: that of the tested groups with the fewest rows."""
        sizes = sorted(entry.rows for entry in groups if entry.why is None)[: test.fewest]
        if len(sizes) < test.fewest:
            classes = self.counts.classes if self.counts.binary else None
            few = "there are too few test rows for the accuracy"
            if test.attribute is not None:
                few = why_untested(test.attribute, test.rate, groups, test.fewest, classes)
            return self._of_test(test, 0, None, few, decidable=False)
        least = provable(rows=sizes, seeds=self.seeds, error_rate=self.criteria["error_rate"], tests=self.family)
        reason = self.unreachable
        if reason is None and least > test.margin:
            reason = (
                f"with {sizes[0]:,} rows of the smallest tested group, margins down to {points(least)} points can be "
                f"proven of a variant that changes nothing, and the margin is {100 * test.margin:g}"
            )
        return self._of_test(test, sizes[0], least, reason, decidable=self.unreachable is None)

    def _of_test(
        self, test: MarginTest, rows: int, least: float | None, reason: str | None, *, decidable: bool
    ) -> PowerRow:
        row = self._row(test.rate, rows, test.attribute, provable=least, reason=reason)
        return row | {"criterion": test.criterion, "margin": test.margin, "decidable": decidable}

    def untested(self) -> dict[tuple[str, str], list[GroupRows]]:
        """Groups that no test includes, though others of their attribute are tested: (attribute, rate) -> groups."""
        small: dict[tuple[str, str], list[GroupRows]] = {}
        for test in self._tests():
            groups = self._groups(test)
            few = [entry for entry in groups if entry.why is not None]
            if test.attribute is not None and few and len(groups) - len(few) >= test.fewest:
                small[test.attribute, test.rate] = few
        return small

    def sentences(self) -> Iterator[str]:
        """What cannot be decided, one sentence for each reason with the ways out; nothing without a comparison."""
        if not self.tests:
            return
        criteria = [row for row in self.margins() if row["reason"] is not None]
        for reason, rows in _by_reason(criteria).items():
            names = list(dict.fromkeys(criterion_in_words(row) for row in rows))
            shown = _listed(names, MOST_CRITERIA)
            if reason.startswith("cannot reach significance"):
                what, way = f"nothing can be proven: it {reason}", "more seeds (seeds), or fewer variants"
            elif not rows[0]["decidable"]:
                what, way = f"{shown} stays undecided in every variant: {reason}", WAYS_OUT.get(shown, TOO_FEW)
            else:
                what, way = f"{shown} can be proven only of a variant that improves it: {reason}", REMEDY
            yield f"{self.dataset}: {what}. Ways out: {way}."
        if small := self.untested():
            rates = "; ".join(self._small_in_words(*place, groups) for place, groups in small.items())
            yield (
                f"{self.dataset}: groups with fewer than {self.smallest} test rows of a rate are reported and not "
                f"tested: {rates}. Ways out: {SMALL_GROUPS}."
            )
        attributes = list(dict.fromkeys(test.attribute for test in self._tests() if test.attribute is not None))
        if attributes and not self.counts.binary:
            yield (
                f"{self.dataset}: what single classes lose within a group of {_listed(attributes, MOST_GROUPS)} has no "
                f"criterion: with {len(self.counts.classes):,} classes, a group's accuracy is tested. {BY_CLASS}."
            )

    def _small_in_words(self, attribute: str, rate: str, groups: list[GroupRows]) -> str:
        """A rate and the groups that are too small for it: "true positive rate by race (label '>50K'): Other (25)"."""
        label = f" (label {self.counts.classes[ERRORS[::-1].index(rate)]!r})" if rate in ERRORS else ""
        names = [f"{entry.group} ({entry.rows:,} rows)" for entry in sorted(groups, key=lambda entry: -entry.rows)]
        return f"{rate.replace('_', ' ')} by {attribute}{label}: {_listed(names, MOST_GROUPS)}"


def _listed(names: list[str], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _by_reason(rows: list[PowerRow]) -> dict[str, list[PowerRow]]:
    grouped: dict[str, list[PowerRow]] = {}
    for row in rows:
        grouped.setdefault(row["reason"] or "", []).append(row)
    return grouped


def points(share: float) -> str:
    """A margin or a loss in points, rounded up, so that one of this size can be shown."""
    return f"{math.ceil(1e4 * share - 1e-9) / 100:.2f}"


def criterion_in_words(row: PowerRow) -> str:
    """Criterion, rate, attribute and margin: "fairness gap (false positive rate by sex, margin 5 points)"."""
    name = str(row["criterion"]).replace("_", " ")
    if row["margin"] is None:
        return name
    rate = row["rate"].replace("_", " ")
    about = [rate] if rate not in name else []
    about += [f"by {row['attribute']}"] if row["attribute"] else []
    number = f"{100 * row['margin']:g}"
    margin = f"margin {number} point{'' if number == '1' else 's'}"
    return f"{name} ({', '.join([' '.join(about), margin] if about else [margin])})"
