"""Data cards in Hugging Face's format (after datasheets, Gebru et al. 2021), one for each dataset."""

import re
from typing import NotRequired, TypedDict

from fairweight.core.formatting import DASH, NOT_ESTIMABLE, missing, number
from fairweight.core.recipes import RawFile
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


class Columns(TypedDict):
    """Input columns: names of the numeric ones, and number of levels of each categorical one."""

    numeric: list[str]
    categorical: dict[str, int]


class Group(TypedDict):
    """One group of an attribute; `group` is None for rows without one."""

    group: str | None
    rows: int
    share: float
    base_rate: float | None
    reference: NotRequired[float | None]


class Duplicates(TypedDict, total=False):
    """Rows that agree with another one; a count that is not estimable is absent or None."""

    rows: int | None
    test_rows_in_training: int | None


class Anonymity(TypedDict):
    """k-anonymity over some columns, and the share of rows that are alone with their values."""

    columns: list[str]
    k: int
    unique: float
    distinct_labels: NotRequired[int]
    largest_shift: NotRequired[float]


class Identifying(TypedDict):
    """A column that may identify someone, and why."""

    column: str
    reason: str


class Card(TypedDict):
    """The parts of a dataset's `card.json` that its data card shows."""

    dataset: str
    title: str
    licence: str | None
    homepage: str | None
    files: dict[str, RawFile]
    rows: int
    rows_by_file: dict[str, int]
    columns: Columns
    image: list[int] | None
    text: bool
    dropped: list[str]
    missing: dict[str, int]
    label: dict[str, int]
    groups: dict[str, list[Group]]
    merged: NotRequired[dict[str, dict[str, list[str]]]]
    duplicates: Duplicates
    k_anonymity: Anonymity | None
    identifying: list[Identifying]
    warnings: list[str]
    sha256: dict[str, str]


def data_card(card: Card, task: str) -> str:
    """The card of a dataset, as Markdown with metadata.

    Args:
        card: its `card.json`.
        task: the hub's name of its task.
    """
    licence = card["licence"]
    identifier = licence_identifier(licence)
    metadata = {
        "pretty_name": card["title"],
        "license": identifier,
        "license_name": repository_name(licence) if licence and identifier == "other" else None,
        "size_categories": [next((name for bound, name in SIZES if card["rows"] < bound), "n>10M")],
        "task_categories": [task],
        "tags": ["fairweight", "fairness"],
    }
    sections = {
        "What it is": about(card),
        "Where it comes from": sources(card),
        "Labels": labels(card),
        "Who is in it": groups(card),
        "Missing values and duplicates": gaps(card),
        "Privacy": privacy(card),
        "Warnings": "\n".join(f"- {escape(w)}" for w in card["warnings"]),
    }
    return markdown.page(metadata, sections, card["title"])


def licence_identifier(licence: str | None) -> str:
    """The hub's identifier of a licence; `unknown` where none is stated, `other` where it has none."""
    if not licence:
        return "unknown"
    if match := CREATIVE.fullmatch(licence.strip()):
        return f"cc-{match.group(1).lower().replace(' ', '-')}-{match.group(2)}"
    return LICENCES.get(licence.strip().upper(), "other")


def repository_name(licence: str) -> str:
    """A licence's own name in the hub's spelling: lower case, no blanks."""
    return re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-") or "other"


def _percent(share: float, digits: int = 1) -> str:
    return f"{number(share, digits, 100)} %"


def about(card: Card) -> str:
    """What a dataset holds, in sentences."""
    home = f" It is described at {escape(card['homepage'])}." if card["homepage"] else ""
    names = ", ".join(map(escape, card["dropped"]))
    dropped = f" Dropped when reading, as they may identify someone: {names}." if names else ""
    return (
        f"{card['rows']:,} rows; {_inputs(card)}.{home}{dropped} "
        "This is the card of the data as the study reads them; it holds no rows."
    )


