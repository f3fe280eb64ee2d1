"""Power statement: what a study can detect and prove with its seeds and test rows, before anything is trained."""

import itertools
from collections.abc import Iterator

from fairweight.core.artifacts import read_labels, read_split, write_rows
from fairweight.core.recipes import Criteria
from fairweight.evaluation.testable_losses import LossPlan
from fairweight.evaluation.testable_rates import Counts, Plan, PowerRow, points

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
    plans: list[Plan] = []
    of_numbers: list[LossPlan] = []
    for dataset, path in tables.items():
        test = read_labels(path, read_split(splits[dataset])["test"])
        if test.measured:
            groups = LossPlan.counted(test.groups, test.group_levels)
            sizes = (tests[dataset], seeds[dataset], smallest_group)
            of_numbers.append(LossPlan(dataset, len(test), groups, criteria, *sizes))
            continue
        counts = Counts.of_rows(test.label, test.classes, test.groups, test.group_levels)
        plans.append(
            Plan(dataset, counts, criteria, tests=tests[dataset], seeds=seeds[dataset], smallest=smallest_group)
        )
    sentences = [*(planned.sentences() for planned in plans), *(numbers.sentences() for numbers in of_numbers)]
    for sentence in itertools.chain(*sentences):
        print(sentence)
    entries: list[PowerRow] = []
    for numbers in of_numbers:
        entries += numbers.margins()
        if numbers.unreachable is None and numbers.tests:
            print(*numbers.statement(), sep="\n")
    for planned in plans:
        margins, losses = list(planned.margins()), list(planned.losses())
        entries += [*losses, *margins]
        if planned.unreachable is None:  # otherwise all rows have this reason, which is printed above
            print(*_statement(planned, margins, losses), sep="\n")
    write_rows(destination, entries, SCHEMA)


def _statement(planned: Plan, margins: list[PowerRow], losses: list[PowerRow]) -> Iterator[str]:
    """What can be shown on one dataset, in lines."""
    place = f"{planned.dataset}, {planned.seeds} seed{'' if planned.seeds == 1 else 's'}"
    assumed = planned.criteria["power"]
    if margins:
        yield f"{place}: margins that can be proven of a variant that changes nothing"
    for row in margins:
        least = f"{points(row['provable'])} points or more" if row["provable"] is not None else None
        rows = f" ({row['rows']:,} rows of the smallest tested group)" if row["rows"] else ""
        why = "" if row["reason"] is None else ", more than its margin" if least else "undecided, see above"
        yield f"  {planned.in_words(row)}: {least or ''}{why}{rows}"
    yield (
        f"{place}: losses that are found with probability {assumed['probability']:g}, if "
        f"{100 * assumed['churn']:g} % of predictions differ and seeds differ by {100 * assumed['seed_sd']:g} points"
    )
    for row in losses:
        whom = f"{row['group']} ({row['attribute']})" if row["group"] else "all test rows"
        least = f"{points(row['detectable'])} points or more" if row["detectable"] is not None else None
        yield f"  {row['rate'].replace('_', ' ')}, {whom}: {row['reason'] or least} ({row['rows']:,} rows)"
