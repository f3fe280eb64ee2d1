"""How faithful, useful and private the rows are that augmentations generate."""

from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from fairweight.core.formatting import missing, number
from fairweight.core.frames import where
from fairweight.reporting.report.page import listing, table
from fairweight.reporting.report.results import Results

TELLING = 0.75  # AUC above which a sentence says that trees easily tell made rows from real ones
MOST_COLUMNS = 5  # columns with the largest distances that the table shows
TITLES = {
    "column_distance": "Distance of the distribution",
    "dependence_distance": "Mean difference of correlations between columns",
    "detection_auc": "AUC of trees that tell them from training rows",
    "accuracy_of_made": "Accuracy on real rows, learned from these rows alone, %",
    "accuracy_with_made": "Accuracy on real rows: training rows with made ones, and alone, %",
    "nearest_distance": "Distance to the nearest training row, median",
    "nearest_distance_5": "Distance to the nearest training row, 5 % quantile",
    "copies": "Equal to a training row, %",
}
PERCENT = ("accuracy_of_made", "accuracy_with_made", "copies")


def generated_rows(results: Results, dataset: str) -> tuple[HTML | None, ...]:
    """Sentences and a table on the generated rows of a dataset; nothing where none are generated."""
    rows = None if results.made is None else where(results.made, {"dataset": dataset})
    if rows is None or rows.empty:
        return ()
    parts = [part for _, part in rows.groupby("augmentation", sort=False)]
    return listing([_sentence(part) for part in parts]), _table(results, dataset, parts)


def _one(rows: pd.DataFrame, measure: str) -> dict[str, Any]:
    return where(rows, {"measure": measure}).iloc[0].to_dict()


def _sentence(rows: pd.DataFrame) -> str:
    """What the measures say of one augmentation."""
    first, apart, close = rows.iloc[0], _one(rows, "detection_auc"), _one(rows, "nearest_distance")
    manner = "easily" if apart["value"] > TELLING else "hardly"
    nearer = "nearer to" if close["value"] < close["reference"] else "no nearer to"
    text = (
        f"<b>{escape(first['augmentation'])}</b> made {int(first['rows']):,} rows. Trees {manner} tell them from "
        f"training rows of the same labels and groups (AUC {_pair(apart, 2)}). They are {nearer} a training row than "
        f"real rows are (median distance {_pair(close, 2)})"
    )
    copies = _one(rows, "copies")
    if copies["value"] > copies["reference"]:
        text += f", and {number(copies['value'], 1, 100)} % are copies"
    useful = where(rows, {"measure": "accuracy_with_made"})
    groups = useful[useful["about"].notna()].to_dict("records")
    changes = [f"{escape(row['about'])} {_points(row)}" for row in groups if not missing(row["value"])]
    if missing(useful.iloc[0]["value"]):
        return f"{text}."
    by_group = f" ({', '.join(changes)})" if changes else ""
    return f"{text}. Added to the training rows of a logistic regression, they change its accuracy on real rows by " + (
        f"{_points(useful.iloc[0])} points{by_group}."
    )


def _pair(row: dict[str, Any], digits: int) -> str:
    return f"{number(row['value'], digits)}; real rows: {number(row['reference'], digits)}"


def _points(row: Any) -> str:
    return number(row["value"] - row["reference"], 1, 100, signed=True)


def _table(results: Results, dataset: str, parts: list[pd.DataFrame]) -> HTML:
    """All measures, of the columns those with the largest distances."""
    body: list[list[str]] = []
    breaks: set[int] = set()
    for part in parts:
        if body:
            breaks.add(len(body))
        columns = where(part, {"measure": "column_distance"}).sort_values("value", ascending=False, kind="stable")
        others = part[part["measure"] != "column_distance"]
        for row in pd.concat([columns.head(MOST_COLUMNS), others]).to_dict("records"):
            scale = 100.0 if row["measure"] in PERCENT else 1.0
            values = [number(row[name], 1 if scale > 1 else 3, scale) for name in ("value", "reference")]
            about = "" if missing(row["about"]) else str(row["about"])
            body.append([row["augmentation"], TITLES[row["measure"]], about, *values])
    notes = (
        "Of the first seed. Made rows are compared with training rows of the same labels and groups. Real rows are "
        "validation and test rows, for which the same is computed. Distances of distributions: the largest difference "
        "of distribution functions of a number, half the sum of differences of shares of a category. Distances to "
        "training rows are Euclidean, of standardised columns. Rows that are nearer to training rows than real ones "
        "are may give people away."
    )
    header = ["Augmentation", "Measure", "Column or group", "Made rows", "Real rows"]
    title = f"{results.title(dataset)}: how faithful, useful and private generated rows are."
    return table(header, body, title, notes=notes, text_columns=3, breaks=breaks)
