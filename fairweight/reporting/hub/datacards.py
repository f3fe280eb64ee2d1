"""Data cards in Hugging Face's format (after datasheets, Gebru et al. 2021), one for each dataset."""

import re
from typing import Any

from fairweight.core.formatting import DASH, NOT_ESTIMABLE, missing, number
from fairweight.reporting.hub import markdown
from fairweight.reporting.hub.markdown import escape

SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
CREATIVE = re.compile(r"CC[ -]((?:BY|NC|ND|SA)(?:[ -](?:NC|ND|SA))*)[ -](\d\.\d)", re.IGNORECASE)
LICENCES = {
    "CC0": "cc0-1.0",
    "CC0 1.0": "cc0-1.0",
    "MIT": "mit",
    "APACHE-2.0": "apache-2.0",
    "ODBL": "odbl",
    "PDDL": "pddl",
}


def data_card(card: dict[str, Any], task: str) -> str:
    """The card of a dataset, as Markdown with metadata, from its `card.json` and what the hub calls its task."""
    licence = card["licence"]
    identifier = licence_identifier(licence)
    metadata = {
        "pretty_name": card["title"],
        "license": identifier,
        "license_name": repository_name(licence) if identifier == "other" else None,
        "size_categories": [next((name for bound, name in SIZES if card["rows"] < bound), "n>10M")],
        "task_categories": [task],
        "tags": ["fairweight", "fairness"],
    }
    sections = {
        "What it is": _about(card),
        "Where it comes from": _sources(card),
        "Labels": _labels(card),
        "Who is in it": _groups(card),
        "Missing values and duplicates": _gaps(card),
        "Privacy": _privacy(card),
        "Warnings": "\n".join(f"- {escape(w)}" for w in card["warnings"]),
    }
    return markdown.page(metadata, sections, card["title"])


def licence_identifier(licence: str | None) -> str:
    """The hub's identifier of a licence; `unknown` where none is stated, `other` where it has none."""
    if not licence:
        return "unknown"
    if found := CREATIVE.fullmatch(licence.strip()):
        return f"cc-{found.group(1).lower().replace(' ', '-')}-{found.group(2)}"
    return LICENCES.get(licence.strip().upper(), "other")


def repository_name(licence: str) -> str:
    """A licence's own name as the hub wants it: lower case, no blanks."""
    return re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-") or "other"


def _about(card: dict[str, Any]) -> str:
    if card["image"]:
        inputs = f"images of {' × '.join(map(str, card['image']))} pixels"
    elif card["text"]:
        inputs = "texts"
    else:
        numeric, categorical = card["columns"]["numeric"], card["columns"]["categorical"]
        levels = [f"{escape(name)} ({n} levels)" for name, n in categorical.items()]
        inputs = f"numeric columns {', '.join(map(escape, numeric)) or 'none'}; categorical columns {', '.join(levels) or 'none'}"
    home = f" It is described at {escape(card['homepage'])}." if card["homepage"] else ""
    dropped = f" Dropped when reading, as they may identify someone: {', '.join(map(escape, card['dropped']))}." if card["dropped"] else ""  # fmt: skip
    return f"{card['rows']:,} rows; {inputs}.{home}{dropped} This is the card of the data as the study reads them; it holds no rows."


def _sources(card: dict[str, Any]) -> str:
    rows = [
        [escape(name), f"{card['rows_by_file'].get(name, DASH):,}" if name in card["rows_by_file"] else DASH,
         "; ".join(map(escape, stated["sources"])), card["sha256"].get(name, DASH)]
        for name, stated in card["files"].items()
    ]  # fmt: skip
    return markdown.table(["File", "Rows", "Sources, in this order", "SHA-256"], rows, 4)


def _labels(card: dict[str, Any]) -> str:
    rows = [[escape(c), f"{n:,}", f"{number(n / card['rows'], 1, 100)} %"] for c, n in card["label"].items()]
    if not rows:
        return "There are none: of every text each token is foretold from those before it."
    return markdown.table(["Class", "Rows", "Share"], rows)


def _groups(card: dict[str, Any]) -> str:
    rows = []
    for attribute, groups in card["groups"].items():
        for group in groups:
            base = NOT_ESTIMABLE if missing(group["base_rate"]) else f"{number(group['base_rate'], 1, 100)} %"
            reference = group.get("reference")
            name = "(none)" if group["group"] is None else escape(group["group"])
            rows.append([escape(attribute), name, f"{group['rows']:,}", f"{number(group['share'], 1, 100)} %",
                         DASH if reference is None else f"{number(reference, 1, 100)} %", base])  # fmt: skip
    if not rows:
        return "No groups are declared."
    header = ["Attribute", "Group", "Rows", "Share", "Reference", "Base rate"]
    return (
        markdown.table(header, rows, 2)
        + "\nThe base rate is the share of positive labels; it exists for binary labels only."
    )


def _gaps(card: dict[str, Any]) -> str:
    gaps = [f"{escape(column)} {n:,}" for column, n in card["missing"].items() if n]
    duplicates = card["duplicates"].get("rows")
    said = f"{duplicates:,} rows agree with another one in all inputs and the label." if duplicates is not None else "Duplicates: not estimable."  # fmt: skip
    leaked = card["duplicates"].get("test_rows_in_training")
    said += f" {leaked:,} test rows are also in another file." if leaked is not None else ""
    return f"Missing values: {', '.join(gaps) or 'none'}. {said}"


def _privacy(card: dict[str, Any]) -> str:
    anonymity = card["k_anonymity"]
    text = "k-anonymity: not estimable, no quasi-identifiers are stated."
    if anonymity:
        text = (
            f"k-anonymity over {', '.join(map(escape, anonymity['columns']))}: k = {anonymity['k']}; "
            f"{number(anonymity['unique'], 2, 100)} % of rows are alone with their values."
        )
    found = [f"{escape(e['column'])} ({escape(e['reason'])})" for e in card["identifying"]]
    return f"{text} Columns that may identify someone: {', '.join(found) or 'none found'}."
