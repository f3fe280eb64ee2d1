"""Rates of groups, and gaps between groups, from counts: of rows as they are or of all replicates at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fairweight.statistics.crossed import Tallies

Array = np.ndarray[Any, Any]

# rate -> what it is a share of; of a label with more than two classes there is accuracy alone
BASES = {
    "accuracy": "rows",
    "selection_rate": "rows",
    "true_positive_rate": "positives",
    "false_positive_rate": "negatives",
    "positive_predictive_value": "predicted_positives",
    "negative_predictive_value": "predicted_negatives",
}
# comparison of an attribute's groups -> the rates whose gaps it is the largest of, or the mean
GAPS: dict[str, tuple[str, ...]] = {
    "accuracy_difference": ("accuracy",),
    "demographic_parity_difference": ("selection_rate",),
    "equal_opportunity_difference": ("true_positive_rate",),
    "false_positive_rate_difference": ("false_positive_rate",),
    "predictive_parity_difference": ("positive_predictive_value",),
    "equalized_odds_difference": ("true_positive_rate", "false_positive_rate"),
}


@dataclass(frozen=True)
class Layout:
    """Which rows belong to which groups, as cells that no group divides.

    A cell is a combination of groups and label.  Group 0 is all rows; `names` are (attribute, level).
    """

    cells: Array  # int (n,)
    labels: Array  # int (F,) label of each cell
    member: Array  # float32 (G, F) 1 where the cell belongs to the group
    names: list[tuple[str | None, str | None]]  # (G,)
    binary: bool

    @classmethod
    def of(cls, labels: Array, groups: dict[str, Array], levels: dict[str, tuple[str, ...]], classes: int) -> "Layout":
        """Lay out rows.

        Args:
            labels: int (n,).
            groups: attribute -> codes (n,), -1 for none.
            levels: attribute -> its levels.
            classes: of the label.
        """
        columns = np.stack([labels, *groups.values()])
        kinds, cells = np.unique(columns, axis=1, return_inverse=True)
        names: list[tuple[str | None, str | None]] = [(None, None)]
        member = [np.ones(kinds.shape[1], bool)]
        for position, attribute in enumerate(groups, start=1):
            for code, level in enumerate(levels[attribute]):
                names.append((attribute, level))
                member.append(kinds[position] == code)
        return cls(cells.reshape(-1), kinds[0], np.stack(member).astype(np.float32), names, classes == 2)

    @property
    def number(self) -> int:
        """Number of cells."""
        return len(self.labels)

    @property
    def attributes(self) -> dict[str, Array]:
        """Attribute -> positions of its groups among all."""
        found: dict[str, list[int]] = {}
        for position, (attribute, _) in enumerate(self.names):
            if attribute is not None:
                found.setdefault(attribute, []).append(position)
        return {attribute: np.array(positions) for attribute, positions in found.items()}

    def marks(self, predictions: Array, labels: Array) -> Array:
        """What is counted of predictions (n, M): positives of a binary label, else hits."""
        return predictions == 1 if self.binary else predictions == labels[:, None]


def _sums(member: Array, marked: Array) -> Array:
    cells, replicates, models = marked.shape
    return (member @ marked.reshape(cells, replicates * models)).reshape(-1, replicates, models)


def counts(layout: Layout, tallies: Tallies) -> dict[str, tuple[Array, Array]]:
    """Numerator and denominator of each rate of each group: (G, B, M) each, the denominator of rows (G, B, 1)."""
    everyone = (layout.member @ tallies.rows)[..., None]
    if not layout.binary:
        return {"accuracy": (_sums(layout.member, tallies.marked), everyone)}
    positive = layout.member * (layout.labels == 1)
    positives = (positive @ tallies.rows)[..., None]
    negatives = everyone - positives
    true, selected = _sums(positive, tallies.marked), _sums(layout.member, tallies.marked)
    false = selected - true
    return {
        "accuracy": (true + negatives - false, everyone),
        "selection_rate": (selected, everyone),
        "true_positive_rate": (true, positives),
        "false_positive_rate": (false, negatives),
        "positive_predictive_value": (true, selected),
        "negative_predictive_value": (negatives - false, everyone - selected),
    }


def rates(layout: Layout, tallies: Tallies) -> dict[str, Array]:
    """Rates of each group (G, B, M); NaN where a group has no rows that the rate is a share of."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: above / below for name, (above, below) in counts(layout, tallies).items()}


def ranked(layout: Layout, tallies: Tallies, smallest: int) -> dict[str, Array]:
    """Groups that have enough rows of the kind that a rate is a share of, in every model: bool (G,) by rate."""
    fewest = {name: below[:, 0].min(axis=-1) for name, (_, below) in counts(layout, tallies).items()}
    return {name: rows >= max(smallest, 1) for name, rows in fewest.items()}


def comparisons(found: dict[str, Array], groups: Array, enough: dict[str, Array]) -> dict[str, Array]:
    """Gaps between the groups of one attribute, and the worst group's accuracy: (B, M) each.

    Args:
        found: what `rates` returned.
        groups: positions of the attribute's groups.
        enough: what `ranked` returned; a comparison with fewer than two such groups is left out.
    """
    gaps: dict[str, Array] = {}
    for name, of in GAPS.items():
        if not all(rate in found for rate in of):
            continue
        kept = [groups[enough[rate][groups]] for rate in of]
        if min(map(len, kept)) < 2:
            continue
        spans = [np.ptp(found[rate][k], axis=0) for rate, k in zip(of, kept, strict=True)]
        gaps[name] = np.maximum.reduce(spans)
        if len(of) > 1:
            gaps[f"{name}_mean"] = np.mean(spans, axis=0)
    kept_accuracy = groups[enough["accuracy"][groups]]
    if len(kept_accuracy) > 1:
        gaps["worst_group_accuracy"] = found["accuracy"][kept_accuracy].min(axis=0)
    return gaps


def measured(layout: Layout, tallies: Tallies, enough: dict[str, Array]) -> dict[tuple[str, str | None], Array]:
    """Every rate, (name, None) -> (G, B, M), and every comparison of groups, (name, attribute) -> (B, M)."""
    found = rates(layout, tallies)
    every: dict[tuple[str, str | None], Array] = {(name, None): values for name, values in found.items()}
    for attribute, groups in layout.attributes.items():
        every |= {(name, attribute): values for name, values in comparisons(found, groups, enough).items()}
    return every
