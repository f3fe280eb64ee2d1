"""From a notebook to an executed notebook and one HTML page that needs nothing else."""

import tempfile
from pathlib import Path

import jinja2
import nbformat
import papermill
from nbconvert import HTMLExporter

from fairweight.artifacts import atomic, read_json

HERE = Path(__file__).resolve().parent


def render(notebook: str, *, results: str, executed: str, page: str) -> None:
    """Execute a report notebook on a study's results and write it as a page.

    Args:
        notebook: the notebook, with a cell tagged `parameters`.
        results: the study's folder.
        executed: notebook to write.
        page: HTML to write; self-contained, without code cells.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "report.ipynb"
        papermill.execute_notebook(
            notebook,
            output,
            parameters={"results": str(Path(results).absolute())},
            kernel_name="python3",
            progress_bar=False,
        )
        run = nbformat.read(output, as_version=4)
    with atomic(executed) as temporary:
        nbformat.write(run, temporary)
    body, _ = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True).from_notebook_node(
        run
    )
    study = read_json(Path(results) / "summary" / "provenance.json")["study"]["name"]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True)
    with atomic(page) as temporary:
        text = environment.get_template("page.html.j2").render(title=f"fairweight: {study}", body=body)
        temporary.write_text(text, encoding="utf-8")
