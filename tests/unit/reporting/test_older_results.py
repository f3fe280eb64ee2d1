"""Results of fairweight 0.1, as its last state wrote them (tests/config/tiny.yaml with 1,200 rows), are read."""

import importlib.util
import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.core.errors import InputError
from fairweight.reporting.paper.writing import write_paper
from fairweight.reporting.report.older_results import ADDED
from fairweight.reporting.report.results import TABLES, Results
from fairweight.reporting.terminal import answer
from fairweight.study.results_layout import UNSTATED, layout_of

# by its path: tests have a module of the same name
spec = importlib.util.spec_from_file_location("site_tables", ROOT / "docs" / "generate" / "tables.py")
site_tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site_tables)

KNOWN = Path(__file__).with_name("results_layout.json")
ARCHIVED = Path(__file__).with_name("results_of_0_1.zip")
# tables of files, steps and tests whose columns depend on the study
MADE_OF_FILES = {"measures", "changes", "variants", "steps", "rules"}


@pytest.fixture
def results(tmp_path):
    with zipfile.ZipFile(ARCHIVED) as archive:
        archive.extractall(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_their_answer_is_the_one_that_was_printed(results):
    study = Results.read(str(results))
    assert layout_of(study.provenance, results) == UNSTATED
    console = Console(file=io.StringIO(), width=120, highlight=False, color_system=None)
    answer(study, "results/tiny", console)
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]
    assert "? none proven, 2 of 2 undecided (error rate 5 %, 2 seeds, 1,200 test rows)" in lines
    assert "pruned50 ? undecided ? +.08 [−.50,+.67] ? −.54 [−1.7,+.66] ? −.40 [−18,+18] ? too few rows 155.4" in lines
    assert "int8 ? undecided ? 0 [−.64,+.64] ? 0 [−.75,+.75] ? +1.2 [−.50,+2.9] ? too few rows 139.1" in lines
    dense = study.measured("accuracy").query("variant == 'dense' and augmentation == 'none'")
    assert dense["mean"].item() == pytest.approx(0.8275)


def test_an_article_takes_its_numbers_from_them(results):
    write_paper(str(results), str(results / "paper"))
    values = pd.read_csv(results / "paper" / "numbers.csv").set_index("key")["value"]
    assert float(values["adult/mlp/dense/accuracy"]) == pytest.approx(0.8275)


def test_a_change_of_tables_or_columns_raises_the_version_of_the_layout():
    known, now = json.loads(KNOWN.read_text()), site_tables.layout()
    lost = {
        name: absent
        for name, columns in known["tables"].items()
        if (absent := set(columns) - set(now["tables"].get(name, ())))
    }
    same_major = known["layout"].partition(".")[0] == now["layout"].partition(".")[0]
    assert not (lost and same_major), f"raise MAJOR of LAYOUT in study/results_layout.py: {lost}"
    is_new = {name: set(columns) for name, columns in now["tables"].items()} != {
        name: set(columns) for name, columns in known["tables"].items()
    }
    assert not (is_new and known["layout"] == now["layout"]), (
        "raise MINOR of LAYOUT in study/results_layout.py, fill new columns in by ADDED of report/older_results.py, "
        "then run: python docs/generate/tables.py > tests/unit/reporting/results_layout.json"
    )
    assert known["layout"] == now["layout"]


def test_they_have_every_column_of_the_present_layout(results):
    study = Results.read(str(results))
    lacking = {
        name: absent
        for name in set(TABLES) - MADE_OF_FILES
        if (absent := set(site_tables.RESULTS[name][1]) - set(getattr(study, name)))
    }
    assert lacking == {}, "fill these columns in, in ADDED of reporting/report/older_results.py"


def test_columns_that_were_added_since_are_filled_in(results, monkeypatch):
    monkeypatch.setitem(ADDED, "decisions", {"later": 0.5, "verdict": "not taken"})
    decisions = Results.read(str(results)).decisions
    assert set(decisions["later"]) == {0.5} and "not taken" not in set(decisions["verdict"])
    about = results / "summary" / "provenance.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"results_layout": "1.0"}))
    assert "later" not in Results.read(str(results)).decisions


def test_a_table_that_they_lack_is_named(results):
    for name in ("guards", "simple_models"):
        (results / "summary" / f"{name}.parquet").unlink()
    with pytest.raises(InputError, match=r"0.1.0 \(commit 60df0350b5e1\) wrote .* without the tables guards, "):
        Results.read(str(results))


def test_a_damaged_table_is_one_sentence(results):
    (results / "summary" / "decisions.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"decisions\.parquet"):
        Results.read(str(results))
    assert len(pd.read_parquet(results / "summary" / "criteria.parquet")) > 0
