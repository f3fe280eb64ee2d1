"""What a study can prove and what it cannot, from the numbers of its test rows by group and class."""

import math
import re
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
# how sentences begin that the progress line shows before anything is trained
CANNOT = "This study cannot decide: "
WAYS_OUT = "Ways out for "
# ways out, which a sentence lists once for all that cannot be decided
MORE_ROWS = "add test rows"
LOWER, RAISE = "lower fairness: smallest_group", "test larger groups only (raise fairness: smallest_group)"
MERGE = ("merge groups", LOWER)
TOO_FEW = (*MERGE, "limit another rate (criteria: gap) or none (margin null)", MORE_ROWS)
WIDE = ("accept a larger margin", RAISE, MORE_ROWS)
SMALL_GROUPS = (*MERGE, MORE_ROWS)
BY_CLASS = ("compare the rates by class in assessments.parquet", "take a label with two classes")
SEEDS = ("more seeds (seeds)", "fewer variants")
WAYS = {"untested": ("criteria: untested: report", MERGE[0], MORE_ROWS)}  # by criterion
MOST_CRITERIA = 4  # that a sentence names
MOST_GROUPS = 6  # the same of groups
NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")  # a group of one number
MOST_NUMBERS = 30  # numbers that are groups of one attribute; more are a quantity without bins


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
        few: list[str] = []
        for test in self._tests():
            groups = self._groups(test)
            few += [f"{entry.group} ({test.attribute})" for entry in groups if entry.why and test.attribute]
            if not (self._repeated and test.criterion == "worst_group_accuracy"):  # the same tests
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

    @property
    def _repeated(self) -> bool:
        """Whether every group and the worst group have the same margin, so that their tests are the same."""
        margins = self.criteria["margins"]
        return margins["group_accuracy"] == margins["worst_group_accuracy"]

    def in_words(self, row: PowerRow) -> str:
        """Criterion, rate, attribute and margin of a row, with both names where one row is about two criteria."""
        words = criterion_in_words(row)
        return f"worst group accuracy and {words}" if row["criterion"] == "group_accuracy" and self._repeated else words

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
        """Groups that no test includes, though others of their attribute are tested: (rate, attribute) -> groups."""
        small: dict[tuple[str, str], list[GroupRows]] = {}
        for test in self._tests():
            groups = self._groups(test)
            few = [entry for entry in groups if entry.why is not None]
            if test.attribute is not None and few and len(groups) - len(few) >= test.fewest:
                small[test.rate, test.attribute] = few
        return small

    def sentences(self) -> Iterator[str]:
        """What cannot be decided, one sentence for each kind, then the ways out; nothing without a comparison."""
        if not self.tests:
            return
        ways: dict[str, None] = {}
        for sentence, ways_out in self._findings():
            yield f"{CANNOT}{self.dataset}: {sentence}."
            ways |= dict.fromkeys(ways_out)
        if LOWER in ways:
            ways.pop(RAISE, None)  # one key cannot go both ways
        if ways:
            *first, last = ways
            yield f"{WAYS_OUT}{self.dataset}: {', '.join(first)}{', or ' if first else ''}{last}."

    def _findings(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """(sentence without a full stop, ways out) of everything that cannot be decided."""
        few = self._few()
        named: set[tuple[str, str, str | None]] = set()
        for place, (criteria, rows) in few.items():
            named.update((criterion, *place) for criterion in criteria)
            names = " and ".join(name.replace("_", " ") for name in criteria)
            stays = "stays" if len(criteria) == 1 else "stay"
            about = f"{names} of the {self._rate_in_words(*place)}"
            yield f"{about} {stays} undecided in every variant: {rows}", TOO_FEW
        criteria_rows = [row for row in self.margins() if row["reason"] is not None]
        others = [row for row in criteria_rows if (row["criterion"], row["rate"], row["attribute"]) not in named]
        for reason, alike in _by_reason(others).items():
            shown = _listed(list(dict.fromkeys(self.in_words(row) for row in alike)), MOST_CRITERIA)
            if reason == self.unreachable:
                yield f"nothing can be proven: it {reason}", SEEDS
            elif (least := alike[0]["provable"]) is not None:
                proof = f"{alike[0]['rows']:,} rows can only exclude losses above {points(least)} points"
                yield f"{shown} cannot be proven of a variant that changes nothing: {proof}", WIDE
            else:
                yield f"{shown} stays undecided in every variant: {reason}", WAYS.get(shown, TOO_FEW)
        for name in self._quantities():
            about = f"{name} has {len(self.counts.groups[name]):,} groups, one for each number"
            yield f"ranges of {name} are not compared: {about}", (f"add bins (groups: {name}: bins)",)
        if small := self.untested():
            rates = "; ".join(f"{self._rate_in_words(*place)}: {_sizes(groups)}" for place, groups in small.items())
            yield f"groups with fewer than {self.smallest} test rows are reported and not tested: {rates}", SMALL_GROUPS
        attributes = list(dict.fromkeys(test.attribute for test in self._tests() if test.attribute is not None))
        if attributes and not self.counts.binary:
            whom = f"a group of {_listed(attributes, MOST_GROUPS)}"
            why = f"with {len(self.counts.classes):,} classes, a group's accuracy is tested"
            yield f"what single classes lose within {whom} has no criterion: {why}", BY_CLASS

    def _quantities(self) -> list[str]:
        """Attributes whose groups are the numbers of a quantity, such as years of age, because they have no bins."""
        return [
            name
            for name, groups in self.counts.groups.items()
            if sum(NUMBER.fullmatch(group) is not None for group in groups) > MOST_NUMBERS
        ]

    def _few(self) -> dict[tuple[str, str], tuple[list[str], str]]:
        """Rates of which too few groups have enough rows: (rate, attribute) -> criteria, rows of the small groups."""
        few: dict[tuple[str, str], tuple[list[str], str]] = {}
        for test in self._tests():
            groups = self._groups(test)
            small = [entry for entry in groups if entry.why is not None]
            if test.attribute is not None and small and len(groups) - len(small) < test.fewest:
                need = "two groups need" if test.fewest == 2 else "a group needs"
                rows = f"{_sizes(small)}; {need} {self.smallest}"
                few.setdefault((test.rate, test.attribute), ([], rows))[0].append(test.criterion)
        return few

    def _rate_in_words(self, rate: str, attribute: str) -> str:
        """A rate, its attribute and the label that it is a share of: "true positive rate by race (label '>50K')"."""
        label = f" (label {self.counts.classes[ERRORS[::-1].index(rate)]!r})" if rate in ERRORS else ""
        return f"{rate.replace('_', ' ')} by {attribute}{label}"


def _sizes(groups: list[GroupRows]) -> str:
    """Groups with their test rows, the largest first: "male 33 rows, female 21 rows"."""
    ordered = sorted(groups, key=lambda entry: -entry.rows)
    return _listed(
        [f"{entry.group} {entry.rows:,} row{'' if entry.rows == 1 else 's'}" for entry in ordered], MOST_GROUPS
    )


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
