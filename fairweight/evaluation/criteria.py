"""Evidence on the criteria of a study: every criterion of one variant, part by part, and the rates that none covers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

import numpy as np

from fairweight.core.recipes import Criteria
from fairweight.statistics import decision, paired_shares
from fairweight.statistics.decision import NOTHING, PROVEN, REFUTED, UNDECIDED, Change, Evidence, Growth, Verdict
from fairweight.statistics.paired_shares import Pairs
from fairweight.statistics.rates import EQUALIZED_ODDS_DIFFERENCE, GAPS, PAIRED

Array = np.ndarray[Any, Any]
Name = tuple[str, str | None, str | None]  # metric, attribute, group
GROUP_MARGINS = ("group_accuracy", "worst_group_accuracy")  # both are tested group by group: any group may be the worst
ERRORS = ("true_positive_rate", "false_positive_rate")  # rates of which one direction is better
FLOOR_ROWS = 10  # rows from which a rate that falls to 0 or rises to 1 is never proven
MOST_GROUPS = 3  # groups that a reason names
FALLS, RISES = ("accuracy", "true_positive_rate", "selection_rate"), ("false_positive_rate", "selection_rate")


class CriterionRow(TypedDict):
    """Evidence on one criterion of one variant, or on one part of it.

    The row of a criterion with several parts shows the part with the weakest evidence.
    """

    criterion: str
    attribute: str | None
    group: str | None
    other_group: str | None  # of a gap: the group whose rate is subtracted
    rate: str | None  # the rate that a margin limits
    catches_up: bool  # of a gap: the group was clearly behind and may catch up
    parts: int  # number of tests that must all reject
    rows: int | None  # rows of the smaller group
    seeds: int | None
    margin: float
    value: float | None
    low: float | None
    high: float | None
    p_proven: float
    p_refuted: float
    verdict: Verdict
    reason: str | None


class UntestedRow(TypedDict):
    """A rate of a group that has too few rows to be tested, with a Bayesian interval of its change."""

    attribute: str
    group: str
    rate: str
    rows: int
    before: float | None  # the baseline's rate
    value: float | None
    low: float
    high: float


@dataclass(frozen=True)
class GroupChange:
    """Change of a rate of one group, and whether it has enough rows to be tested; if not, the reason."""

    change: Change
    tested: bool
    why: str | None = None


Changes = dict[Name, GroupChange]


class MarginTest(NamedTuple):
    """A criterion with a margin: the tests of one rate, of all rows or of the groups of one attribute."""

    criterion: str
    attribute: str | None
    rate: str
    fewest: int  # groups with enough rows that it needs
    margin: float


class GroupRows(NamedTuple):
    """Test rows of one group."""

    group: str
    rows: int  # that a rate is a share of
    total: int
    why: str | None  # why they are too few, or None


@dataclass
class Assessed:
    """Evidence on all criteria of one variant.

    Attributes:
        criteria: one row per criterion, attribute and rate.
        parts: one row per part.
        evidence: on all of them together.
        untested: rates of groups with too few rows.
    """

    criteria: list[CriterionRow] = field(default_factory=list)
    parts: list[CriterionRow] = field(default_factory=list)
    untested: list[UntestedRow] = field(default_factory=list)
    evidence: Evidence = NOTHING


def changes(rows: Iterable[Mapping[str, Any]], pairs: Iterable[Mapping[str, Any]], seed: int | None = None) -> Changes:
    """Changes of every rate of every group, of one variant.

    Args:
        rows: comparison rows of the variant.
        pairs: rows of `compare.PairRow` of the variant.
        seed: the only model that the changes are about; None is all seeds.
    """
    counts: dict[Name, list[tuple[float, ...]]] = {}
    for row in sorted(pairs, key=lambda row: row["seed"]):
        if seed is None or row["seed"] == seed:
            entry = (row["rows"], row["gained"], row["lost"], row["held"], row["seeds_worth"])
            counts.setdefault(name_in(row), []).append(entry)
    by_name: Changes = {}
    for row in rows:
        name = name_in(row)
        if row["metric"] in PAIRED and name in counts:
            total, gained, lost, held, worth = np.array(counts[name], float).T
            n = float(total[0])
            with np.errstate(invalid="ignore", divide="ignore"):
                per_seed, before = (gained - lost) / n, held / n
            error = float("nan") if row["row_error"] is None else float(row["row_error"])
            pairs_of_mean = Pairs(n, float(gained.mean()), float(lost.mean()))
            change = Change(per_seed, error, pairs_of_mean, before, 1.0 if seed is not None else float(worth[0]))
            why = row["reason"] if isinstance(row.get("reason"), str) else None
            by_name[name] = GroupChange(change, row["status"] == "ok", why)
    return by_name


def name_in(row: Mapping[str, Any]) -> Name:
    """Metric, attribute and group of a comparison row."""
    attribute, group = (row[key] if isinstance(row[key], str) else None for key in ("attribute", "group"))
    return row["metric"], attribute, group


def assess(
    compared: Changes, ceilings: Mapping[str, tuple[Array, float, bool]], criteria: Criteria, attributes: list[str]
) -> Assessed:
    """Test every criterion of one variant.

    Args:
        compared: changes of the variant's rates, see `changes`.
        ceilings: measure -> values of the variant (K,), the limit, and whether the values are exact.
        criteria: `criteria` of the study file.
        attributes: attributes that the criteria are about.
    """
    tested = CriterionTests(compared, criteria, attributes)
    for test in margin_tests(criteria, attributes, tested.binary):
        if test.attribute is None:
            tested.overall(test.margin)
        elif test.criterion == "fairness_gap":
            tested.gap(test.attribute, test.rate, test.margin)
        elif test.criterion == "group_rates":
            tested.rates(test.attribute, test.rate, test.margin)
        else:
            tested.groups(test.criterion, test.attribute, test.margin)
    tested.floors()
    tested.harms()
    for name, (values, limit, exact) in ceilings.items():
        tested.ceiling(name, values, limit, exact)
    return tested.finish()


def margin_tests(criteria: Criteria, attributes: Iterable[str], binary: bool) -> Iterator[MarginTest]:
    """Every criterion with a margin, rate by rate, in the order in which they are tested.

    Args:
        criteria: `criteria` of the study file.
        attributes: attributes that the criteria are about.
        binary: whether the label has two classes.
    """
    margins = dict.fromkeys(("accuracy", *GROUP_MARGINS, "fairness_gap", "group_rates")) | criteria["margins"]
    rates = gap_rates(criteria["gap"], binary)
    if margins["accuracy"] is not None:
        yield MarginTest("accuracy", None, "accuracy", 1, margins["accuracy"])
    for attribute in attributes:
        wanted: list[tuple[str, tuple[str, ...], int]] = [(name, ("accuracy",), 1) for name in GROUP_MARGINS]
        wanted += [("fairness_gap", rates, 2), ("group_rates", tuple(rate for rate in rates if rate in ERRORS), 1)]
        for criterion, of_rates, fewest in wanted:
            margin = margins[criterion]
            if margin is not None:
                yield from (MarginTest(criterion, attribute, rate, fewest, margin) for rate in of_rates)


def gap_rates(gap: str | None, binary: bool) -> tuple[str, ...]:
    """Rates whose differences between groups the margin `fairness_gap` limits, each on its own.

    Args:
        gap: `criteria: gap` of the study file; None is equalized odds for a binary label, and the accuracy otherwise.
        binary: whether the label has two classes.
    """
    return GAPS[gap or (EQUALIZED_ODDS_DIFFERENCE if binary else "accuracy_difference")]


class CriterionTests:
    """Criteria of one variant as they are tested.

    Args:
        compared: changes of the variant's rates.
        criteria: `criteria` of the study file.
        attributes: attributes that the criteria are about.
    """

    def __init__(self, compared: Changes, criteria: Criteria, attributes: list[str]) -> None:
        self.compared, self.attributes = compared, attributes
        self.error_rate, self.demanded = criteria["error_rate"], criteria["untested"] == "undecided"
        self.margins = dict.fromkeys(("group_accuracy", "group_rates")) | criteria["margins"]
        self._tested: set[tuple[str | float | None, ...]] = set()
        self.binary = any(metric == "selection_rate" for metric, _, _ in compared)
        self.result = Assessed()
        self._margins: list[Evidence] = []  # of every part
        self._shifted: list[Array] = []
        self._ceilings: list[Evidence] = []

    def overall(self, margin: float) -> None:
        """Test the accuracy of all rows."""
        entry = self.compared.get(("accuracy", None, None))
        if entry is None or not entry.tested:
            self._without("accuracy", "there are too few test rows for the accuracy", margin, rate="accuracy")
            return
        row = self._change_row("accuracy", "accuracy", None, None, entry.change, margin)
        self.add([(row, entry.change.above(margin), entry.change.shifted(margin))])

    def groups(self, criterion: str, attribute: str, margin: float) -> None:
        """Test that no group with enough rows loses more accuracy than the margin."""
        parts = []
        for group, entry in self._groups("accuracy", attribute, criterion, margin):
            row = self._change_row(criterion, "accuracy", attribute, group, entry.change, margin)
            parts.append((row, entry.change.above(margin), entry.change.shifted(margin)))
        self.add(parts)

    def rates(self, attribute: str, rate: str, margin: float) -> None:
        """Test that no group's rate changes for the worse by more than the margin."""
        parts = []
        for group, entry in self._groups(rate, attribute, "group_rates", margin):
            better = entry.change.opposite() if rate == "false_positive_rate" else entry.change
            row = self._change_row("group_rates", rate, attribute, group, entry.change, margin)
            parts.append((row, better.above(margin), better.shifted(margin)))
        self.add(parts)

    def gap(self, attribute: str, rate: str, margin: float) -> None:
        """Test that no signed difference between two groups grows by more than the margin.

        A group that was clearly behind may catch up: then its difference must stay below the margin, and nobody may
        lose more than the margin by it.
        """
        groups = list(self._groups(rate, attribute, "fairness_gap", margin, fewest=2))
        parts = []
        for group, entry in groups:
            for other, against in groups:
                if group != other:
                    growth = Growth(entry.change, against.change)
                    row = self._growth_row(attribute, rate, (group, other), growth, margin)
                    parts.append((row, *_gap_evidence(growth, rate, margin)))
        self.add(parts)

    def floors(self) -> None:
        """No rate of any group with a few rows may silently fall to 0 or rise to 1."""
        for (rate, attribute, group), entry in self.compared.items():
            end = _end(rate, entry.change) if entry.change.rows >= FLOOR_ROWS else None
            if end is not None:
                self._harmed(rate, attribute, group, entry.change, "falls to 0" if end == 0 else "rises to 1")

    def harms(self) -> None:
        """No rate that is not tested may clearly change for the worse by more than its margin."""
        for entry in self.result.untested:
            margin = self.margins["group_accuracy" if entry["rate"] == "accuracy" else "group_rates"]
            change = self.compared[entry["rate"], entry["attribute"], entry["group"]].change
            if margin is None or change.rows < FLOOR_ROWS:
                continue
            worse = entry["low"] > margin if entry["rate"] == "false_positive_rate" else entry["high"] < -margin
            if worse:
                verb = "rises" if entry["rate"] == "false_positive_rate" else "falls"
                points = 100 * float(np.mean(change.per_seed))
                self._harmed(
                    entry["rate"], entry["attribute"], entry["group"], change, f"{verb} by {abs(points):.1f} points"
                )

    def _harmed(self, rate: str, attribute: str | None, group: str | None, change: Change, verb: str) -> None:
        row = self._change_row("floor", rate, attribute, group, change, 0.0)
        about = f"{rate.replace('_', ' ')}{_of_group(attribute, group)}"
        models = "this model" if len(change.per_seed) == 1 else "the models"
        self.undecided(row | {"reason": f"the {about} {verb} in {models} ({change.rows} rows)"})

    def ceiling(self, name: str, values: Array, limit: float, exact: bool) -> None:
        """Test that a measure is at most a limit."""
        evidence = decision.ceiling(values, limit, exact)
        known = len(values) > 0 and bool(np.isfinite(values).all())
        row = self.row(name, None, None, limit, evidence)
        row["seeds"] = len(values)
        if known:
            row |= {"value": float(np.mean(values)), "low": float(np.min(values)), "high": float(np.max(values))}
        else:
            row["reason"] = f"{name.replace('_', ' ')} is not measured"
        self.result.criteria.append(row)
        self._ceilings.append(evidence)

    def finish(self) -> Assessed:
        """Evidence on all criteria together, and the rates of groups that none of them covers."""
        together = []
        if self._margins:
            together.append(decision.every_part(self._margins, self._shifted))
        together += self._ceilings
        if together:
            proven = max(evidence.proven for evidence in together)
            refuted = min(1.0, len(together) * min(evidence.refuted for evidence in together))
            self.result.evidence = Evidence(proven, refuted, refuted)
        if self.demanded and self.result.untested:
            self.result.evidence = Evidence(1.0, self.result.evidence.refuted, self.result.evidence.crossed)
        return self.result

    def _groups(
        self, rate: str, attribute: str, criterion: str, margin: float, fewest: int = 1
    ) -> Iterator[tuple[str, GroupChange]]:
        """Groups of an attribute that can be tested; the others are listed, and too few of them leave it undecided."""
        groups = [(group, e) for (r, a, group), e in self.compared.items() if (r, a) == (rate, attribute) and group]
        tested = [(group, entry) for group, entry in groups if entry.tested]
        if len(tested) < fewest:
            rows = [self._group_rows(attribute, group, entry) for group, entry in groups]
            reason = why_untested(attribute, rate, rows, fewest, self._classes)
            self._without(criterion, reason, margin, attribute, rate)
            tested = []
        listed = {(row["attribute"], row["group"], row["rate"]) for row in self.result.untested}
        self.result.untested += [
            _untested_row(attribute, group, rate, entry.change)
            for group, entry in groups
            if not entry.tested and (attribute, group, rate) not in listed
        ]
        yield from tested

    def _group_rows(self, attribute: str, group: str, entry: GroupChange) -> GroupRows:
        whole = self.compared.get(("accuracy", attribute, group), entry)
        return GroupRows(
            group, entry.change.rows, whole.change.rows, None if entry.tested else entry.why or "too few rows"
        )

    @property
    def _classes(self) -> list[str] | None:
        """Names of the two classes of a binary label; None for another one."""
        names = [group for metric, attribute, group in self.compared if (metric, attribute) == ("accuracy", "class")]
        return ([str(name) for name in names] or ["0", "1"]) if self.binary else None

    def add(self, parts: Sequence[tuple[CriterionRow, Evidence, Array | None]]) -> None:
        """Add a criterion, whose row is that of its part with the weakest evidence."""
        if not parts:
            return
        rows = [self._with_evidence(row, evidence) for row, evidence, _ in parts]
        shifted = [values for *_, values in parts if values is not None]
        key = (rows[0]["rate"], rows[0]["attribute"], rows[0]["other_group"] is None, rows[0]["margin"])
        repeated = key in self._tested  # two criteria on the accuracy of groups may have the same margin
        self._tested.add(key)
        together = decision.every_part([evidence for _, evidence, _ in parts], shifted)
        weakest = max(rows, key=lambda row: (row["p_proven"], abs(row["value"] or 0)))
        self.result.parts += rows
        self.result.criteria.append(self._with_evidence(weakest, together) | {"parts": len(parts)})
        if not repeated:
            self._margins += [evidence for _, evidence, _ in parts]
            self._shifted += shifted

    def _without(
        self, criterion: str, reason: str, margin: float, attribute: str | None = None, rate: str | None = None
    ) -> None:
        """Add a criterion that cannot be tested: it is undecided."""
        self.undecided(self.row(criterion, attribute, rate, margin, NOTHING) | {"reason": reason})

    def undecided(self, row: CriterionRow) -> None:
        """Add a criterion that stays undecided, whatever the others are."""
        self.result.criteria.append(row)
        self._margins.append(NOTHING)

    def row(
        self, criterion: str, attribute: str | None, rate: str | None, margin: float, evidence: Evidence
    ) -> CriterionRow:
        """Make the row of a criterion about all rows, without values."""
        row: CriterionRow = {
            "criterion": criterion,
            "attribute": attribute,
            "group": None,
            "other_group": None,
            "rate": rate,
            "catches_up": False,
            "parts": 1,
            "rows": None,
            "seeds": None,
            "margin": margin,
            "value": None,
            "low": None,
            "high": None,
            "p_proven": 1.0,
            "p_refuted": 1.0,
            "verdict": UNDECIDED,
            "reason": None,
        }
        return self._with_evidence(row, evidence)

    def _with_evidence(self, row: CriterionRow, evidence: Evidence) -> CriterionRow:
        """A row with p-values, and the verdict on this criterion alone."""
        verdict = PROVEN if evidence.proven <= self.error_rate else UNDECIDED
        return row | {
            "p_proven": evidence.proven,
            "p_refuted": evidence.refuted,
            "verdict": REFUTED if evidence.refuted <= self.error_rate else verdict,
        }

    def _change_row(
        self, criterion: str, rate: str, attribute: str | None, group: str | None, change: Change, margin: float
    ) -> CriterionRow:
        low, high = change.interval()
        return self.row(criterion, attribute, rate, margin, NOTHING) | {
            "group": group,
            "rows": change.rows,
            "seeds": len(change.per_seed),
            "value": float(np.mean(change.per_seed)),
            "low": low,
            "high": high,
        }

    def _growth_row(
        self, attribute: str, rate: str, groups: tuple[str, str], growth: Growth, margin: float
    ) -> CriterionRow:
        low, high = growth.interval()
        return self.row("fairness_gap", attribute, rate, margin, NOTHING) | {
            "group": groups[0],
            "other_group": groups[1],
            "catches_up": growth.catching_up,
            "rows": growth.rows,
            "seeds": len(growth.per_seed),
            "value": float(np.mean(growth.per_seed)),
            "low": low,
            "high": high,
        }


