"""Imports what the scripts of the steps import, in the process whose forks run them (`profiles/default/preload.txt`).

A step takes up to 0.05 CPU-seconds to import its part of this package, half of what a short step takes altogether. The
process belongs to one run and starts after the run has computed the versions of the code, so that its steps run the
code that their versions name. Where torch is not preloaded, what imports it is left out.
"""

import contextlib
import functools
import importlib
import os
import sys
from pathlib import Path

from fairweight.core.code_version import imported_files
from fairweight.core.components import PACKAGE, SOURCES, WORKFLOW, names, path_of
from fairweight.core.parsed_source import parsed

LIGHT = ("adaptations", "metrics", "objectives", "tasks")  # folders whose components import no further package
CHECKOUT = "FAIRWEIGHT_CHECKOUT"  # folder of the workflow that runs (rules/common.smk); another one imports by itself


def step_modules(*, torch: bool) -> list[str]:
    """Names of the modules that scripts and notebooks of this checkout import, and of light components.

    Args:
        torch: whether to name those that import torch, at any depth.
    """
    files = {file for script in (WORKFLOW / "scripts").glob("*/*.py") for file in imported_files(script)}
    files |= set((PACKAGE / "reporting" / "report").glob("*.py"))
    files |= {path_of(folder) / f"{name}.py" for folder in LIGHT for name in names(folder)}
    files = {file for file in files if file.name != "__init__.py" and (torch or not _imports_torch(file))}
    return sorted(".".join(file.relative_to(SOURCES).with_suffix("").parts) for file in files)


@functools.cache
def _imports_torch(file: Path) -> bool:
    seen, waiting = {file}, [file]
    while waiting:
        each = waiting.pop()
        if any(imported.module.split(".")[0] == "torch" for imported in parsed(each).imports):
            return True
        waiting += set(imported_files(each)) - seen
        seen |= set(waiting)
    return False


def _import_all() -> None:
    if os.environ.get(CHECKOUT) != str(WORKFLOW):
        return
    for module in step_modules(torch="torch" in sys.modules):
        with contextlib.suppress(Exception):  # the step that needs it says what is wrong
            importlib.import_module(module)
    _find_plugins()


def _find_plugins() -> None:
    """Call scikit-learn once: its first call looks for plugins in all installed packages, for 0.04 CPU-seconds."""
    from sklearn.utils import check_array  # noqa: PLC0415 - other processes import this module as well

    check_array([[0.0]])


_import_all()
