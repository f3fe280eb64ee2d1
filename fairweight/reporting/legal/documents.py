"""Write the documents of a study, a list of what a person must still write, and a dated log of its results."""

from collections.abc import Sequence
from pathlib import Path

from fairweight.core.artifacts import write_text
from fairweight.core.checksums import checksum
from fairweight.reporting.hub import markdown
from fairweight.reporting.hub.markdown import escape
from fairweight.reporting.legal import statements
from fairweight.reporting.legal.ai_act import annex_iv, annex_xi
from fairweight.reporting.legal.checklist import neurips
from fairweight.reporting.legal.datasheet import datasheet
from fairweight.reporting.legal.document import DRAFT, Document
from fairweight.reporting.report.results import Results

LOGGED = ("summary/*.parquet", "summary/*.json", "data/*/card.json", "report/report.html")


def write_documents(results: Path, folder: Path) -> list[Path]:
    """Write all documents as Markdown.

    Args:
        results: folder of a finished study.
        folder: folder to write to.

    Returns:
        Their paths.
    """
    study = Results.read(str(results))
    documents = [annex_iv(study), annex_xi(study), neurips(study)]
    documents += [datasheet(study, card) for card in study.cards]
    stamp = _stamp(study)
    texts = {document.name: document.markdown(stamp) for document in documents}
    texts["to-write"] = _to_write(documents, stamp)
    texts["test-log"] = _log(study, results, stamp)
    paths = [folder / f"{name}.md" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text(path, text)
    return paths


def _stamp(results: Results) -> str:
    about = results.provenance
    return (
        f"Study {escape(results.study['name'])}; fairweight {escape(about['fairweight'])}, commit "
        f"{escape(about['commit'] or 'unknown')}; results of `{about['finished']}`."
    )


def _to_write(documents: Sequence[Document], stamp: str) -> str:
    """What no result says, as a list by document."""
    parts = ["# To write", f"What a person must still write, in all documents.\n\n{DRAFT}\n\n{stamp}"]
    for document in documents:
        lines = [f"- [ ] {escape(heading)}: {escape(text)}" for heading, text in document.to_write()]
        parts += [f"## {escape(document.title)}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _log(results: Results, folder: Path, stamp: str) -> str:
    """Dated log of the tests, with the checksum of every table of results, to be signed."""
    files = sorted(path for pattern in LOGGED for path in folder.glob(pattern) if path.is_file())
    rows = [[f"`{path.relative_to(folder)}`", f"{path.stat().st_size:,}", f"`{checksum(path)}`"] for path in files]
    parts = [
        "# Test log",
        stamp,
        statements.machine(results),
        "## What was tested",
        statements.criteria(results),
        statements.verdicts(results),
        "## Results",
        "SHA-256 of the files that hold the results. A file with another checksum is not the one that was logged.",
        markdown.table(["File", "Bytes", "SHA-256"], rows, 1),
        "## Signature",
        "Name, function, date and signature of the person who is responsible for the tests:",
    ]
    return "\n\n".join(parts) + "\n"
