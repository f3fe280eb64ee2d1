"""`fairweight papers`: drafts that hold what was measured, and say what a person must write."""

import hashlib
import re
import subprocess
import sys

import pandas as pd
import pytest

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def papers(finished, tmp_path_factory):
    """Name -> text of every document of a finished study, written by the command."""
    folder = tmp_path_factory.mktemp("papers")
    program = "from fairweight.cli.main import main; main()"
    command = [sys.executable, "-c", program, "papers", "study.yaml", "--to", str(folder)]
    done = subprocess.run(command, cwd=finished.folder, capture_output=True, text=True, check=True)
    assert "no legal advice" in done.stdout
    return {path.stem: path.read_text() for path in folder.iterdir()}


def test_every_document_is_written_and_called_a_draft(papers):
    names = {"ai-act-annex-iv", "ai-act-annex-xi", "neurips-checklist", "datasheet-adult", "to-write", "test-log"}
    assert set(papers) == names
    for name in names - {"test-log"}:
        assert "This is a draft" in papers[name]
    for text in papers.values():
        assert not re.search(r"\bnan\b|\bNone\b|\{", text)


def test_accuracy_by_group_is_that_of_the_file_that_ships(papers, finished):
    folder = finished.folder / "results/tiny/summary"
    decisions = pd.read_parquet(folder / "decisions.parquet")
    chosen = decisions[decisions["recommended"]].iloc[0]
    shipped = pd.read_parquet(folder / "shipped.parquet")
    own = (shipped["variant"] == chosen["variant"]) & (shipped["augmentation"] == chosen["augmentation"])
    seed = shipped.loc[own, "seed"].iloc[0]
    rows = pd.read_parquet(folder / "assessments.parquet")
    rows = rows[(rows["metric"] == "accuracy") & (rows["part"] == "test") & (rows["variant"] == chosen["variant"])]
    rows = rows[rows["augmentation"] == chosen["augmentation"]]
    rows = rows[(rows["seed"] == seed) & (rows["attribute"] == "sex") & rows["group"].notna() & rows["class"].isna()]
    assert len(rows) == 2
    for _, row in rows.iterrows():
        assert f"| {row['group']} | {100 * row['value']:.2f} (" in papers["ai-act-annex-iv"]


def test_the_list_of_what_is_to_be_written_is_complete(papers):
    number = sum(text.count("**To write**: ") for text in papers.values())
    assert papers["to-write"].count("- [ ] ") == number > 20


def test_the_log_holds_the_checksum_of_every_table(papers, finished):
    folder = finished.folder / "results/tiny"
    for path in folder.glob("summary/*.parquet"):
        assert f"`summary/{path.name}`" in papers["test-log"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() in papers["test-log"]
