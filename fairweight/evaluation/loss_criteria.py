"""Evidence on the criteria of a study for labels that are numbers: mean losses and mean errors, by group."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from fairweight.core.labels import ABSOLUTE, BIAS, LOSSES
from fairweight.core.recipes import Criteria
from fairweight.evaluation.criteria import MOST_GROUPS, Assessed, CriterionRow, CriterionTests, Name, name_in
from fairweight.statistics.decision import CLEARLY, NOTHING, Evidence
from fairweight.statistics.loss_changes import LossChange, Moments

Array = np.ndarray[Any, Any]


class Entry(NamedTuple):
    """Change of a loss of some rows, and whether they are enough to be tested."""

    change: LossChange
    tested: bool


Changes = dict[Name, Entry]
Parts = list[tuple[CriterionRow, Evidence, Array | None]]


class Limit(NamedTuple):
    """A margin in the unit of the loss, and the share of the baseline's loss that it is, if it is relative."""

    value: float
    relative: float | None


def is_about_losses(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether comparison rows are about losses that are numbers."""
    return any(row["metric"] == ABSOLUTE for row in rows)


def changes(rows: Iterable[Mapping[str, Any]], pairs: Iterable[Mapping[str, Any]], seed: int | None = None) -> Changes:
    """Changes of every loss of all rows and of every group, of one variant.

    Args:
        rows: comparison rows of the variant.
        pairs: rows of `compare_losses.pair_rows` of the variant.
        seed: the only model that the changes are about; None is all seeds.
    """
    of_seeds: dict[Name, list[Mapping[str, Any]]] = {}
    together: dict[Name, Moments] = {}
    for row in sorted(pairs, key=lambda row: -1 if np.isnan(row["seed"]) else row["seed"]):
        if np.isnan(row["seed"]):
            together[name_in(row)] = _moments(row)
        elif seed is None or row["seed"] == seed:
            of_seeds.setdefault(name_in(row), []).append(row)
    by_name: Changes = {}
    for row in rows:
        name = name_in(row)
        if name in of_seeds:
            before, after = (np.array([entry[key] for entry in of_seeds[name]]) for key in ("before", "after"))
            moments = together[name] if seed is None else _moments(of_seeds[name][0])
            by_name[name] = Entry(LossChange(before, after, moments), row["status"] == "ok")
    return by_name


def _moments(row: Mapping[str, Any]) -> Moments:
    covariance = np.array([[row["var_before"], row["covariance"]], [row["covariance"], row["var_after"]]])
    third = np.array([row[f"third_{power}"] for power in range(4)])
    return Moments(int(row["rows"]), covariance, third, float(row["square"]))


def assess(
    compared: Changes, ceilings: Mapping[str, tuple[Array, float, bool]], criteria: Criteria, attributes: list[str]
) -> Assessed:
    """Test every criterion of one variant; parameters as of `criteria.assess`."""
    tested = _Tests(compared, criteria, attributes)
    tested.loss(None)
    for name in attributes:
        tested.loss(name)
    tested.bias(None)
    for name in attributes:
        tested.bias(name)
    for name, (values, limit, exact) in ceilings.items():
        tested.ceiling(name, values, limit, exact)
    return tested.finish()


class _Tests(CriterionTests):
    """Criteria of one variant as they are tested.

    Args:
        compared: changes of the variant's losses.
        criteria: `criteria` of the study file.
        attributes: attributes that the criteria are about.
    """

    def __init__(self, compared: Changes, criteria: Criteria, attributes: list[str]) -> None:
        super().__init__({}, criteria, attributes)
        self.losses, self.of_study = compared, criteria["margins"]
        self.key = str(criteria.get("loss", ABSOLUTE))

    def loss(self, attribute: str | None) -> None:
        """Test that the mean loss of all rows, or of every group of an attribute, rises by less than the margin."""
        criterion = "loss" if attribute is None else "group_loss"
        margin = self.of_study.get(criterion)
        if margin is None:
            return
        parts: Parts = []
        for group, change in self._rows(criterion, attribute, self.key):
            limit = _limit(margin, change.before)
            row = self._row_of(criterion, self.key, attribute, group, change, limit.value)
            test = (0.0, -(1 + limit.relative), 1.0) if limit.relative is not None else (limit.value, -1.0, 1.0)
            parts.append((row, change.below(*test), change.shifted(*test)))
        self.add(parts)

    def bias(self, attribute: str | None) -> None:
        """Test that the mean error moves by less than the margin, up or down: nobody is predicted too high or low.

        Where the baseline clearly predicts too high, its mean error may fall, as long as it does not fall below 0 by
        the margin; and the reverse.
        """
        margin = self.of_study.get("bias")
        if margin is None:
            return
        parts: Parts = []
        for group, change in self._rows("bias", attribute, BIAS):
            limit = _limit(margin, self.losses[ABSOLUTE, attribute, group].change.before).value
            clearly = float(np.mean(change.before)) / change.error_before
            up = (0.0, 1.0) if clearly < -CLEARLY else (-1.0, 1.0)
            down = (0.0, -1.0) if clearly > CLEARLY else (1.0, -1.0)
            for weights in (up, down):
                row = self._row_of("bias", BIAS, attribute, group, change, limit)
                catches_up = weights[0] == 0
                shifted = None if catches_up else change.shifted(limit, *weights)
                parts.append((row | {"catches_up": catches_up}, change.below(limit, *weights), shifted))
        self.add(parts)

    def _rows(self, criterion: str, attribute: str | None, loss: str) -> Iterator[tuple[str | None, LossChange]]:
        """All rows, or the groups of an attribute that can be tested; without any the criterion is undecided."""
        entries = [(group, e) for (key, a, group), e in self.losses.items() if (key, a) == (loss, attribute)]
        tested = [(group, entry.change) for group, entry in entries if entry.tested]
        if not tested:
            title = _title(loss)
            few = "; ".join(f"{g} has {e.change.rows:,} test rows" for g, e in entries[:MOST_GROUPS])
            reason = f"there are too few test rows for the {title}"
            if attribute is not None:
                reason = f"no group of {attribute} has enough rows for the {title}: {few or 'there is none'}"
            self.undecided(self.row(criterion, attribute, loss, 0.0, NOTHING) | {"reason": reason})
        listed = {(row["attribute"], row["group"]) for row in self.result.untested}
        for group, entry in entries:
            if (
                isinstance(attribute, str)
                and isinstance(group, str)
                and not entry.tested
                and (attribute, group) not in listed
            ):
                self._untested(attribute, group, loss, entry.change)
        yield from tested

    def _untested(self, attribute: str, group: str, loss: str, change: LossChange) -> None:
        low, high = change.interval() if change.rows > 1 else (np.nan, np.nan)
        self.result.untested.append(
            {
                "attribute": attribute,
                "group": group,
                "rate": loss,
                "rows": change.rows,
                "before": float(np.mean(change.before)),
                "value": float(np.mean(change.per_seed)),
                "low": low,
                "high": high,
            }
        )

    def _row_of(
        self, criterion: str, loss: str, attribute: str | None, group: str | None, change: LossChange, margin: float
    ) -> CriterionRow:
        low, high = change.interval()
        row = self.row(criterion, attribute, loss, margin, Evidence(1.0, 1.0, 1.0))
        return row | {
            "group": group,
            "rows": change.rows,
            "seeds": len(change.per_seed),
            "value": float(np.mean(change.per_seed)),
            "low": low,
            "high": high,
        }


def _limit(margin: Mapping[str, float], before: Array) -> Limit:
    """A margin of the study file against the baseline's mean losses (K,)."""
    if "absolute" in margin:
        return Limit(float(margin["absolute"]), None)
    return Limit(float(margin["relative"]) * float(np.mean(before)), float(margin["relative"]))


def _title(loss: str) -> str:
    return LOSSES[loss].title.lower() if loss in LOSSES else "mean error"