def _gap_evidence(growth: Growth, rate: str, margin: float) -> tuple[Evidence, Array | None]:
    """Evidence on the growth of one signed difference, and the changes over seeds by which it may be refuted.

    The growth of a group's rate over that of another is no harm where it closes a clear gap because the group that is
    worse off improves. A false positive rate is better when lower; the other rates count as better when higher, so that
    a gap of selection rates may close by selecting more of one group, and not by selecting fewer of the other.
    """
    evidence = growth.below(margin)
    if not growth.catching_up:
        return evidence, growth.shifted(margin)
    keeps = growth.ahead.opposite() if rate == "false_positive_rate" else growth.behind
    nobody_loses = keeps.above(margin)
    harmless = max(growth.still_below(margin), nobody_loses.proven)
    refuted = max(evidence.refuted, nobody_loses.refuted)
    return Evidence(harmless, refuted, max(evidence.crossed, nobody_loses.crossed)), None


def _end(rate: str, change: Change) -> int | None:
    """0 or 1 if a rate reaches this end in every model and the baseline was at least a row away from it."""
    rows, held = change.rows, float(np.mean(change.before)) * change.rows
    after = held + change.pairs.gained - change.pairs.lost
    if rate in FALLS and after < 1e-9 and held >= 1:
        return 0
    return 1 if rate in RISES and after > rows - 1e-9 and held <= rows - 1 else None


