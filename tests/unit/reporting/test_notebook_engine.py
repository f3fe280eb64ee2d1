"""The engine that runs notebooks in the process of the step: outputs and failures of cells."""

import json
import re
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat import v4

from fairweight.core.components import WORKFLOW as ROOT
from fairweight.reporting.report.render_notebook import execute


def written(folder, *cells):
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell("results = 'nowhere'", metadata={"tags": ["parameters"]})]
        + [v4.new_code_cell(cell) for cell in cells]
    )
    nbformat.write(notebook, folder / "given.ipynb")
    return str(folder / "given.ipynb")


def test_cells_see_the_parameters_and_what_they_show_is_kept(tmp_path):
    main = sys.modules["__main__"]
    given = written(
        tmp_path,
        "from IPython.display import HTML, display",
        "print(results)\ndisplay(HTML('<b>1</b>'))\nHTML('<i>2</i>')",
    )
    execute(given, results="/somewhere", executed=str(tmp_path / "executed.ipynb"))
    cells = nbformat.read(tmp_path / "executed.ipynb", 4).cells
    printed, *rich = cells[-1].outputs
    assert printed.text == "/somewhere\n" and cells[-1].execution_count == len(cells)
    assert [output["data"]["text/html"] for output in rich] == ["<b>1</b>", "<i>2</i>"]
    assert sys.modules["__main__"] is main
    execute(written(tmp_path, "assert 'HTML' not in globals()"), results="x", executed=str(tmp_path / "again.ipynb"))


def test_an_executed_notebook_has_no_path_of_this_machine_and_runs_by_hand(tmp_path, monkeypatch):
    results = tmp_path / "results" / "it's"
    (results / "report" / "notebooks").mkdir(parents=True)
    (results / "here").write_text("found")
    executed = results / "report" / "notebooks" / "n.ipynb"
    given = written(tmp_path, "from pathlib import Path\nPath(results, 'here').read_text()")
    monkeypatch.chdir(tmp_path)
    execute(given, results="results/it's", executed=str(executed.relative_to(tmp_path)))
    assert str(tmp_path) not in executed.read_text(encoding="utf-8")
    monkeypatch.chdir(executed.parent)
    sources = [cell.source for cell in nbformat.read(executed, 4).cells]
    names = {}
    exec("\n".join(sources[:-1]), names)
    assert sources[-1].startswith("from pathlib") and (Path(names["results"]) / "here").read_text() == "found"


@pytest.mark.parametrize("cell", ["1 / 0", "def broken(:"])
def test_a_cell_that_fails_ends_the_step_with_its_error(tmp_path, cell):
    name = "ZeroDivisionError" if cell == "1 / 0" else "SyntaxError"
    with pytest.raises(papermill.PapermillExecutionError, match=name):
        execute(written(tmp_path, cell), results="x", executed=str(tmp_path / "executed.ipynb"))
    assert not (tmp_path / "executed.ipynb").exists()


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_find_results_from_the_workflow_and_from_their_own_folder(notebook, tmp_path, monkeypatch):
    first = "".join(json.loads(notebook.read_text())["cells"][0]["source"])
    name = re.search(r'results = "(results/\w+)"', first)[1]
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    for place in (tmp_path, tmp_path / "notebooks"):
        monkeypatch.chdir(place)
        names = {}
        exec(first, names)
        assert Path(names["results"]).resolve() == tmp_path / name
