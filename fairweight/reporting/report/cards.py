"""What the report says of the data, before anything is learned from them."""

from html import escape
from typing import Any

from IPython.display import HTML

from fairweight.core.formatting import DASH, NOT_ESTIMABLE, missing, number
from fairweight.reporting.report.page import table
from fairweight.reporting.report.results import Results


def data_cards(results: Results) -> HTML:
    """One row a dataset."""
    rows: list[list[str]] = []
    for card in results.cards:
        missing_values = {column: n for column, n in card["missing"].items() if n}
        shape = " x ".join(map(str, card["image"])) + " pixels" if card["image"] else (
            f"{len(card['columns']['numeric'])} numeric, {len(card['columns']['categorical'])} categorical"
        )  # fmt: skip
        shape = "texts" if card["text"] else shape
        label = ", ".join(f"{c}: {number(n / card['rows'], 1, 100)} %" for c, n in card["label"].items()) or DASH
        rows.append(
            [
                card["title"],
                shape,
                label,
                ", ".join(f"{column} {n:,}" for column, n in missing_values.items()) or "none",
                card["licence"] or "not stated",
                f"{card['rows']:,}",
            ]
        )
    header = ["Dataset", "Inputs", "Labels", "Missing values", "Licence", "Rows"]
    return table(header, rows, "What the data hold, before anything is learned from them.", text_columns=5)


def group_cards(results: Results) -> HTML:
    """One row a group of each dataset, or that there are none."""
    rows: list[list[str]] = []
    breaks: set[int] = set()
    for card in results.cards:
        for attribute, groups in card["groups"].items():
            breaks.add(len(rows))
            for group in groups:
                reference = group.get("reference")
                rows.append(
                    [
                        card["title"],
                        attribute,
                        "(none)" if group["group"] is None else str(group["group"]),
                        f"{group['rows']:,}",
                        f"{number(group['share'], 1, 100)} %",
                        DASH if reference is None else f"{number(reference, 1, 100)} %",
                        NOT_ESTIMABLE if missing(group["base_rate"]) else f"{number(group['base_rate'], 1, 100)} %",
                        _most_missing(card, attribute, group["group"]),
                    ]
                )
    if not rows:
        return HTML("<p>Who is in the data is not told: the study file names no groups (<code>groups</code>).</p>")
    header = ["Dataset", "Attribute", "Group", "Rows", "Share of rows", "Reference", "Base rate", "Most missing"]
    caption = (
        "Who is in the data. The reference is the share in the population that the study file states. The base rate is the "
        "share of positive labels in a group; it exists for binary labels only. Most missing is the input with the largest share of "
        "missing values in the group. Rows that belong to no group of an attribute are shown as (none) and left out of its comparisons."
    )
    return table(header, rows, caption, text_columns=3, breaks=breaks)


def _most_missing(card: dict[str, Any], attribute: str, group: str | None) -> str:
    entries = [e for e in card["missing_by_group"] if (e["attribute"], e["group"]) == (attribute, group)]
    worst = max(entries, key=lambda entry: entry["share"], default=None)
    return DASH if worst is None else f"{worst['column']} {number(worst['share'], 1, 100)} %"


def privacy_cards(results: Results) -> HTML:
    """One row a dataset: balance, duplicates, anonymity, columns that identify."""
    rows = []
    for card in results.cards:
        anonymity, duplicates = card["k_anonymity"], card["duplicates"]
        rows.append(
            [
                card["title"],
                ", ".join(f"{a} {number(v, 2)}" for a, v in card["entropy"].items() if a in card["groups"]) or DASH,
                f"{duplicates['rows']:,}" if duplicates else NOT_ESTIMABLE,
                f"{duplicates['test_rows_in_training']:,}" if "test_rows_in_training" in duplicates else DASH,
                f"{anonymity['k']} ({', '.join(anonymity['columns'])})" if anonymity else DASH,
                f"{number(anonymity['unique'], 2, 100)} %" if anonymity else DASH,
                ", ".join(f"{e['column']} ({e['reason']})" for e in card["identifying"]) or "none found",
            ]
        )
    header = ["Dataset", "Balance of groups", "Duplicate rows", "Test rows also in training", "k-anonymity", "Rows that are alone", "Columns that may identify"]  # fmt: skip
    caption = (
        "Balance is the entropy of the groups' shares over that of equal groups (1 is equal). Duplicates agree in all inputs "
        "and the label. k is the smallest number of rows that share the values of the quasi-identifiers; columns that may "
        "identify are guessed from names and values, and are to be dropped (`drop`) if they do."
    )
    return table(header, rows, caption, text_columns=2)


def data_warnings(results: Results) -> HTML | None:
    """Groups with too few rows, a sentence each, folded."""
    items = [f"<li>{escape(card['title'])}: {escape(w)}</li>" for card in results.cards for w in card["warnings"]]
    if not items:
        return None
    noun = "warning" if len(items) == 1 else "warnings"
    return HTML(
        f"<details><summary>{len(items)} {noun} of groups with too few rows</summary><ul>{''.join(items)}</ul></details>"
    )
