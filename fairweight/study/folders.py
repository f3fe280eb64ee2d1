"""Folders of a study's files: the one place that decides where they are (standard library only)."""

from collections.abc import Mapping
from typing import Any


def results_folder(config: Mapping[str, Any]) -> str:
    """Folder of everything that a study makes: `pathvars: results`, or `results/{name}`.

    Args:
        config: the resolved study file.
    """
    return str(config["pathvars"].get("results", f"results/{config['name']}"))


def logs_folder(config: Mapping[str, Any]) -> str:
    """Folder of the logs of all steps: `pathvars: logs`, or `logs` in the results."""
    return str(config["pathvars"].get("logs", f"{results_folder(config)}/logs"))
