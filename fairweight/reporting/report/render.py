"""From notebooks to executed notebooks and one HTML page that needs nothing else."""

import os
import re
import tempfile
from pathlib import Path

import jinja2
import nbformat
import papermill
from nbconvert import HTMLExporter

from fairweight.core.artifacts import atomic, read_json
from fairweight.reporting.report.notebook_engine import NAME

HERE = Path(__file__).resolve().parent


def execute(notebook: str, *, results: str, executed: str) -> None:
    """Execute a notebook on a study's results.

    Args:
        notebook: a notebook with a cell tagged `parameters`.
        results: the study's folder.
        executed: notebook to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "executed.ipynb"
        papermill.execute_notebook(
            notebook,
            output,
            parameters={"results": str(Path(results).absolute())},
            engine_name=NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
        )
        run = nbformat.read(output, as_version=4)
    _forget(run, os.path.relpath(results, Path(executed).parent))
    with atomic(executed) as temporary:
        nbformat.write(run, temporary)


def _forget(run: nbformat.NotebookNode, results: str) -> None:
    """Take this machine's paths and times out of an executed notebook, which archives keep.

    Args:
        run: the notebook; it is changed.
        results: the study's folder from that of the notebook, where Jupyter runs it by hand.
    """
    run.metadata.pop("papermill", None)
    for position, cell in enumerate(run.cells):
        cell["id"] = f"cell-{position}"  # papermill's own are random; a page rendered again has the same bytes
        cell.metadata.pop("papermill", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = f"# Parameters\nresults = {results!r}\n"


def assemble(notebooks: list[str], *, results: str, page: str) -> None:
    """Write executed notebooks, one below the other, as one self-contained page without their code.

    Args:
        notebooks: in the order of the page.
        results: the study's folder.
        page: HTML to write.
    """
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    bodies = [exporter.from_notebook_node(nbformat.read(notebook, as_version=4))[0] for notebook in notebooks]
    body = "\n".join(bodies)
    contents = re.findall(r'<h2 id="([^"]+)">(.*?)<a class="anchor-link"', body)
    study = read_json(Path(results) / "summary" / "provenance.json")["study"]["name"]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True)
    with atomic(page) as temporary:
        template = environment.get_template("page.html.j2")
        temporary.write_text(
            template.render(title=f"fairweight: {study}", body=body, contents=contents), encoding="utf-8"
        )