def why_untested(
    attribute: str, rate: str, groups: Sequence[GroupRows], fewest: int, classes: Sequence[str] | None
) -> str:
    """Why a rate of the groups of an attribute cannot be tested, with the rows of the smallest groups.

    Args:
        attribute, rate: what is tested.
        groups: rows of every group; none where the label has no such rate.
        fewest: groups with enough rows that the test needs.
        classes: names of the negative and the positive class; None if there are more than two.
    """
    if rate != "accuracy" and classes is None:
        return f"the label has more than two classes, so that it has no {rate.replace('_', ' ')}"
    label = classes[ERRORS[::-1].index(rate)] if classes is not None and rate in ERRORS else None
    if not any(entry.rows for entry in groups):
        kind = "" if label is None else f" with the label {label!r}"
        return f"no test row{kind} belongs to a group of {attribute}"
    enough = "fewer than two groups" if fewest == 2 else "no group"
    verb = "have" if fewest == 2 else "has"
    few = sorted((entry for entry in groups if entry.why is not None), key=lambda entry: -entry.rows)
    rows = "; ".join(_rows_in_words(entry, label) for entry in few[:MOST_GROUPS])
    more = f"; and {len(few) - MOST_GROUPS} more" if len(few) > MOST_GROUPS else ""
    return f"{enough} of {attribute} {verb} enough rows for the {rate.replace('_', ' ')}: {rows}{more}"


