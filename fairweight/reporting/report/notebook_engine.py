"""A papermill engine that runs a notebook in the process of the step.

A Jupyter kernel is a second interpreter, which imports again what the step has loaded and communicates through sockets:
two CPU-seconds for each notebook. The IPython shell that a kernel wraps is the same here, so that cells see the same
`display`, the same namespace and the same errors.
"""

import types
from typing import Any

import nbformat
from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from IPython.utils.capture import capture_output
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

NAME = "in-process"
QUIET = Config(HistoryManager={"enabled": False}, InteractiveShell={"colors": "nocolor", "xmode": "Plain"})


class Shown(DisplayHook):
    """Show the value of a cell's last line as `display` shows it; IPython's own hook prints it to a terminal."""

    def __call__(self, result: Any = None) -> None:
        """Show a value."""
        if result is not None:
            display(result)


class Shell(InteractiveShell):
    """IPython's shell for a notebook."""

    displayhook_class = Shown


class InProcess(Engine):
    """Runs the code cells of a notebook one after another in an IPython shell of this process."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:  # noqa: ARG003
        """Run the cells and keep their outputs; called by papermill, whose kernel and options are not needed.

        Raises:
            PapermillExecutionError: a cell failed.
        """
        shell = Shell.instance(config=QUIET, user_module=types.ModuleType("notebook"))
        try:
            for position, cell in enumerate(nb_man.nb.cells):
                if cell.cell_type == "code":
                    nb_man.cell_start(cell, position)
                    _run(shell, cell, position)
                    nb_man.cell_complete(cell, position)
        finally:
            Shell.clear_instance()


def _run(shell: InteractiveShell, cell: Any, position: int) -> None:
    """Run one cell, and keep what it prints and displays as its outputs."""
    with capture_output() as captured:
        result = shell.run_cell(cell.source, store_history=True)
    cell.execution_count = shell.execution_count - 1
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=captured.stdout)] if captured.stdout else []
    cell.outputs += [
        nbformat.v4.new_output("display_data", data=rich.data, metadata=rich.metadata or {})
        for rich in captured.outputs
    ]
    if not result.success:
        error = result.error_before_exec or result.error_in_exec
        raise PapermillExecutionError(
            cell_index=position,
            exec_count=cell.execution_count,
            source=cell.source,
            ename=type(error).__name__,
            evalue=str(error),
            traceback=[captured.stdout],
        ) from error


papermill_engines.register(NAME, InProcess)
