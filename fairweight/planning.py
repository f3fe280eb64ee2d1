"""The power statement: what a study can detect with its seeds and test rows, before anything is trained."""

from typing import Any

from fairweight.artifacts import read_split, read_table, write_rows
from fairweight.statistics.comparison import reason_for_seeds
from fairweight.statistics.power import detectable

SCHEMA = {
    "dataset": "string", "attribute": "string", "group": "string", "rate": "string", "rows": "int64", "seeds": "int64",
    "tests": "int64", "detectable": "double", "reason": "string",
}  # fmt: skip


def plan(
    *, tables: dict[str, str], splits: dict[str, str], tests: dict[str, int], seeds: int, criteria: dict[str, Any],
    smallest_group: int, destination: str,
) -> None:  # fmt: skip
    """Write the smallest loss of accuracy, and of the true positive rate, that can be detected for all rows and each group.

    Args:
        tables, splits: dataset -> Parquet file; the test rows are the same in every split.
        tests: dataset -> variants in the largest family.
        seeds: number of seeds.
        criteria: `criteria` of the study file, with the assumptions under `power`.
        smallest_group: rates that are shares of fewer rows are not ranked.
        destination: Parquet file to write.
    """
    found: list[dict[str, Any]] = []
    assumed = criteria["power"]
    for dataset, path in tables.items():
        rows = read_table(path, inputs=False).take(read_split(splits[dataset])["test"])
        kinds = {"accuracy": rows.label >= 0}
        if len(rows.classes) == 2:
            kinds["true_positive_rate"] = rows.label == 1
        groups = [(None, None, rows.label >= 0)] + [
            (attribute, level, codes == code)
            for attribute, codes in rows.groups.items()
            for code, level in enumerate(rows.group_levels[attribute])
        ]
        for rate, kind in kinds.items():
            for attribute, group, member in groups:
                n = int((kind & member).sum())
                least = detectable(
                    rows=n, seeds=seeds, churn=assumed["churn"], seed_sd=assumed["seed_sd"], power=assumed["probability"],
                    error_rate=criteria["error_rate"], tests=max(tests[dataset], 1),
                )  # fmt: skip
                reason = reason_for_seeds(seeds, max(tests[dataset], 1), criteria["error_rate"], 1)
                if n < smallest_group:
                    reason = f"fewer than {smallest_group} rows: reported, not ranked"
                found.append(
                    {
                        "dataset": dataset,
                        "attribute": attribute,
                        "group": group,
                        "rate": rate,
                        "rows": n,
                        "seeds": seeds,
                    }
                    | {"tests": tests[dataset], "detectable": least if reason is None else None, "reason": reason}
                )
                print(_sentence(found[-1], assumed))
    write_rows(destination, found, SCHEMA)


def _sentence(row: dict[str, Any], assumed: dict[str, float]) -> str:
    whom = f"{row['group']} ({row['attribute']})" if row["group"] else "all test rows"
    start = f"{row['dataset']}, {whom}, {row['rate'].replace('_', ' ')}, {row['rows']:,} rows, {row['seeds']} seeds: "
    if row["reason"]:
        return start + row["reason"]
    return (
        f"{start}a loss of {100 * row['detectable']:.2f} points is found with probability {assumed['probability']:g}, if "
        f"{100 * assumed['churn']:g} % of rows are predicted otherwise and seeds differ by {100 * assumed['seed_sd']:g} points"
    )
