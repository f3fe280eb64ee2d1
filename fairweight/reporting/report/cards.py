"""Data of the study in the report: what each dataset holds, who is in it, and what may identify people."""

from html import escape
from typing import Any

from IPython.display import HTML

from fairweight.core.formatting import DASH, NOT_ESTIMABLE, count, missing, number
from fairweight.reporting.report.page import table
from fairweight.reporting.report.results import Document, Results


def _percent(share: Any, digits: int = 1) -> str:
    text = number(share, digits, 100)
    return text if text == NOT_ESTIMABLE else f"{text} %"


def data_cards(results: Results) -> HTML:
    """Table of the datasets: inputs, labels, missing values, licence, rows."""
    rows = []
    for card in results.cards:
        absent = ", ".join(
            f"{column} {rows_missing:,}" for column, rows_missing in card["missing"].items() if rows_missing
        )
        label = ", ".join(f"{name}: {_percent(size / card['rows'])}" for name, size in card["label"].items())
        rows.append(
            [
                card["title"],
                _inputs(card),
                label or DASH,
                absent or "none",
                card["licence"] or "not stated",
                f"{card['rows']:,}",
            ]
        )
    header = ["Dataset", "Inputs", "Labels", "Missing values", "Licence", "Rows"]
    return table(header, rows, "Datasets before any training.", text_columns=5)


def _inputs(card: Document) -> str:
    """What a model reads of a row."""
    if card["text"]:
        return "texts"
    if card["image"]:
        return f"{' x '.join(map(str, card['image']))} pixels"
    return f"{len(card['columns']['numeric'])} numeric, {len(card['columns']['categorical'])} categorical"


def group_cards(results: Results) -> HTML:
    """Table of the groups of each dataset, or a sentence that there are none."""
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
                        _percent(group["share"]),
                        DASH if reference is None else _percent(reference),
                        NOT_ESTIMABLE if missing(group["base_rate"]) else _percent(group["base_rate"]),
                        _most_missing(card, attribute, group["group"]),
                    ]
                )
    if not rows:
        return HTML("<p>Who is in the data is not known: the study file names no groups (<code>groups</code>).</p>")
    header = ["Dataset", "Attribute", "Group", "Rows", "Share of rows", "Reference", "Base rate", "Most missing"]
    notes = (
        "Reference is the share in the population, as the study file states it. Base rate is the share of positive "
        "labels in a group; it exists for binary labels only. Most missing is the input with the largest share of "
        "missing values in the group. Rows that belong to no group of an attribute are shown as (none) and left out "
        "of its comparisons."
    )
    for card in results.cards:
        for attribute, groups in card.get("merged", {}).items():
            merged = "; ".join(f"{group} stands for {', '.join(values)}" for group, values in groups.items())
            notes += f" {card['title']}, {attribute}: {merged}."
    return table(header, rows, "Who is in the data.", notes=notes, text_columns=3, breaks=breaks)


def _most_missing(card: Document, attribute: str, group: str | None) -> str:
    entries = [e for e in card["missing_by_group"] if (e["attribute"], e["group"]) == (attribute, group)]
    worst = max(entries, key=lambda entry: entry["share"], default=None)
    return DASH if worst is None else f"{worst['column']} {_percent(worst['share'])}"


def privacy_cards(results: Results) -> HTML:
    """Table of the balance of groups, duplicates, anonymity, and columns that may identify people."""
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
                _percent(anonymity["unique"], 2) if anonymity else DASH,
                f"{anonymity['distinct_labels']}" if "distinct_labels" in (anonymity or {}) else DASH,
                number(anonymity["largest_shift"], 2) if "largest_shift" in (anonymity or {}) else DASH,
                ", ".join(f"{e['column']} ({e['reason']})" for e in card["identifying"]) or "none found",
            ]
        )
    header = ["Dataset", "Balance of groups", "Duplicate rows", "Test rows also in training", "k-anonymity"]
    header += ["Unique rows", "l-diversity", "t-closeness", "Columns that may identify"]
    notes = (
        "Balance is the entropy of the groups' shares over that of equal groups (1: all groups are equally large). "
        "Duplicates agree in all inputs and the label. k is the smallest number of rows that share the values of the "
        "quasi-identifiers; a row is unique if it shares them with no other. Of rows that share them, l is the lowest "
        "number of classes, and t the largest distance of their classes from those of all rows: with l = 1, whoever "
        "knows them knows the label. Columns that may identify are guessed "
        'from names and values; drop those that do, with the key "drop" of the study file.'
    )
    caption = "Balance of groups, duplicates and privacy."
    return table(header, rows, caption, notes=notes, text_columns=2)


def data_warnings(results: Results) -> HTML | None:
    """Warnings about the data, one sentence each, folded; None where there is none."""
    items = [f"<li>{escape(card['title'])}: {escape(w)}</li>" for card in results.cards for w in card["warnings"]]
    if not items:
        return None
    summary = f"{count(len(items), 'warning')} about the data"
    return HTML(f"<details><summary>{summary}</summary><ul>{''.join(items)}</ul></details>")
