"""A document whose sections hold what a study has measured, with its source, and what a person must still write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fairweight.reporting.hub.markdown import escape

DRAFT = (
    "This is a draft, filled from the results of a study. It is no legal advice, and no statement of conformity. Check "
    "every line; write what is marked **To write**."
)


@dataclass(frozen=True)
class Filled:
    """A statement from results, as Markdown, and the files of the study that it is read from."""

    text: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Open:
    """What results do not say, as text: a person must write it."""

    text: str


@dataclass
class Section:
    """A numbered part of a document, after the text that asks for it."""

    heading: str
    parts: list[Filled | Open] = field(default_factory=list)

    def fill(self, text: str, *sources: str) -> "Section":
        """Add a statement as Markdown; an empty one is left out."""
        if text.strip():
            self.parts.append(Filled(text, sources))
        return self

    def ask(self, *texts: str) -> "Section":
        """Add what a person must write."""
        self.parts += [Open(text) for text in texts]
        return self


@dataclass(frozen=True)
class Document:
    """A document in Markdown.

    Attributes:
        name: of the file, without its suffix.
        title: as text.
        basis: law, article or guideline that asks for it.
        sections: in its order.
    """

    name: str
    title: str
    basis: str
    sections: Sequence[Section]

    def markdown(self, stamp: str) -> str:
        """The document as Markdown.

        Args:
            stamp: study, version and date, as Markdown.
        """
        parts = [f"# {escape(self.title)}", f"{self.basis}\n\n{DRAFT}\n\n{stamp}"]
        for section in self.sections:
            parts += [f"## {escape(section.heading)}", "\n\n".join(_written(part) for part in section.parts)]
        return "\n\n".join(part for part in parts if part) + "\n"

    def to_write(self) -> Iterator[tuple[str, str]]:
        """(section, text) of what a person must write."""
        for section in self.sections:
            yield from ((section.heading, part.text) for part in section.parts if isinstance(part, Open))


def _written(part: Filled | Open) -> str:
    if isinstance(part, Open):
        return f"**To write**: {escape(part.text)}"
    sources = ", ".join(f"`{source}`" for source in part.sources)
    return f"{part.text.strip()}\n\n*Source: {sources}*" if sources else part.text.strip()