def _inputs(card: Card) -> str:
    if card["image"]:
        return f"images of {' × '.join(map(str, card['image']))} pixels"
    if card["text"]:
        return "texts"
    numeric, categorical = card["columns"]["numeric"], card["columns"]["categorical"]
    levels = [f"{escape(name)} ({n} levels)" for name, n in categorical.items()]
    return (
        f"numeric columns {', '.join(map(escape, numeric)) or 'none'}; "
        f"categorical columns {', '.join(levels) or 'none'}"
    )


def sources(card: Card) -> str:
    """Table of its files."""
    rows = [
        [
            escape(name),
            f"{card['rows_by_file'][name]:,}" if name in card["rows_by_file"] else DASH,
            "; ".join(map(escape, file["sources"])),
            card["sha256"].get(name, DASH),
        ]
        for name, file in card["files"].items()
    ]
    return markdown.table(["File", "Rows", "Sources, in this order", "SHA-256"], rows, 4)


def labels(card: Card) -> str:
    """Table of its labels."""
    rows = [[escape(c), f"{n:,}", _percent(n / card["rows"])] for c, n in card["label"].items()]
    if not rows:
        return "There are none: each token of a text is predicted from those before it."
    return markdown.table(["Class", "Rows", "Share"], rows)


def groups(card: Card) -> str:
    """Table of its groups."""
    rows = [[escape(name), *_group(group)] for name, groups in card["groups"].items() for group in groups]
    if not rows:
        return "No groups are declared."
    header = ["Attribute", "Group", "Rows", "Share", "Reference", "Base rate"]
    note = "The base rate is the share of positive labels; it exists for binary labels only."
    for attribute, groups in card.get("merged", {}).items():
        merged = "; ".join(f"{escape(group)} stands for {escape(', '.join(v))}" for group, v in groups.items())
        note += f" {escape(attribute)}: {merged}."
    return f"{markdown.table(header, rows, 2)}\n{note}"


def _group(group: Group) -> list[str]:
    name = "(none)" if group["group"] is None else escape(group["group"])
    reference, base_rate = group.get("reference"), group["base_rate"]
    return [
        name,
        f"{group['rows']:,}",
        _percent(group["share"]),
        DASH if reference is None else _percent(reference),
        NOT_ESTIMABLE if base_rate is None or missing(base_rate) else _percent(base_rate),
    ]


def gaps(card: Card) -> str:
    """Missing values and duplicates, in sentences."""
    gaps = [f"{escape(column)} {n:,}" for column, n in card["missing"].items() if n]
    duplicates, leaked = card["duplicates"].get("rows"), card["duplicates"].get("test_rows_in_training")
    text = f"Missing values: {', '.join(gaps) or 'none'}. "
    if duplicates is None:
        text += "Duplicates: not estimable."
    else:
        text += f"{duplicates:,} rows agree with another one in all inputs and the label."
    return text + (f" {leaked:,} test rows are also in another file." if leaked is not None else "")


def privacy(card: Card) -> str:
    """k-anonymity, and columns that may identify someone."""
    anonymity = card["k_anonymity"]
    text = "k-anonymity: not estimable, no quasi-identifiers are stated."
    if anonymity:
        text = (
            f"k-anonymity over {', '.join(map(escape, anonymity['columns']))}: k = {anonymity['k']}; "
            f"{_percent(anonymity['unique'], 2)} of rows have a combination of values that no other row has."
        )
    if anonymity and "distinct_labels" in anonymity:
        text += (
            f" Of rows that share one, at least {anonymity['distinct_labels']} classes occur (l-diversity), and their "
            f"shares differ by at most {number(anonymity['largest_shift'], 2)} from those of all rows (t-closeness)."
        )
    columns = [f"{escape(e['column'])} ({escape(e['reason'])})" for e in card["identifying"]]
    return f"{text} Columns that may identify someone: {', '.join(columns) or 'none found'}."
