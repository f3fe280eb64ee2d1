"""Rates of groups and gaps between groups from counts: of the rows as they are, or of all bootstrap replicates at once.

This module defines every rate of a binary label once: what it is a share of, how it follows from counts, and the names
of its comparisons between groups. Assessments and comparisons of variants both use it.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fairweight.statistics.crossed_uncertainty import Tallies

Array = np.ndarray[Any, Any]
Fraction = tuple[Array, Array]  # numerator and denominator
MOST_COUNTERS = 2**24  # possible combinations of groups up to which they are counted and not sorted


@dataclass(frozen=True)
class Counts:
    """Counts of a binary label and its predictions: arrays of one shape, or of shapes that broadcast."""

    rows: Array
    positives: Array  # rows whose label is positive
    selected: Array  # rows that are predicted positive
    true_positives: Array

    @functools.cached_property
    def negatives(self) -> Array:
        """Rows whose label is negative."""
        return self.rows - self.positives

    @functools.cached_property
    def false_positives(self) -> Array:
        """Negatives that are predicted positive."""
        return self.selected - self.true_positives

    @functools.cached_property
    def true_negatives(self) -> Array:
        """Negatives that are predicted negative."""
        return self.negatives - self.false_positives


class Rate(NamedTuple):
    """A rate: the kind of rows that it is a share of, and its numerator and denominator."""

    share_of: str
    numerator: Callable[[Counts], Array]
    denominator: Callable[[Counts], Array]

    def fraction(self, counts: Counts) -> Fraction:
        """Numerator and denominator, each of the shape of its counts."""
        return self.numerator(counts), self.denominator(counts)


RATES = {
    "accuracy": Rate("rows", lambda c: c.true_positives + c.true_negatives, lambda c: c.rows),
    "selection_rate": Rate("rows", lambda c: c.selected, lambda c: c.rows),
    "base_rate": Rate("rows", lambda c: c.positives, lambda c: c.rows),
    "true_positive_rate": Rate("positives", lambda c: c.true_positives, lambda c: c.positives),
    "false_negative_rate": Rate("positives", lambda c: c.positives - c.true_positives, lambda c: c.positives),
    "false_positive_rate": Rate("negatives", lambda c: c.false_positives, lambda c: c.negatives),
    "true_negative_rate": Rate("negatives", lambda c: c.true_negatives, lambda c: c.negatives),
    "positive_predictive_value": Rate("predicted positives", lambda c: c.true_positives, lambda c: c.selected),
    "negative_predictive_value": Rate("predicted negatives", lambda c: c.true_negatives, lambda c: c.rows - c.selected),
}
# rates whose changes are compared; the base rate is the same in every model, the others are complements of one of these
COMPARED = (
    "accuracy",
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "positive_predictive_value",
    "negative_predictive_value",
)
# rate -> names of its largest difference and its smallest ratio between groups (Hardt et al. 2016; Chouldechova 2017;
# Agarwal et al. 2018)
BETWEEN = {
    "accuracy": ("accuracy_difference", "accuracy_ratio"),
    "selection_rate": ("demographic_parity_difference", "demographic_parity_ratio"),
    "true_positive_rate": ("equal_opportunity_difference", "equal_opportunity_ratio"),
    "false_positive_rate": ("false_positive_rate_difference", "false_positive_rate_ratio"),
    "positive_predictive_value": ("predictive_parity_difference", "predictive_parity_ratio"),
}
# rates that are shares of the same rows in every model, so that models are paired row by row
PAIRED = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate")
EQUALIZED_ODDS = ("true_positive_rate", "false_positive_rate")  # rates that equalized odds compare (Hardt et al. 2016)
EQUALIZED_ODDS_DIFFERENCE, EQUALIZED_ODDS_MEAN = "equalized_odds_difference", "equalized_odds_difference_mean"
# gap between groups -> the rates whose differences it combines
GAPS: dict[str, tuple[str, ...]] = {
    **{difference: (rate,) for rate, (difference, _) in BETWEEN.items()},
    EQUALIZED_ODDS_DIFFERENCE: EQUALIZED_ODDS,
    EQUALIZED_ODDS_MEAN: EQUALIZED_ODDS,
}


def equalized_odds(differences: Sequence[Any]) -> dict[str, Any]:
    """Combine the differences of the two rates of equalized odds.

    Args:
        differences: of each rate of `EQUALIZED_ODDS`, numbers or arrays of one shape.

    Returns:
        By name: the larger of them (Agarwal et al. 2018) and their mean (AIF360's average absolute odds difference).
    """
    return {
        EQUALIZED_ODDS_DIFFERENCE: np.maximum.reduce(differences),
        EQUALIZED_ODDS_MEAN: np.mean(differences, axis=0),
    }


def large_enough(denominators: Array, smallest: int) -> Array:
    """Whether groups have enough rows of the kind that a rate is a share of to be ranked; never without any row."""
    return denominators >= max(smallest, 1)


@dataclass(frozen=True)
class Layout:
    """Which rows belong to which groups, as strata that no group divides.

    A stratum holds the rows with one combination of groups and label. Group 0 is all rows; `names` are
    (attribute, level).
    """

    strata: Array  # int32 (n,)
    labels: Array  # int (F,) label of each stratum
    member: Array  # float32 (G, F) 1 where the stratum belongs to the group
    names: list[tuple[str | None, str | None]]  # (G,)
    binary: bool

    @classmethod
    def from_rows(
        cls, labels: Array, groups: dict[str, Array], levels: dict[str, tuple[str, ...]], classes: int
    ) -> "Layout":
        """Lay out rows.

        Args:
            labels: int (n,).
            groups: attribute -> codes (n,), -1 for none.
            levels: attribute -> its levels.
            classes: number of classes of the label.
        """
        strata, kinds = _combinations([labels, *groups.values()])
        names: list[tuple[str | None, str | None]] = [(None, None)]
        member = [np.ones(kinds.shape[1], bool)]
        for position, attribute in enumerate(groups, start=1):
            for code, level in enumerate(levels[attribute]):
                names.append((attribute, level))
                member.append(kinds[position] == code)
        return cls(strata, kinds[0], np.stack(member).astype(np.float32), names, classes == 2)

    @property
    def number(self) -> int:
        """F, the number of strata."""
        return len(self.labels)

    @property
    def attributes(self) -> dict[str, Array]:
        """Attribute -> positions of its groups among all groups."""
        positions: dict[str, list[int]] = {}
        for position, (attribute, _) in enumerate(self.names):
            if attribute is not None:
                positions.setdefault(attribute, []).append(position)
        return {attribute: np.array(of_attribute) for attribute, of_attribute in positions.items()}

    def marks(self, predictions: Array, labels: Array) -> Array:
        """What is counted of predictions (n, M): predicted positives for a binary label, otherwise hits."""
        return predictions == 1 if self.binary else predictions == labels[:, None]


def _combinations(columns: list[Array]) -> tuple[Array, Array]:
    """Combinations of codes (n,) that occur: that of each row, int32 (n,), and their codes (columns, F) in order."""
    places = np.zeros(len(columns[0]), np.int32)
    kinds = np.zeros((0, 1), np.int64)
    for codes in columns:
        least = int(codes.min(initial=0))
        width = int(codes.max(initial=0)) - least + 1
        both = places.astype(np.int64) * width + codes - least
        if kinds.shape[1] * width <= MOST_COUNTERS:
            occurs = np.bincount(both, minlength=kinds.shape[1] * width) > 0
            present, places = np.flatnonzero(occurs), (np.cumsum(occurs, dtype=np.int32) - 1)[both]
        else:
            present, inverse = np.unique(both, return_inverse=True)
            places = inverse.astype(np.int32)
        kinds = np.concatenate([kinds[:, present // width], (present % width + least)[None]])
    return places, kinds


def _sums(member: Array, marked: Array) -> Array:
    strata, replicates, models = marked.shape
    return (member @ marked.reshape(strata, replicates * models)).reshape(-1, replicates, models)


def fractions(layout: Layout, tallies: Tallies) -> dict[str, Fraction]:
    """Numerator and denominator of each compared rate of each group.

    Args:
        layout: groups of the rows.
        tallies: counts of B replicates and M models.

    Returns:
        Rate -> two arrays of shape (G, B, M), or (G, B, 1) where a count does not depend on the model. For a label with
        more than two classes there is accuracy alone.
    """
    rows = (layout.member @ tallies.rows)[..., None]
    if not layout.binary:
        return {"accuracy": (_sums(layout.member, tallies.marked), rows)}
    positive = layout.member * (layout.labels == 1)
    counts = Counts(
        rows=rows,
        positives=(positive @ tallies.rows)[..., None],
        selected=_sums(layout.member, tallies.marked),
        true_positives=_sums(positive, tallies.marked),
    )
    return {name: RATES[name].fraction(counts) for name in COMPARED}


def paired_fractions(
    layout: Layout, gained: Tallies, lost: Tallies, held: Tallies
) -> dict[str, tuple[Array, Array, Array]]:
    """Rows of each group that count with the variant only, with the baseline only, and with the baseline at all.

    Args:
        layout: groups of the rows.
        gained, lost, held: one replicate of the marks (see `Layout.marks`) that only the variant has, that only the
            baseline has, and that the baseline has; K models each.

    Returns:
        Rate of `PAIRED` -> three arrays (G, K). For a label with more than two classes there is accuracy alone.
    """
    marked = [tallies.marked[:, 0] for tallies in (gained, lost, held)]
    if not layout.binary:
        return {"accuracy": _per_group(layout.member, marked)}
    positive, negative = layout.member * (layout.labels == 1), layout.member * (layout.labels == 0)
    # a negative is a hit where it is not predicted positive
    up, down, before = marked
    rows = held.rows[:, :1]
    ups, downs, hits = _per_group(negative, [down, up, rows - before])
    right, wrong, held_right = _per_group(positive, marked)
    return {
        "accuracy": (right + ups, wrong + downs, held_right + hits),
        "selection_rate": _per_group(layout.member, marked),
        "true_positive_rate": _per_group(positive, marked),
        "false_positive_rate": _per_group(negative, marked),
    }


def _per_group(member: Array, marked: list[Array]) -> tuple[Array, Array, Array]:
    gained, lost, held = (member @ counts for counts in marked)
    return gained, lost, held


def group_rates(layout: Layout, tallies: Tallies) -> dict[str, Array]:
    """Rates of each group (G, B, M); NaN where a group has no rows that the rate is a share of."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: above / below for name, (above, below) in fractions(layout, tallies).items()}


def ranked(layout: Layout, tallies: Tallies, smallest: int) -> dict[str, Array]:
    """Groups that have enough rows of the kind that a rate is a share of, in every model: bool (G,) by rate."""
    fewest = {name: below[:, 0].min(axis=-1) for name, (_, below) in fractions(layout, tallies).items()}
    return {name: large_enough(rows, smallest) for name, rows in fewest.items()}


def gaps(rates: dict[str, Array], groups: Array, enough: dict[str, Array]) -> dict[str, Array]:
    """Gaps between the groups of one attribute, and the worst group's accuracy: (B, M) each.

    Args:
        rates: rates of each group, see `group_rates`.
        groups: positions of the attribute's groups.
        enough: ranked groups, see `ranked`; a comparison with fewer than two such groups is left out.
    """
    kept = {rate: groups[enough[rate][groups]] for rate in rates}
    spans = {rate: np.ptp(rates[rate][kept[rate]], axis=0) for rate in rates if rate in BETWEEN and len(kept[rate]) > 1}
    between = {BETWEEN[rate][0]: spans[rate] for rate in BETWEEN if rate in spans}
    if all(rate in spans for rate in EQUALIZED_ODDS):
        between |= equalized_odds([spans[rate] for rate in EQUALIZED_ODDS])
    if len(kept["accuracy"]) > 1:
        between["worst_group_accuracy"] = rates["accuracy"][kept["accuracy"]].min(axis=0)
    return between


def rates_and_gaps(layout: Layout, tallies: Tallies, enough: dict[str, Array]) -> dict[tuple[str, str | None], Array]:
    """Every rate, (name, None) -> (G, B, M), and every gap between groups, (name, attribute) -> (B, M)."""
    rates = group_rates(layout, tallies)
    every: dict[tuple[str, str | None], Array] = {(name, None): values for name, values in rates.items()}
    for attribute, groups in layout.attributes.items():
        every |= {(name, attribute): values for name, values in gaps(rates, groups, enough).items()}
    return every
