"""What a study of numbers can prove and what it cannot, from the numbers of its test rows by group."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairweight.core.labels import ABSOLUTE, BIAS
from fairweight.core.recipes import Criteria
from fairweight.evaluation.testable_rates import CANNOT, MORE_ROWS, SEEDS, SMALL_GROUPS, WAYS_OUT, WIDE, PowerRow
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.loss_changes import provable

MOST_GROUPS = 6  # that a sentence names


@dataclass(frozen=True)
class LossPlan:
    """What can be proven on one dataset whose labels are numbers.

    Attributes:
        dataset: its name.
        rows: number of its test rows.
        groups: attribute -> group -> number of its test rows.
        criteria: `criteria` of the study file.
        tests: variants in the largest family.
        seeds: number of seeds.
        smallest: losses of groups with fewer rows are reported, not tested.
    """

    dataset: str
    rows: int
    groups: Mapping[str, Mapping[str, int]]
    criteria: Criteria
    tests: int
    seeds: int
    smallest: int

    @staticmethod
    def counted(groups: Mapping[str, Any], levels: Mapping[str, Any], share: float = 1.0) -> dict[str, dict[str, int]]:
        """Rows of each group, or those that are expected in a random share of the rows.

        Args:
            groups: attribute -> code into its levels (n,); -1 is none.
            levels: attribute -> names of its groups.
            share: the share.
        """
        return {
            name: {str(level): round(share * int((codes == code).sum())) for code, level in enumerate(levels[name])}
            for name, codes in groups.items()
        }

    @property
    def unreachable(self) -> str | None:
        """Why nothing can be proven with these seeds; None where something can."""
        if self.seeds < 2 or not self.tests:
            return None
        return reason_for_seeds(self.seeds, self.tests, self.criteria["error_rate"], 1)

    def margins(self) -> Iterator[PowerRow]:
        """For each criterion with a margin, the smallest relative margin that can be proven, or why it is undecided."""
        wanted = self.criteria["attributes"]
        attributes = [name for name in self.groups if wanted is None or name in wanted]
        for criterion in ("loss", "group_loss", "bias"):
            margin = self.criteria["margins"].get(criterion)
            if margin is None:
                continue
            whole = [] if criterion == "group_loss" else [None]
            for attribute in [*whole, *([] if criterion == "loss" else attributes)]:
                yield self._margin(criterion, attribute, margin)

    def _margin(self, criterion: str, attribute: str | None, margin: Mapping[str, float]) -> PowerRow:
        sizes = [self.rows] if attribute is None else sorted(self.groups[attribute].values())
        tested = [n for n in sizes if n >= max(self.smallest, 2)]
        row: PowerRow = {
            "dataset": self.dataset,
            "attribute": attribute,
            "group": None,
            "rate": BIAS if criterion == "bias" else self.criteria.get("loss", ABSOLUTE),
            "rows": tested[0] if tested else 0,
            "seeds": self.seeds,
            "tests": self.tests,
            "detectable": None,
            "provable": None,
            "reason": self.unreachable,
            "criterion": criterion,
            "margin": margin.get("relative"),
            "decidable": self.unreachable is None,
        }
        if not tested:
            whom = "there are too few test rows" if attribute is None else f"no group of {attribute} has enough rows"
            return row | {"reason": whom, "decidable": False}
        least = provable(tested[0], self.criteria["error_rate"] / max(self.tests, 1))
        row["provable"] = least
        if row["reason"] is None and "relative" in margin and least > margin["relative"]:
            row["reason"] = (
                f"with {tested[0]:,} rows of the smallest tested group, rises down to {100 * least:.2g} % can be "
                f"excluded at best, and the margin is {100 * margin['relative']:g} %"
            )
            row["decidable"] = False
        return row

    def in_words(self, row: PowerRow) -> str:
        """Criterion and attribute of a row."""
        by = f" by {row['attribute']}" if row["attribute"] else ""
        return f"{str(row['criterion']).replace('_', ' ')}{by}"

    def small(self) -> Iterator[tuple[str, str, int]]:
        """(attribute, group, rows) of the groups that are too small to be tested."""
        for attribute, groups in self.groups.items():
            yield from ((attribute, group, n) for group, n in groups.items() if n < self.smallest)

    def sentences(self) -> Iterator[str]:
        """What cannot be decided, one sentence for each criterion, then the ways out; nothing without a comparison."""
        if not self.tests:
            return
        ways: dict[str, None] = {}
        if self.unreachable:
            yield f"{CANNOT}{self.dataset}: nothing can be proven: it {self.unreachable}."
            ways |= dict.fromkeys(SEEDS)
        for row in self.margins() if not self.unreachable else ():
            if row["reason"] is not None:
                yield f"{CANNOT}{self.dataset}: {self.in_words(row)} stays undecided in every variant: {row['reason']}."
                ways |= dict.fromkeys(WIDE if row["provable"] is not None else (MORE_ROWS,))
        if small := list(self.small()):
            named = ", ".join(f"{group} ({attribute}) {n:,}" for attribute, group, n in small[:MOST_GROUPS])
            more = f" and {len(small) - MOST_GROUPS} more" if len(small) > MOST_GROUPS else ""
            yield (
                f"{CANNOT}{self.dataset}: groups with fewer than {self.smallest} test rows are reported and not "
                f"tested: {named}{more}."
            )
            ways |= dict.fromkeys(SMALL_GROUPS)
        if ways:
            *first, last = ways
            yield f"{WAYS_OUT}{self.dataset}: {', '.join(first)}{', or ' if first else ''}{last}."

    def statement(self) -> Iterator[str]:
        """What can be proven, in lines."""
        yield f"{self.dataset}, {self.seeds} seed{'' if self.seeds == 1 else 's'}: relative margins that can be proven"
        for row in self.margins():
            least = "undecided, see above" if row["provable"] is None else f"{100 * row['provable']:.2g} % or more"
            yield f"  {self.in_words(row)}: {least} ({row['rows']:,} rows of the smallest tested group)"
        yield (
            "  This is the best case, of losses that hardly vary; how much more is needed depends on their spread, "
            "which is known after training."
        )
