"""Regressions in the report: errors of every variant, of every group, and of the intervals around predictions."""

from typing import Any

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import DASH, TWO_LINES, missing
from fairweight.core.frames import by_cell, where
from fairweight.core.lineage import CELL
from fairweight.core.shown_measures import ShownMeasure
from fairweight.reporting.quality import in_unit, quality_of
from fairweight.reporting.report.page import table
from fairweight.reporting.report.results import Results, varying

OVERALL = (
    "mean_absolute_error",
    "root_mean_squared_error",
    "r2",
    "mean_error",
    "coverage",
    "interval_half_width",
    "transfer_bytes",
)
OF_GROUPS = ("mean_absolute_error", "mean_error", "coverage")
GAPS = ("mean_absolute_error_difference", "mean_error_difference", "mean_prediction_difference")


def of_numbers(results: Results) -> list[str]:
    """Datasets whose labels are numbers."""
    return [dataset for dataset in results.datasets if "numbers" in results.card(dataset)]


def errors(results: Results, dataset: str) -> HTML:
    """Table of the errors and intervals of every variant, means over seeds."""
    cells = results.ordered(where(results.variants, {"dataset": dataset})[CELL].drop_duplicates())[CELL]
    keys = varying(cells, ("model", "engine", "augmentation"))
    shown = [in_unit(results, dataset, key) for key in OVERALL]
    by_measure = {record.key: by_cell(results.measured(record.key)) for record in shown}
    rows = []
    for cell in cells.to_dict("records"):
        entries = [by_measure[record.key].get(tuple(cell[name] for name in CELL)) for record in shown]
        values = [_spread(entry, record) for entry, record in zip(entries, shown, strict=True)]
        rows.append([str(cell["variant"]), *(str(cell[key]) for key in keys), *values])
    header = ["Variant", *map(str.capitalize, keys), *(record.heading for record in shown)]
    notes = (
        "Means over seeds, with standard deviations; on test rows. The mean error is prediction minus label: above 0, "
        "predictions are too high. Intervals are split conformal: their half width comes from validation rows and is "
        "the same for all rows, and their coverage is the share of test labels inside."
    )
    caption = f"{results.title(dataset)}: errors of every variant."
    return table(header, rows, caption, notes=notes, text_columns=1 + len(keys))


def groups(results: Results, dataset: str) -> HTML | None:
    """Table of errors by group and variant with the change against the baseline; None without groups."""
    attributes = list(results.study["datasets"][dataset]["groups"])
    quality = quality_of(results, dataset)
    of_groups = where(results.variants, {"dataset": dataset})
    of_groups = of_groups[of_groups["attribute"].isin(attributes) & of_groups["group"].notna()]
    if of_groups.empty:
        return None
    compared = where(results.comparisons, {"dataset": dataset, "metric": quality.metric})
    changes = {_key(row): row for row in compared.to_dict("records")}
    shown = [in_unit(results, dataset, key) for key in OF_GROUPS]
    values = {(*_key(row), row["measure"]): row for row in of_groups.to_dict("records")}
    keys = varying(of_groups, ("model", "engine", "augmentation"))
    cells = of_groups[[*CELL, "attribute", "group"]].drop_duplicates()
    rows: list[list[str]] = []
    breaks: set[int] = set()
    for _, part in results.ordered(cells).groupby(["attribute", "group"], sort=False):
        breaks.add(len(rows))
        for cell in part.to_dict("records"):
            first = f"{cell['group']} ({cell['attribute']})"
            entries = [values.get((*_key(cell), record.key)) for record in shown]
            change = changes.get(_key(cell))
            rows.append(
                [
                    first if len(rows) in breaks else "",
                    str(cell["variant"]),
                    *(str(cell[key]) for key in keys),
                    DASH if change is None else f"{int(change['n']):,}",
                    *(_spread(entry, record) for entry, record in zip(entries, shown, strict=True)),
                    DASH if change is None else _interval(change, quality.change),
                    DASH if change is None or missing(change["relative"]) else f"{100 * change['relative']:+.1f} %",
                ]
            )
    header = ["Group", "Variant", *map(str.capitalize, keys), "Rows", *(record.heading for record in shown)]
    header += [f"Change of the loss, {quality.change.unit}".rstrip(", "), "Relative"]
    notes = (
        f"The loss is the {quality.title.lower()}; its change is against the baseline on the same rows, with the 95 % "
        "interval over seeds and rows, and relative to the baseline's loss of the group. Intervals around predictions "
        "have one width for all rows, so that a group with larger errors is covered less."
    )
    caption = f"{results.title(dataset)}: errors by group."
    return table(
        header,
        rows,
        caption,
        notes=notes,
        text_columns=2 + len(keys),
        breaks=breaks,
        repeated=1,
        finding=_worst(compared, attributes, quality.change),
    )


def gaps(results: Results, dataset: str) -> HTML | None:
    """Table of the largest differences between groups of each attribute; None without groups."""
    test = where(results.assessments, {"dataset": dataset, "part": "test"})
    test = test[test["metric"].isin(GAPS) & test["value"].notna()]
    if test.empty:
        return None
    cells = []
    keys = varying(test, ("model", "engine", "augmentation"))
    for (_, _, _), part in results.ordered(test).groupby(["metric", "attribute", "variant"], sort=False):
        for _, own in part.groupby(["model", "engine", "augmentation"], sort=False):
            row, record = own.iloc[0], in_unit(results, dataset, str(own.iloc[0]["metric"]))
            names = [record.heading, str(row["attribute"]), str(row["variant"]), *(str(row[key]) for key in keys)]
            figures = [record.text(own["value"].mean()), record.text(own["by_chance"].mean()), str(row["reason"])]
            cells.append([*names, *figures])
    header = ["Gap", "By", "Variant", *map(str.capitalize, keys), "Mean over seeds", "Expected by chance", "Groups"]
    notes = (
        "A gap is the largest difference between two groups. Equal mean predictions are statistical parity of the "
        "mean. Expected by chance is the gap of groups of these sizes whose true means are equal. The groups are those "
        "of the first seed."
    )
    caption = f"{results.title(dataset)}: gaps between groups."
    return table(header, cells, caption, notes=notes, text_columns=3 + len(keys))


def _key(row: Any) -> tuple[Any, ...]:
    return (*(row[name] for name in CELL), row["attribute"], row["group"])


def _spread(entry: Any, record: ShownMeasure) -> str:
    return DASH if entry is None or missing(entry["mean"]) else record.with_spread(entry["mean"], entry["sd"])


def _interval(row: Any, shown: ShownMeasure) -> str:
    return shown.with_interval(row["value"], row["low"], row["high"], signed=True, writer=TWO_LINES)


def _worst(compared: pd.DataFrame, attributes: list[str], shown: ShownMeasure) -> str:
    """The group whose loss rises most, and by which variant."""
    rows = compared[compared["attribute"].isin(attributes) & (compared["status"] == "ok")]
    if rows.empty:
        return ""
    row = rows.loc[rows["value"].idxmax()]
    return f"most: {row['group']}, {shown.text(row['value'], signed=True)} {shown.unit} by {row['variant']}"
