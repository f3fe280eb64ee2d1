"""Assessment of predictions: every metric family, on validation and on test rows."""

from fairweight import components
from fairweight.artifacts import PARTS, read_predictions, read_table, write_rows
from fairweight.cells import SCHEMA, Assessed


def assess(*, predictions: str, baseline: str | None, table: str, destination: str) -> None:
    """Write one tidy row for each part, metric and group.

    Args:
        predictions: Parquet file of the variant's predictions.
        baseline: that of the variant it is compared with, same seed, augmentation, model and engine; or None.
        table: Parquet file of the dataset, for groups.
        destination: Parquet file to write.
    """
    columns, _ = read_predictions(predictions)
    other = read_predictions(baseline)[0]["prediction"] if baseline else None
    rows = read_table(table, inputs=False)
    rows = rows.take(columns["row"])  # a row's id is its position in the table
    everything = Assessed(
        labels=columns["label"],
        predictions=columns["prediction"],
        scores=columns.get("score"),
        probabilities=columns.get("probabilities"),
        classes=len(rows.classes),
        groups=rows.groups,
        group_levels=rows.group_levels,
        baseline=other,
    )
    found = []
    for code, part in enumerate(PARTS):
        member = columns["part"] == code
        if member.any():
            for family in components.names("metrics"):
                cells = components.load("metrics", family)(everything.take(member))
                found += [{"part": part, "family": family, **entry} for entry in cells]
    write_rows(destination, found, {"part": "string", "family": "string", **SCHEMA})
