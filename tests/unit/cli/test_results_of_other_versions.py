"""Every command that opens a stored study checks the layout of its results."""

import json
from pathlib import Path

import pytest
import yaml
from studies import tiny

from fairweight.cli.main import main
from fairweight.cli.stored_study import note_of_run, stored_study
from fairweight.core.errors import InputError
from fairweight.reporting.archive.packing import write_archive
from fairweight.reporting.report.results import Results
from fairweight.study.results_layout import LAYOUT, UNSTATED, layout_of
from fairweight.study.schema import resolve

NEWER = (
    "results/tiny has results of a newer layout (7.1, written by fairweight 9.0.0); this is fairweight "
    "[0-9.]+, which reads up to 1.x; upgrade fairweight, or use another folder."
)
NEWER = NEWER.replace("(", r"\(").replace(")", r"\)")


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a study file and the provenance of its run; returns the folder of the results."""
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(yaml.safe_dump(tiny()))
    results = Path("results/tiny")
    (results / "summary").mkdir(parents=True)

    def write(**facts):
        text = json.dumps({"study": resolve(tiny()), **facts})
        (results / "summary" / "provenance.json").write_text(text)
        return results

    return write


COMMANDS = {
    "answer": lambda _: main(["answer", "study.yaml"]),
    "energy": lambda _: main(["energy", "study.yaml"]),
    "verify": lambda _: main(["verify", "study.yaml"]),
    "papers": lambda _: main(["papers", "study.yaml"]),
    "purge": lambda _: main(["purge", "study.yaml"]),
    "run": lambda results: note_of_run(resolve(tiny()), results),
    "report, article and cards": lambda results: Results.read(str(results)),
    "archive": lambda results: write_archive("a.zip", results=str(results)),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_results_of_a_newer_layout_are_refused(written, command):
    results = written(results_layout="7.1", fairweight="9.0.0")
    with pytest.raises((InputError, SystemExit), match=NEWER):
        COMMANDS[command](results)


def test_a_newer_minor_layout_and_one_that_states_none_are_read(written):
    results = written(results_layout=f"{LAYOUT.major}.99")
    assert stored_study(results) == resolve(tiny())
    assert layout_of({}, results) == UNSTATED < LAYOUT
    assert stored_study(written()) == resolve(tiny())


@pytest.mark.parametrize("version", [1, None, "", "1", "1.0.0", "x", "1.-1", "१.०", [1, 0]])
def test_what_is_no_version_is_named(written, version):
    results = written(results_layout=version)
    with pytest.raises(InputError, match=r"provenance.json: results_layout is .*, which is no version such as 1.0; de"):
        stored_study(results)


def test_results_without_a_table_that_was_added_later_are_refused_with_the_remedy(written):
    results = written(fairweight="0.1.0", commit="5e86e9ba99aa")
    with pytest.raises(InputError) as caught:
        Results.read(str(results))
    sentence = str(caught.value)
    assert sentence.startswith("results/tiny: fairweight 0.1.0 (commit 5e86e9ba99aa) wrote these results, without the")
    assert "tables assessments, checks, comparisons and " in sentence
    assert sentence.endswith("run the study again to bring them up to date, or read them with that version.")
