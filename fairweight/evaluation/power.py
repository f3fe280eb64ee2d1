"""Power statement: what a study can detect and prove with its seeds and test rows, before anything is trained."""

from fairweight.core.artifacts import read_split, read_table, write_rows
from fairweight.core.recipes import Criteria, Power
from fairweight.evaluation.testable_rates import CANNOT, Counts, Plan, PowerRow, criterion_in_words

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
    plans = []
    for dataset, path in tables.items():
        test = read_table(path, inputs=False).take(read_split(splits[dataset])["test"])
        counts = Counts.of_rows(test.label, test.classes, test.groups, test.group_levels)
        plans.append(
            Plan(dataset, counts, criteria, tests=tests[dataset], seeds=seeds[dataset], smallest=smallest_group)
        )
    entries = [row for planned in plans for row in (*planned.losses(), *planned.margins())]
    for sentence in (sentence for planned in plans for sentence in planned.sentences()):
        print(f"{CANNOT}{sentence}")
    for entry in entries:
        print(_sentence(entry, criteria["power"]))
    write_rows(destination, entries, SCHEMA)


def _sentence(row: PowerRow, assumed: Power) -> str:
    if row["criterion"] is not None:
        about = f"{row['dataset']}, {criterion_in_words(row)}, smallest tested group {row['rows']:,} rows: "
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
