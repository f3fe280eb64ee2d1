"""Datasheet of a dataset: the questions of Gebru et al. (2021), answered from its data card."""

from typing import Any, cast

from fairweight.core.formatting import number
from fairweight.reporting.hub import datacards
from fairweight.reporting.hub.datacards import Card
from fairweight.reporting.hub.markdown import escape
from fairweight.reporting.legal.document import Document, Section
from fairweight.reporting.report.results import Results


def datasheet(results: Results, card: dict[str, Any]) -> Document:
    """The datasheet of one dataset.

    Args:
        results: the study.
        card: content of the dataset's `card.json`.
    """
    source = f"data/{card['dataset']}/card.json"
    split = results.study["datasets"][card["dataset"]]["split"]
    whole = cast(Card, card)
    return Document(
        f"datasheet-{card['dataset']}",
        f"Datasheet: {card['title']}",
        "Datasheets for datasets, Gebru et al. 2021 (doi:10.1145/3458723).",
        [
            Section("Motivation").ask("For what purpose was the dataset created, by whom, and who funded it?"),
            Section("Composition")
            .fill(datacards.about(whole), source)
            .fill(datacards.labels(whole), source)
            .fill(datacards.groups(whole), source)
            .fill(datacards.gaps(whole), source)
            .fill(_split(split), "summary/provenance.json")
            .fill(datacards.privacy(whole), source)
            .ask(
                "Is it a sample of a larger set, and how representative?",
                "Does it contain data that are confidential, offensive or sensitive, beyond the columns above?",
            ),
            Section("Collection process").ask(
                "How were the data acquired, by whom, and over what time?",
                "Were the people informed, did they consent, and was there an ethical review?",
            ),
            Section("Preprocessing, cleaning and labelling")
            .fill(f"Dropped when reading: {_names(card['dropped'])}.", source)
            .fill(
                "Missing values become a category or the mean of the training rows; numbers are standardised.", source
            )
            .ask("What was done to the data before the study, and are the raw data kept?"),
            Section("Uses")
            .fill("\n".join(f"- {escape(text)}" for text in card["warnings"]), source)
            .ask("What else were the data used for, and what should they not be used for?"),
            Section("Distribution")
            .fill(f"Licence: {escape(card['licence'] or 'not stated')}.", source)
            .fill(datacards.sources(whole), source)
            .ask("Are there restrictions by third parties or export controls?"),
            Section("Maintenance").ask("Who maintains the dataset, and how are errors reported and corrected?"),
        ],
    )


def _names(columns: list[str]) -> str:
    return ", ".join(map(escape, columns)) or "nothing"


def _split(split: dict[str, Any]) -> str:
    test = split["test"] if isinstance(split["test"], str) else f"{number(split['test'], 0, 100)} % of the rows"
    return f"Split: test rows {escape(test)}; validation {number(split['validation'], 0, 100)} % of the other rows."
