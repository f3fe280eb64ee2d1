"""The next step of an answer with undecided or refuted variants: what would decide it."""

from collections.abc import Iterator

import pandas as pd

from fairweight.core.formatting import missing
from fairweight.core.frames import where
from fairweight.evaluation.testable_rates import MORE_ROWS, SEEDS, TOO_FEW, WAYS, WIDE, criterion_in_words, points
from fairweight.reporting.answer import WARNING, Answer, Row, Test
from fairweight.reporting.quality import OF_LOSSES
from fairweight.reporting.report.results import Results
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.decision import PROVEN, UNDECIDED
from fairweight.statistics.significance import seeds_needed

MOST_MARGINS = 2  # that the sentence names
MARGIN = f"{WIDE[0]} (criteria: margins)"
BETTER_BASELINE = "train a better baseline first, with more epochs, another learning rate or another model"


def next_step(results: Results, answer: Answer) -> str | None:
    """What would decide an answer, without a full stop; None where every variant is decided and one is proven.

    Args:
        results: the study.
        answer: one of its answers.
    """
    if answer.status == WARNING:
        return BETTER_BASELINE
    undecided = [row for row in answer.rows if row.verdict == UNDECIDED]
    if not undecided:
        return None if answer.proven else f"every variant is refuted: compress less, or {MARGIN}"
    tested = [row for row in undecided if row.guard is None]
    if not tested:
        return "train or compress these variants in another way: the guards that hold keep them from being proven"
    return (
        _seeds(results, answer) or _by_power(results, answer, tested) or _by_evidence(tested, _number(answer, results))
    )


def _number(answer: Answer, results: Results) -> tuple[int, int]:
    """Seeds and variants of the family of an answer."""
    family = where(results.decisions, answer.family)
    seeds, tests = (family[name].dropna() for name in ("seeds", "tests"))
    return int(seeds.max()) if len(seeds) else 1, int(tests.max()) if len(tests) else 1


def _seeds(results: Results, answer: Answer) -> str | None:
    """The number of seeds from which anything can be proven, where there are fewer; one model needs none."""
    rate = results.study["criteria"]["error_rate"]
    seeds, tests = _number(answer, results)
    if seeds < 2 or reason_for_seeds(seeds, tests, rate, 1) is None:
        return None
    return f"run with --seeds {seeds_needed(rate, tests, 1)} (now {seeds}), or take {SEEDS[1]}"


def _by_power(results: Results, answer: Answer, undecided: list[Row]) -> str | None:
    """Ways out of criteria that the rows of the study cannot decide, whatever a variant predicts."""
    if "criterion" not in results.power:
        return None
    rows = where(results.power, {"dataset": answer.family["dataset"]})
    rows = rows[rows["criterion"].notna() & rows["reason"].notna()]
    unproven = {name for row in undecided for name, test in row.tests.items() if test.verdict != PROVEN}
    rows = rows[rows["criterion"].isin(unproven | set(WAYS))]
    margins = rows["provable"].notna()
    ways = dict.fromkeys(_wider(rows[margins]))
    ways |= dict.fromkeys(way for name in rows.loc[~margins, "criterion"] for way in WAYS.get(name, TOO_FEW))
    *first, last = ways or [""]
    return ", or ".join(filter(None, (", ".join(first), last))) or None


def _wider(rows: pd.DataFrame) -> Iterator[str]:
    """The margins that can be proven, and what else makes a criterion decidable."""
    for row in rows.sort_values("provable").tail(MOST_MARGINS).to_dict("records"):
        if row["criterion"] in OF_LOSSES:
            by = f" by {row['attribute']}" if isinstance(row["attribute"], str) else ""
            yield f"a margin of more than {100 * row['provable']:.2g} % of the {row['criterion'].replace('_', ' ')}{by}"
            continue
        name = criterion_in_words(row)  # type: ignore[arg-type]
        yield f"a margin of at least {points(row['provable'])} points of the {name}"
    if len(rows):
        yield from WIDE[1:]


def _by_evidence(undecided: list[Row], number: tuple[int, int]) -> str:
    """What narrows intervals, or moves them away from a bound."""
    seeds, variants = number
    tests = [test for row in undecided for test in row.tests.values()]
    open_of = [[test for test in row.tests.values() if test.verdict != PROVEN] for row in undecided]
    more = [f"more seeds (--seeds, now {seeds})"] if seeds > 1 else []
    if not any(open_of) and any(test.alone for test in tests):
        return f"compare {SEEDS[1]} than {variants} at once, or {' or '.join([*more, MORE_ROWS])}"
    if all(any(map(_crosses, part)) for part in open_of):  # more seeds or rows would refute them
        return f"compress less, or {MARGIN}: the observed changes exceed the margins"
    return ", ".join([*more, MORE_ROWS]) + f", or {MARGIN}"


def _crosses(test: Test) -> bool:
    """Whether the observed change itself is beyond the bound."""
    if test.bound is None or missing(test.change.value):
        return False
    value = float(test.change.value or 0.0)
    return value > test.bound if test.above else value < test.bound