def _rows_in_words(entry: GroupRows, label: str | None) -> str:
    if label is None:
        return f"{entry.group} has {entry.rows:,} test row{'' if entry.rows == 1 else 's'} ({entry.why})"
    return f"{entry.rows:,} of the {entry.total:,} test rows of {entry.group} have the label {label!r} ({entry.why})"


def _untested_row(attribute: str, group: str, rate: str, change: Change) -> UntestedRow:
    low, high = paired_shares.posterior_interval(change.pairs)
    known = change.rows > 0
    return {
        "attribute": attribute,
        "group": group,
        "rate": rate,
        "rows": change.rows,
        "before": float(np.mean(change.before)) if known else None,
        "value": float(np.mean(change.per_seed)) if known else None,
        "low": low,
        "high": high,
    }


def _of_group(attribute: str | None, group: str | None) -> str:
    of_group = f" of {group}" if isinstance(group, str) else ""
    return of_group + (f" by {attribute}" if isinstance(attribute, str) else "")


def listed(untested: Iterable[UntestedRow]) -> str:
    """Rates of groups that are not tested, in words: "true positive rate of Other (race), <25 (age)"."""
    by_rate: dict[str, dict[str, list[str]]] = {}
    for row in untested:
        by_rate.setdefault(row["rate"], {}).setdefault(row["attribute"], []).append(row["group"])
    return "; ".join(
        f"{rate.replace('_', ' ')} of " + ", ".join(f"{', '.join(groups)} ({a})" for a, groups in by_attribute.items())
        for rate, by_attribute in by_rate.items()
    )


def name_of(entry: Mapping[str, Any]) -> str:
    """A criterion in words, with its rate, groups and attribute."""
    criterion, rate = entry["criterion"], entry.get("rate")
    if criterion == "fairness_gap" and isinstance(rate, str):
        groups = f" of {entry['group']} over {entry['other_group']}" if isinstance(entry["group"], str) else ""
        return f"difference of the {rate.replace('_', ' ')}{groups} by {entry['attribute']}"
    if criterion in ("floor", "group_rates"):
        return f"{str(rate).replace('_', ' ')}{_of_group(entry['attribute'], entry['group'])}"
    return f"{criterion.replace('_', ' ')}{_of_group(entry['attribute'], entry['group'])}"
