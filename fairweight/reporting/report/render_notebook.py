"""Execute a notebook of the report with papermill on the results of a study."""

import os
import tempfile
from pathlib import Path

import nbformat
import papermill

from fairweight.core.artifacts import atomic
from fairweight.reporting.report.notebook_engine import NAME


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
    """Remove the paths and times of this machine from an executed notebook, because archives keep it.

    Args:
        run: the notebook; it is changed.
        results: path of the study's folder from that of the notebook, where Jupyter starts when it is run by hand.
    """
    run.metadata.pop("papermill", None)
    for position, cell in enumerate(run.cells):
        cell["id"] = f"cell-{position}"  # papermill's ids are random; a page rendered again has the same bytes
        cell.metadata.pop("papermill", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = f"# Parameters\nresults = {results!r}\n"
